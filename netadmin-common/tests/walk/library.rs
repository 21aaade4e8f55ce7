//! Datagrams that netlink-packet-route builds: the walk finds exactly the
//! requests that went in.

use netadmin_common::Text;
use netadmin_common::netlink::LinkRequest;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVlanFlags, MacVlanMode,
};
use netlink_packet_route::route::RouteMessage;
use proptest::collection::vec;
use proptest::prelude::*;

use super::links;

fn datagram(messages: Vec<(RouteNetlinkMessage, u16)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (message, flags) in messages {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, message.into());
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }
    bytes
}

fn link(index: u32, flags: u32, change: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.flags = LinkFlags::from_bits_retain(flags);
    link.header.change_mask = LinkFlags::from_bits_retain(change);
    link.attributes = attributes;
    link
}

fn set(request: &mut LinkRequest, attribute: &LinkAttribute) {
    match attribute {
        LinkAttribute::IfName(name) => {
            request.has_name = 1;
            request.name = Text::new(name.as_bytes());
        }
        LinkAttribute::Controller(index) => {
            request.has_master = 1;
            request.master = *index;
        }
        LinkAttribute::Link(index) => request.lower = *index,
        LinkAttribute::Group(_) => request.has_group = 1,
        LinkAttribute::Address(_) => request.has_address = 1,
        LinkAttribute::NetNsPid(_)
        | LinkAttribute::NetNsFd(_)
        | LinkAttribute::IfNetnsId(_)
        | LinkAttribute::LinkNetNsId(_) => request.other_namespace = 1,
        LinkAttribute::LinkInfo(info) => info.iter().for_each(|info| set_info(request, info)),
        _ => {}
    }
}

fn set_info(request: &mut LinkRequest, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => request.kind = Text::new(kind.to_string().as_bytes()),
        LinkInfo::Data(InfoData::MacVlan(data)) => {
            request.has_data = 1;
            data.iter().for_each(|data| set_macvlan(request, data));
        }
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))) => {
            request.has_data = 1;
            request.peer_flags = peer.header.flags.bits();
            request.peer_change = peer.header.change_mask.bits();
            for attribute in &peer.attributes {
                if let LinkAttribute::IfName(name) = attribute {
                    request.has_peer_name = 1;
                    request.peer_name = Text::new(name.as_bytes());
                }
            }
        }
        _ => {}
    }
}

fn set_macvlan(request: &mut LinkRequest, data: &InfoMacVlan) {
    match data {
        InfoMacVlan::Mode(mode) => {
            request.has_macvlan_mode = 1;
            request.macvlan_mode = u32::from(*mode);
        }
        InfoMacVlan::Flags(flags) => {
            request.has_macvlan_flags = 1;
            request.macvlan_flags = u32::from(flags.bits());
        }
        _ => {}
    }
}

/// Of a deletion only what says which link is meant counts. (The library's
/// `IfNetnsId` is `IFLA_TARGET_NETNSID`.)
fn deletion(link: &LinkMessage) -> LinkRequest {
    let mut request = LinkRequest {
        message_type: 17,
        index: link.header.index,
        ..LinkRequest::default()
    };
    for attribute in &link.attributes {
        if let LinkAttribute::IfName(_) | LinkAttribute::Group(_) | LinkAttribute::IfNetnsId(_) =
            attribute
        {
            set(&mut request, attribute);
        }
    }
    request
}

fn request(kind: u16, flags: u16, link: &LinkMessage) -> LinkRequest {
    let mut request = LinkRequest {
        message_type: u32::from(kind),
        message_flags: u32::from(flags),
        index: link.header.index,
        flags: link.header.flags.bits(),
        change: link.header.change_mask.bits(),
        ..LinkRequest::default()
    };
    for attribute in &link.attributes {
        set(&mut request, attribute);
    }
    request
}

/// Of a veth's first attribute the walk also keeps what a macvlan would read.
fn as_used(request: LinkRequest) -> LinkRequest {
    let veth = request.kind == netadmin_common::device::kind::VETH;
    LinkRequest {
        attributes: 0,
        has_macvlan_mode: request.has_macvlan_mode * u8::from(!veth),
        macvlan_mode: request.macvlan_mode * u32::from(!veth),
        bond_mode: 0,
        ends_vlan_filtering: 0,
        ..request
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9._-]{1,15}"
}

fn macvlan() -> impl Strategy<Value = LinkInfo> {
    let mode = prop_oneof![
        Just(MacVlanMode::Private),
        Just(MacVlanMode::Bridge),
        Just(MacVlanMode::Passthrough),
    ];
    let data = prop_oneof![
        mode.prop_map(InfoMacVlan::Mode),
        any::<u16>().prop_map(|bits| InfoMacVlan::Flags(MacVlanFlags::from_bits_retain(bits))),
        any::<u32>().prop_map(InfoMacVlan::BcQueueLen),
    ];
    vec(data, 0..4).prop_map(|data| LinkInfo::Data(InfoData::MacVlan(data)))
}

fn veth() -> impl Strategy<Value = LinkInfo> {
    let attributes = vec(
        prop_oneof![
            name().prop_map(LinkAttribute::IfName),
            Just(LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1])),
        ],
        0..3,
    );
    (any::<u32>(), any::<u32>(), attributes).prop_map(|(flags, change, attributes)| {
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(link(
            0, flags, change, attributes,
        ))))
    })
}

fn linkinfo() -> impl Strategy<Value = LinkAttribute> {
    prop_oneof![
        macvlan().prop_map(|data| vec![LinkInfo::Kind(InfoKind::MacVlan), data]),
        // In either order.
        macvlan().prop_map(|data| vec![data, LinkInfo::Kind(InfoKind::MacVlan)]),
        veth().prop_map(|data| vec![LinkInfo::Kind(InfoKind::Veth), data]),
        Just(vec![LinkInfo::Kind(InfoKind::Dummy)]),
    ]
    .prop_map(LinkAttribute::LinkInfo)
}

/// At most one `IFLA_LINKINFO`, anywhere.
fn attributes() -> impl Strategy<Value = Vec<LinkAttribute>> {
    let attribute = prop_oneof![
        name().prop_map(LinkAttribute::IfName),
        any::<u32>().prop_map(LinkAttribute::Controller),
        any::<u32>().prop_map(LinkAttribute::Link),
        any::<u32>().prop_map(LinkAttribute::Group),
        any::<u32>().prop_map(LinkAttribute::Mtu),
        any::<u32>().prop_map(LinkAttribute::NetNsPid),
        any::<i32>().prop_map(LinkAttribute::NetNsFd),
        any::<i32>().prop_map(LinkAttribute::IfNetnsId),
        any::<i32>().prop_map(LinkAttribute::LinkNetNsId),
        name().prop_map(LinkAttribute::IfAlias),
        Just(LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1])),
    ];
    (vec(attribute, 0..6), linkinfo())
        .prop_flat_map(|(mut attributes, linkinfo)| {
            attributes.push(linkinfo);
            Just(attributes).prop_shuffle()
        })
        .prop_flat_map(|attributes| {
            let len = attributes.len();
            (Just(attributes), 0..=len)
        })
        .prop_map(|(mut attributes, len)| {
            attributes.truncate(len);
            attributes
        })
}

#[derive(Clone, Debug)]
enum Message {
    New(LinkMessage),
    Set(LinkMessage),
    Delete(LinkMessage),
    Get(LinkMessage),
    Route,
}

fn message() -> impl Strategy<Value = Message> {
    let link = || {
        (any::<u32>(), any::<u32>(), any::<u32>(), attributes())
            .prop_map(|(index, flags, change, attributes)| link(index, flags, change, attributes))
    };
    prop_oneof![
        4 => link().prop_map(Message::New),
        4 => link().prop_map(Message::Set),
        1 => link().prop_map(Message::Delete),
        1 => link().prop_map(Message::Get),
        3 => Just(Message::Route),
    ]
}

impl Message {
    fn route(self) -> RouteNetlinkMessage {
        match self {
            Self::New(link) => RouteNetlinkMessage::NewLink(link),
            Self::Set(link) => RouteNetlinkMessage::SetLink(link),
            Self::Delete(link) => RouteNetlinkMessage::DelLink(link),
            Self::Get(link) => RouteNetlinkMessage::GetLink(link),
            Self::Route => RouteNetlinkMessage::NewRoute(RouteMessage::default()),
        }
    }

    fn request(&self, flags: u16) -> Option<LinkRequest> {
        let (kind, link) = match self {
            Self::New(link) => (16, link),
            Self::Set(link) => (19, link),
            Self::Delete(link) => {
                return (flags & NLM_F_REQUEST != 0).then(|| deletion(link));
            }
            _ => return None,
        };
        (flags & NLM_F_REQUEST != 0).then(|| request(kind, flags, link))
    }
}

fn flags() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(NLM_F_REQUEST),
        2 => Just(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL),
        1 => Just(NLM_F_CREATE),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_walk_finds_what_the_library_built(messages in vec((message(), flags()), 0..8)) {
        let expected: Vec<LinkRequest> = messages
            .iter()
            .filter_map(|(message, flags)| message.request(*flags))
            .map(as_used)
            .collect();
        let messages = messages.into_iter().map(|(message, flags)| (message.route(), flags));
        let found: Vec<LinkRequest> =
            links(&datagram(messages.collect())).into_iter().map(as_used).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_peer_of_a_veth_is_read_with_its_flags_and_its_name() {
    let peer = link(0, 0x100, 0x100, vec![LinkAttribute::IfName("tap0".into())]);
    let message = link(
        0,
        0,
        0,
        vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ])],
    );
    let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    let found = links(&datagram(vec![(
        RouteNetlinkMessage::NewLink(message),
        flags,
    )]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].peer_flags, found[0].peer_change), (0x100, 0x100));
    assert_eq!(found[0].peer_name, Text::new(b"tap0"));
}
