//! `netlink_rcv_skb`, `rtnetlink_rcv_msg`, `rtnl_setlink` and `__rtnl_newlink`
//! (6.12), as close to the C as Rust allows, and naive: slices, tables, copies.

use netadmin_common::Text;
use netadmin_common::device::kind;
use netadmin_common::netlink::{LinkRequest, RTM_SETLINK};

const IFLA_MAX: usize = 70;
const IFLA_ADDRESS: usize = 1;
const IFLA_IFNAME: usize = 3;
const IFLA_LINK: usize = 5;
const IFLA_MASTER: usize = 10;
const IFLA_LINKINFO: usize = 18;
const IFLA_NET_NS_PID: usize = 19;
const IFLA_GROUP: usize = 27;
const IFLA_NET_NS_FD: usize = 28;
const IFLA_LINK_NETNSID: usize = 37;
const IFLA_TARGET_NETNSID: usize = 46;
const IFLA_ALT_IFNAME: usize = 53;

/// What the kernel makes of a message that changes a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It acts on this.
    Acts(Box<LinkRequest>),
    /// It refuses the message: `-EINVAL` or `-ERANGE`.
    Refuses,
}

struct Refused;

#[derive(Clone, Copy)]
enum Policy {
    Any,
    AtLeast(usize),
    Text(usize),
    Nested,
}

type Table<'a> = Vec<Option<&'a [u8]>>;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Each message that changes a link, and whether one that makes the datagram
/// unstable came before it.
pub fn netlink_rcv_skb(mut skb: &[u8]) -> Vec<(Seen, bool)> {
    let mut seen = Vec::new();
    let mut unstable = false;
    while skb.len() >= 16 {
        let nlmsg_len = u32_at(skb, 0) as usize;
        if nlmsg_len < 16 || skb.len() < nlmsg_len {
            return seen;
        }
        let (nlmsg_type, nlmsg_flags) = (u16_at(skb, 4), u16_at(skb, 6));
        if nlmsg_flags & 1 != 0 && nlmsg_type >= 16 {
            match nlmsg_type {
                28 => seen.extend(neighbour(&skb[..nlmsg_len]).map(|message| (message, unstable))),
                16 | 19 => {
                    let message = link_message(&skb[..nlmsg_len], nlmsg_type, nlmsg_flags);
                    seen.extend(message.map(|message| (message, unstable)));
                }
                17 => {
                    let message = deletion(&skb[..nlmsg_len]);
                    seen.extend(message.map(|message| (message, unstable)));
                }
                108 | 109 => unstable = true,
                _ => {}
            }
        }
        let msglen = ((nlmsg_len + 3) & !3).min(skb.len());
        skb = &skb[msglen..];
    }
    seen
}

fn link_message(message: &[u8], nlmsg_type: u16, nlmsg_flags: u16) -> Option<Seen> {
    if message.len() < 16 + 16 {
        return None;
    }
    let is_setlink = nlmsg_type == 19;
    if is_setlink && message[16] == 7 {
        return Some(Seen::Acts(Box::new(rtnl_bridge_setlink(
            message,
            nlmsg_flags,
        ))));
    }
    Some(match parse_link(message, is_setlink) {
        Ok(link) => Seen::Acts(Box::new(LinkRequest {
            message_type: u32::from(nlmsg_type),
            message_flags: u32::from(nlmsg_flags),
            ..link
        })),
        Err(Refused) => Seen::Refuses,
    })
}

/// `rtnl_bridge_setlink`, `br_setlink`: the port's flags, in the first
/// `IFLA_PROTINFO`.
fn rtnl_bridge_setlink(message: &[u8], nlmsg_flags: u16) -> LinkRequest {
    let mut link = LinkRequest {
        message_type: 19,
        message_flags: u32::from(nlmsg_flags),
        index: u32_at(message, 20),
        of_bridge: 1,
        ..LinkRequest::default()
    };
    if let Ok(tb) = nla_parse(&message[32..], IFLA_MAX, |_| Policy::Any)
        && let Some(info) = tb[12]
    {
        link.floods = br_setport(info);
    }
    link
}

/// Whether `br_setport` is told to learn or to flood.
fn br_setport(info: &[u8]) -> u8 {
    let on =
        |data: &Option<&[u8]>| data.is_some_and(|data| data.first().is_some_and(|on| *on != 0));
    nla_parse(info, 40, |_| Policy::Any).map_or(0, |tb| u8::from(on(&tb[8]) || on(&tb[9])))
}

/// `rtnl_dellink`; of `PF_BRIDGE`, `rtnl_bridge_dellink`, which deletes no link.
fn deletion(message: &[u8]) -> Option<Seen> {
    if message.len() < 16 + 16 || message[16] == 7 {
        return None;
    }
    Some(match parse_link(message, true) {
        Ok(link) => Seen::Acts(Box::new(LinkRequest {
            message_type: 17,
            index: link.index,
            has_name: link.has_name,
            name: link.name,
            has_alternative_name: link.has_alternative_name,
            has_group: link.has_group,
            other_namespace: u8::from(link.attributes & (1 << IFLA_TARGET_NETNSID) != 0),
            ..LinkRequest::default()
        })),
        Err(Refused) => Seen::Refuses,
    })
}

/// `rtnl_fdb_add`.
fn neighbour(message: &[u8]) -> Option<Seen> {
    if message.len() < 16 + 12 || message[16] != 7 {
        return None;
    }
    Some(Seen::Acts(Box::new(LinkRequest {
        message_type: 28,
        index: u32_at(message, 20),
        neighbour_flags: message[26],
        ..LinkRequest::default()
    })))
}

fn parse_link(message: &[u8], is_setlink: bool) -> Result<LinkRequest, Refused> {
    let tb = nla_parse(&message[32..], IFLA_MAX, ifla_policy)?;
    let is_there = |kind: usize| u8::from(tb[kind].is_some());
    let other_namespace = is_there(IFLA_NET_NS_PID)
        | is_there(IFLA_NET_NS_FD)
        | is_there(IFLA_TARGET_NETNSID)
        | is_there(IFLA_LINK_NETNSID);
    let mut link = LinkRequest {
        index: u32_at(message, 20),
        flags: u32_at(message, 24),
        change: u32_at(message, 28),
        lower: tb[IFLA_LINK].map_or(0, |data| u32_at(data, 0)),
        master: tb[IFLA_MASTER].map_or(0, |data| u32_at(data, 0)),
        has_master: is_there(IFLA_MASTER),
        has_name: is_there(IFLA_IFNAME),
        has_alternative_name: is_there(IFLA_ALT_IFNAME),
        has_group: is_there(IFLA_GROUP),
        has_address: is_there(IFLA_ADDRESS),
        other_namespace,
        name: tb[IFLA_IFNAME].map_or(Text::EMPTY, nla_strscpy),
        attributes: (1..=IFLA_MAX)
            .filter(|kind| tb[*kind].is_some())
            .map(|kind| match kind {
                64 => 1 << 63,
                65.. => 1 << 62,
                _ => 1u64 << kind,
            })
            .fold(0, |set, bit| set | bit),
        ..LinkRequest::default()
    };
    if let (Some(info), false) = (tb[IFLA_LINKINFO], is_setlink) {
        parse_linkinfo(info, &mut link)?;
    }
    Ok(link)
}

fn parse_linkinfo(info: &[u8], link: &mut LinkRequest) -> Result<(), Refused> {
    let linkinfo = nla_parse(info, 5, |kind| match kind {
        1 | 4 => Policy::Text(usize::MAX),
        2 | 5 => Policy::Nested,
        _ => Policy::Any,
    })?;
    link.kind = linkinfo[1].map_or(Text::EMPTY, nla_strscpy);
    if let Some(data) = linkinfo[5] {
        link.has_port_data = 1;
        link.floods = br_setport(data);
    }
    let Some(data) = linkinfo[2] else {
        return Ok(());
    };
    link.has_data = 1;
    if link.kind == kind::MACVLAN || link.kind == kind::MACVTAP {
        parse_macvlan(data, link)
    } else if [kind::VETH, kind::VXCAN, kind::NETKIT].contains(&link.kind) {
        parse_pair(data, link)
    } else if link.kind == kind::BOND {
        let data = nla_parse(data, 40, |_| Policy::Any)?;
        let mode = data[1].and_then(|mode| mode.first());
        link.bond_mode = mode.copied().unwrap_or(0);
        Ok(())
    } else if link.kind == kind::BRIDGE {
        let data = nla_parse(data, 60, |_| Policy::Any)?;
        let filtering = data[7].and_then(|filtering| filtering.first());
        link.ends_vlan_filtering = u8::from(filtering == Some(&0));
        Ok(())
    } else {
        Ok(())
    }
}

fn parse_macvlan(data: &[u8], link: &mut LinkRequest) -> Result<(), Refused> {
    let data = nla_parse(data, 9, |kind| match kind {
        1 => Policy::AtLeast(4),
        2 => Policy::AtLeast(2),
        _ => Policy::Any,
    })?;
    if let Some(mode) = data[1] {
        link.has_macvlan_mode = 1;
        link.macvlan_mode = u32_at(mode, 0);
    }
    if let Some(flags) = data[2] {
        link.has_macvlan_flags = 1;
        link.macvlan_flags = u32::from(u16_at(flags, 0));
    }
    Ok(())
}

/// `rtnl_nla_parse_ifinfomsg`.
fn parse_pair(data: &[u8], link: &mut LinkRequest) -> Result<(), Refused> {
    let data = nla_parse(data, 1, |_| Policy::AtLeast(16))?;
    let Some(peer) = data[1] else {
        return Ok(());
    };
    link.peer_flags = u32_at(peer, 8);
    link.peer_change = u32_at(peer, 12);
    let tb = nla_parse(&peer[16..], IFLA_MAX, ifla_policy)?;
    if let Some(name) = tb[IFLA_IFNAME] {
        link.has_peer_name = 1;
        link.peer_name = nla_strscpy(name);
    }
    Ok(())
}

/// `ifla_policy`, as far as the walk reads the attributes.
fn ifla_policy(kind: usize) -> Policy {
    match kind {
        IFLA_IFNAME => Policy::Text(15),
        IFLA_ALT_IFNAME => Policy::Text(127),
        IFLA_LINK | IFLA_MASTER | IFLA_NET_NS_PID | IFLA_NET_NS_FD | IFLA_GROUP
        | IFLA_LINK_NETNSID | IFLA_TARGET_NETNSID => Policy::AtLeast(4),
        IFLA_LINKINFO => Policy::Nested,
        _ => Policy::Any,
    }
}

/// `__nla_validate_parse`, `nla_for_each_attr`, `nla_ok`, `nla_next`.
fn nla_parse(
    head: &[u8],
    maxtype: usize,
    policy: impl Fn(usize) -> Policy,
) -> Result<Table<'_>, Refused> {
    let mut tb: Table<'_> = vec![None; maxtype + 1];
    let (mut at, mut rem) = (0, isize::try_from(head.len()).expect("short"));
    while rem >= 4 {
        let nla_len = usize::from(u16_at(head, at));
        if nla_len < 4 || nla_len > rem.unsigned_abs() {
            break;
        }
        let kind = usize::from(u16_at(head, at + 2) & 0x3fff);
        let data = &head[at + 4..at + nla_len];
        if kind != 0 && kind <= maxtype {
            validate_nla(data, policy(kind))?;
            tb[kind] = Some(data);
        }
        let totlen = (nla_len + 3) & !3;
        at += totlen;
        rem -= totlen.cast_signed();
    }
    Ok(tb)
}

fn validate_nla(data: &[u8], policy: Policy) -> Result<(), Refused> {
    let accepted = match policy {
        Policy::Any => true,
        Policy::AtLeast(len) => data.len() >= len,
        Policy::Text(len) => {
            let terminated = data.last() == Some(&0);
            !data.is_empty() && data.len() - usize::from(terminated) <= len
        }
        Policy::Nested => data.is_empty() || data.len() >= 4,
    };
    if accepted { Ok(()) } else { Err(Refused) }
}

/// Up to the first zero.
fn nla_strscpy(data: &[u8]) -> Text {
    let len = data.iter().position(|&byte| byte == 0);
    Text::new(&data[..len.unwrap_or(data.len())])
}

/// Of the attributes that depend on the kind, only those of the kind count.
pub fn as_used(mut link: LinkRequest) -> LinkRequest {
    if link.message_type == u32::from(RTM_SETLINK) {
        link.kind = Text::EMPTY;
        link.has_data = 0;
        link.has_port_data = 0;
    }
    if link.kind != kind::BOND {
        link.bond_mode = 0;
    }
    if link.kind != kind::MACVLAN && link.kind != kind::MACVTAP {
        link.has_macvlan_mode = 0;
        link.has_macvlan_flags = 0;
    }
    if ![kind::VETH, kind::VXCAN, kind::NETKIT].contains(&link.kind) {
        link.has_peer_name = 0;
        link.peer_flags = 0;
        link.peer_change = 0;
    }
    LinkRequest {
        macvlan_mode: link.macvlan_mode * u32::from(link.has_macvlan_mode),
        macvlan_flags: link.macvlan_flags * u32::from(link.has_macvlan_flags),
        peer_name: if link.has_peer_name == 0 {
            Text::EMPTY
        } else {
            link.peer_name
        },
        attributes: 0,
        // Of several attributes the walk believes the worst.
        floods: 0,
        ends_vlan_filtering: 0,
        ..link
    }
}
