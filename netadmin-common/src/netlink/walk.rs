//! The walk over a datagram.

use super::classify::{NETLINK_GENERIC, depends_on_family, has_index};
use super::{
    IFINFOMSG_LEN, LinkRequest, NDMSG_LEN, NETLINK_ROUTE, NLM_F_REQUEST, NLMSG_HDRLEN, RTM_DELLINK,
    RTM_DELLINKPROP, RTM_NEWLINK, RTM_NEWLINKPROP, RTM_NEWNEIGH, RTM_SETLINK, UNSETTLED_LINKS,
};
use crate::device::IFNAMSIZ;
use crate::text::Text;

/// How many headers one walk reads: every message, and the attributes of those
/// that change links. A datagram with more is refused, not cut: 131 072 fits a
/// batch of that many routes.
pub const MAX_STEPS: u32 = 1 << 17;

/// Types that any bytes are a value of.
///
/// # Safety
/// Every bit pattern must be valid, and the type must have no padding.
pub unsafe trait Plain: Copy {}
// SAFETY: integers and arrays of bytes have no invalid pattern and no padding.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for [u32; 4] {}
// SAFETY: as above.
unsafe impl Plain for [u64; 4] {}
// SAFETY: as above.
unsafe impl Plain for [u64; 8] {}
// SAFETY: as above.
unsafe impl Plain for [u64; 2] {}

/// The bytes of a datagram: kernel memory there, a slice here.
pub trait Bytes {
    /// The value at `offset` bytes, or `None` if it cannot be read. The walk
    /// asks only within the datagram.
    fn read<T: Plain>(&self, offset: u32) -> Option<T>;

    /// The first of `len` bytes at `offset`, at most [`IFNAMSIZ`].
    fn text(&self, offset: u32, len: u32) -> Option<Text>;
}

impl Bytes for [u8] {
    fn read<T: Plain>(&self, offset: u32) -> Option<T> {
        let bytes = self.get(offset as usize..)?.get(..size_of::<T>())?;
        // SAFETY: `bytes` is as long as `T`, and any bytes are a `T`.
        Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
    }

    fn text(&self, offset: u32, len: u32) -> Option<Text> {
        let len = (len as usize).min(IFNAMSIZ);
        self.get(offset as usize..)?.get(..len).map(Text::new)
    }
}

/// What one step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet; step again.
    More,
    /// [`Walk::link`] is complete; judge it, then step again.
    Link,
    /// A message of the type [`Walk::message_type`] and of [`Walk::family`],
    /// which is no request for a link; classify it, then step again.
    Message,
    /// The datagram ends here for the kernel.
    Done,
    /// A byte that the kernel will read could not be read.
    Unreadable,
}

const MESSAGE: u32 = 0;
const ATTRIBUTE: u32 = 1;
const LINKINFO: u32 = 2;
const INFO_DATA: u32 = 3;
const PEER: u32 = 4;
/// `IFLA_PROTINFO`, in a message of the bridge.
const PROTINFO: u32 = 5;
/// `IFLA_INFO_SLAVE_DATA`.
const SLAVE_DATA: u32 = 6;
/// `IFLA_AF_SPEC`, in a message of the bridge.
const AF_SPEC: u32 = 7;
/// A power of two, so that a mask bounds an index for the verifier.
const LEVELS: usize = 8;

/// A level as an index.
#[inline(always)]
fn place(level: u32) -> usize {
    level as usize & (LEVELS - 1)
}

const AF_BRIDGE: u32 = 7;
const NLMSG_MIN_TYPE: u16 = 16;
const NLA_HDRLEN: u32 = 4;
const NLA_TYPE_MASK: u16 = 0x3fff;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
pub(super) const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_TARGET_NETNSID: u16 = 46;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
const IFLA_BRIDGE_MRP: u16 = 4;
const IFLA_BRIDGE_MST: u16 = 6;
/// In the first word of `bridge_vlan_info`: for the bridge, too.
const BRIDGE_VLAN_INFO_MASTER: u16 = 1;
const RTM_DELNEIGH: u16 = 29;
/// `NLM_F_BULK`, which is for messages that remove.
const NLM_F_BULK: u16 = 0x200;
/// `VETH_INFO_PEER`, `VXCAN_INFO_PEER`, `IFLA_NETKIT_PEER_INFO`.
const INFO_PEER: u16 = 1;
const IFLA_BOND_MODE: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_MACVLAN_FLAGS: u16 = 2;

/// Whether a message of this type can change which links there are, what they
/// are called, how they are set, or which addresses they have.
#[inline(always)]
pub fn is_change_of_links(message_type: u16) -> bool {
    matches!(
        message_type,
        RTM_NEWLINK | RTM_DELLINK | RTM_SETLINK | RTM_NEWNEIGH | RTM_NEWLINKPROP | RTM_DELLINKPROP
    )
}

/// Where the walk is, and what it has found in the message at hand.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    level: u32,
    cursor: u32,
    end: u32,
    /// The netlink family: whether link requests are looked into.
    protocol: u32,
    /// Where each level ends.
    ends: [u32; LEVELS],
    /// Where the walk goes on after each level.
    nexts: [u32; LEVELS],
    /// Whether an earlier message of the datagram may have changed which
    /// device has which name, or which flags: a later "keep" of it is not
    /// believed. 0 or 1.
    pub unstable: u32,
    /// `nlmsg_type` of the message at hand.
    pub message_type: u16,
    /// The first byte of its payload: mostly the address family; of generic netlink,
    /// the command.
    pub family: u8,
    /// Explicit padding, always zero.
    reserved: u8,
    /// The index of the device that it is about, where its type has one behind the
    /// family; else 0.
    pub index: u32,
    /// Explicit padding, always zero.
    reserved_word: u32,
    /// The message at hand.
    pub link: LinkRequest,
}

impl Walk {
    /// A walk over a datagram of `len` bytes, sent to this netlink family.
    #[inline(always)]
    pub fn begin(&mut self, protocol: u16, len: u32) {
        *self = Self {
            end: len,
            protocol: u32::from(protocol),
            ..Self::default()
        };
    }

    /// Reads one header.
    #[inline(always)]
    pub fn step<B: Bytes + ?Sized>(&mut self, bytes: &B) -> Step {
        let stepped = if self.level == MESSAGE {
            self.step_message(bytes)
        } else {
            self.step_attribute(bytes)
        };
        stepped.unwrap_or(Step::Unreadable)
    }

    /// Whether no message follows that at hand.
    #[inline(always)]
    pub fn is_at_last(&self) -> bool {
        self.level == MESSAGE && self.end.saturating_sub(self.cursor) < NLMSG_HDRLEN
    }

    /// `netlink_rcv_skb`, `rtnetlink_rcv_msg`.
    #[inline(always)]
    fn step_message<B: Bytes + ?Sized>(&mut self, bytes: &B) -> Option<Step> {
        let start = self.cursor;
        let remaining = self.end.saturating_sub(start);
        if remaining < NLMSG_HDRLEN {
            return Some(Step::Done);
        }
        let header: u64 = bytes.read(start)?;
        let len = header as u32;
        let message_type = (header >> 32) as u16;
        let flags = (header >> 48) as u16;
        if len < NLMSG_HDRLEN || len > remaining {
            return Some(Step::Done);
        }
        self.cursor = start + aligned(len).min(remaining);
        if flags & NLM_F_REQUEST == 0 || message_type < NLMSG_MIN_TYPE {
            return Some(Step::More);
        }
        self.message_type = message_type;
        self.family = 0;
        let generic = self.protocol == u32::from(NETLINK_GENERIC);
        if (generic || depends_on_family(message_type)) && len > NLMSG_HDRLEN {
            self.family = bytes.read(start + NLMSG_HDRLEN)?;
        }
        if self.protocol != u32::from(NETLINK_ROUTE) {
            return Some(Step::Message);
        }
        self.index = 0;
        // In bulk, NDA_IFINDEX names the port (`br_fdb_delete_bulk`).
        let in_bulk = message_type == RTM_DELNEIGH && flags & NLM_F_BULK != 0;
        if has_index(message_type) && !in_bulk && len >= NLMSG_HDRLEN + 8 {
            self.index = bytes.read(start + NLMSG_HDRLEN + 4)?;
        }
        match message_type {
            RTM_NEWLINK | RTM_SETLINK => self.begin_link(bytes, start, len, message_type, flags),
            RTM_NEWNEIGH => self.take_neighbour(bytes, start, len),
            RTM_DELLINK => self.begin_deletion(bytes, start, len),
            RTM_NEWLINKPROP | RTM_DELLINKPROP => {
                self.unstable |= UNSETTLED_LINKS;
                Some(Step::Message)
            }
            _ => Some(Step::Message),
        }
    }

    #[inline(always)]
    fn begin_link<B: Bytes + ?Sized>(
        &mut self,
        bytes: &B,
        start: u32,
        len: u32,
        message_type: u16,
        flags: u16,
    ) -> Option<Step> {
        if len < NLMSG_HDRLEN + IFINFOMSG_LEN {
            // nlmsg_parse_deprecated: -EINVAL.
            return Some(Step::More);
        }
        let ifinfomsg: [u32; 4] = bytes.read(start + NLMSG_HDRLEN)?;
        self.link = LinkRequest {
            message_type: u32::from(message_type),
            message_flags: u32::from(flags),
            index: ifinfomsg[1],
            ..LinkRequest::default()
        };
        if message_type == RTM_SETLINK && ifinfomsg[0] & 0xff == AF_BRIDGE {
            // rtnl_bridge_setlink reads neither the flags nor IFLA_MASTER.
            self.link.of_bridge = 1;
        } else {
            self.link.flags = ifinfomsg[2];
            self.link.change = ifinfomsg[3];
        }
        self.descend(ATTRIBUTE, start + NLMSG_HDRLEN + IFINFOMSG_LEN, start + len);
        Some(Step::More)
    }

    /// `rtnl_dellink`; a bridge's (`rtnl_bridge_dellink`) takes vlans from a port.
    #[inline(always)]
    fn begin_deletion<B: Bytes + ?Sized>(
        &mut self,
        bytes: &B,
        start: u32,
        len: u32,
    ) -> Option<Step> {
        if len < NLMSG_HDRLEN + IFINFOMSG_LEN {
            return Some(Step::Message);
        }
        let ifinfomsg: u64 = bytes.read(start + NLMSG_HDRLEN)?;
        if ifinfomsg as u32 & 0xff == AF_BRIDGE {
            return Some(Step::Message);
        }
        self.link = LinkRequest {
            message_type: u32::from(RTM_DELLINK),
            index: (ifinfomsg >> 32) as u32,
            ..LinkRequest::default()
        };
        self.descend(ATTRIBUTE, start + NLMSG_HDRLEN + IFINFOMSG_LEN, start + len);
        Some(Step::More)
    }

    /// `rtnl_fdb_add`: an entry of a bridge's, or an address of the device's.
    #[inline(always)]
    fn take_neighbour<B: Bytes + ?Sized>(
        &mut self,
        bytes: &B,
        start: u32,
        len: u32,
    ) -> Option<Step> {
        if len < NLMSG_HDRLEN + NDMSG_LEN {
            return Some(Step::Message);
        }
        let family: u8 = bytes.read(start + NLMSG_HDRLEN)?;
        if u32::from(family) != AF_BRIDGE {
            return Some(Step::Message);
        }
        let index: u32 = bytes.read(start + NLMSG_HDRLEN + 4)?;
        let flags: u8 = bytes.read(start + NLMSG_HDRLEN + 10)?;
        self.link = LinkRequest {
            message_type: u32::from(RTM_NEWNEIGH),
            index,
            neighbour_flags: flags,
            ..LinkRequest::default()
        };
        Some(Step::Link)
    }

    /// `nla_parse`: of two attributes of one type, the last counts; what
    /// follows a malformed header is not read.
    #[inline(always)]
    fn step_attribute<B: Bytes + ?Sized>(&mut self, bytes: &B) -> Option<Step> {
        let remaining = self.ends[place(self.level)].saturating_sub(self.cursor);
        if remaining < NLA_HDRLEN {
            return Some(self.ascend());
        }
        let header: u32 = bytes.read(self.cursor)?;
        let len = header & 0xffff;
        if len < NLA_HDRLEN || len > remaining {
            return Some(self.ascend());
        }
        let attribute = Attribute {
            kind: (header >> 16) as u16 & NLA_TYPE_MASK,
            payload: self.cursor + NLA_HDRLEN,
            len: len - NLA_HDRLEN,
        };
        self.cursor += aligned(len);
        match self.level {
            ATTRIBUTE => self.take_link(bytes, attribute),
            LINKINFO => self.take_linkinfo(bytes, attribute),
            INFO_DATA => self.take_data(bytes, attribute),
            PROTINFO | SLAVE_DATA => self.take_port(bytes, attribute),
            AF_SPEC => self.take_bridge(bytes, attribute),
            _ => self.take_peer(bytes, attribute),
        }?;
        Some(Step::More)
    }

    /// Goes into what lies from `start` to `end`, to go on here afterwards.
    #[inline(always)]
    fn descend(&mut self, level: u32, start: u32, end: u32) {
        self.nexts[place(level)] = self.cursor;
        self.ends[place(level)] = end;
        self.level = level;
        self.cursor = start;
    }

    #[inline(always)]
    fn descend_into(&mut self, level: u32, attribute: Attribute) {
        let end = attribute.payload + attribute.len;
        self.descend(level, attribute.payload, end);
    }

    #[inline(always)]
    fn ascend(&mut self) -> Step {
        self.cursor = self.nexts[place(self.level)];
        self.level = match self.level {
            PEER => INFO_DATA,
            INFO_DATA | SLAVE_DATA => LINKINFO,
            LINKINFO | PROTINFO | AF_SPEC => ATTRIBUTE,
            _ => MESSAGE,
        };
        if self.level == MESSAGE {
            Step::Link
        } else {
            Step::More
        }
    }

    #[inline(always)]
    fn take_link<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        let link = &mut self.link;
        link.note(attribute.kind);
        if link.of_bridge != 0 {
            match attribute.kind {
                IFLA_PROTINFO => self.descend_into(PROTINFO, attribute),
                IFLA_AF_SPEC => self.descend_into(AF_SPEC, attribute),
                _ => {}
            }
            return Some(());
        }
        if link.deletes() && !names_a_link(attribute.kind) {
            return Some(());
        }
        match attribute.kind {
            IFLA_ADDRESS => link.has_address = 1,
            IFLA_IFNAME => {
                link.has_name = 1;
                link.name = bytes.text(attribute.payload, attribute.len)?.terminated();
            }
            IFLA_ALT_IFNAME => link.has_alternative_name = 1,
            IFLA_LINK if attribute.len >= 4 => link.lower = bytes.read(attribute.payload)?,
            IFLA_MASTER if attribute.len >= 4 => {
                link.has_master = 1;
                link.master = bytes.read(attribute.payload)?;
            }
            IFLA_GROUP => link.has_group = 1,
            IFLA_NET_NS_PID | IFLA_NET_NS_FD | IFLA_TARGET_NETNSID | IFLA_LINK_NETNSID => {
                link.other_namespace = 1;
            }
            IFLA_LINKINFO => {
                link.kind = Text::EMPTY;
                link.has_port_data = 0;
                link.floods = 0;
                link.forget_data();
                self.descend_into(LINKINFO, attribute);
            }
            _ => {}
        }
        Some(())
    }

    #[inline(always)]
    fn take_linkinfo<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        match attribute.kind {
            IFLA_INFO_KIND => {
                self.link.kind = bytes.text(attribute.payload, attribute.len)?.terminated();
            }
            IFLA_INFO_DATA => {
                self.link.forget_data();
                self.link.has_data = 1;
                self.descend_into(INFO_DATA, attribute);
            }
            IFLA_INFO_SLAVE_DATA => {
                self.link.has_port_data = 1;
                self.descend_into(SLAVE_DATA, attribute);
            }
            _ => {}
        }
        Some(())
    }

    /// The attributes of a macvlan or macvtap, and the peer of a veth, a vxcan
    /// or a netkit. The kind may come later, so both are read for every kind.
    #[inline(always)]
    fn take_data<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        let link = &mut self.link;
        match attribute.kind {
            INFO_PEER if attribute.len >= IFINFOMSG_LEN => {
                let ifinfomsg: [u32; 4] = bytes.read(attribute.payload)?;
                link.forget_first();
                link.has_macvlan_mode = 1;
                link.macvlan_mode = ifinfomsg[0];
                link.bond_mode = ifinfomsg[0] as u8;
                link.peer_flags = ifinfomsg[2];
                link.peer_change = ifinfomsg[3];
                let start = attribute.payload + IFINFOMSG_LEN;
                self.descend(PEER, start, attribute.payload + attribute.len);
            }
            IFLA_BOND_MODE if (1..4).contains(&attribute.len) => {
                link.forget_first();
                link.bond_mode = bytes.read(attribute.payload)?;
            }
            IFLA_BR_VLAN_FILTERING if attribute.len >= 1 => {
                let filters: u8 = bytes.read(attribute.payload)?;
                link.ends_vlan_filtering |= u8::from(filters == 0);
            }
            IFLA_MACVLAN_MODE if attribute.len >= 4 => {
                link.forget_first();
                link.has_macvlan_mode = 1;
                link.macvlan_mode = bytes.read(attribute.payload)?;
                link.bond_mode = link.macvlan_mode as u8;
            }
            IFLA_MACVLAN_FLAGS if attribute.len >= 2 => {
                link.has_macvlan_flags = 1;
                link.macvlan_flags = u32::from(bytes.read::<u16>(attribute.payload)?);
            }
            _ => {}
        }
        Some(())
    }

    /// `br_setport`: which of the bridge's flags the port gets.
    #[inline(always)]
    fn take_port<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        let floods = matches!(
            attribute.kind,
            IFLA_BRPORT_LEARNING | IFLA_BRPORT_UNICAST_FLOOD
        );
        if floods && attribute.len >= 1 {
            let on: u8 = bytes.read(attribute.payload)?;
            self.link.floods |= u8::from(on != 0);
        }
        Some(())
    }

    /// `br_afspec`: what sets the bridge (`__vlan_add`), or any of its ports (MRP and
    /// CFM have their own indices), is about another device than the message's.
    #[inline(always)]
    fn take_bridge<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        let own = match attribute.kind {
            IFLA_BRIDGE_VLAN_INFO if attribute.len >= 2 => {
                bytes.read::<u16>(attribute.payload)? & BRIDGE_VLAN_INFO_MASTER == 0
            }
            kind => kind < IFLA_BRIDGE_MRP || kind == IFLA_BRIDGE_MST,
        };
        if !own {
            self.index = 0;
        }
        Some(())
    }

    /// `rtnl_nla_parse_ifinfomsg`.
    #[inline(always)]
    fn take_peer<B: Bytes + ?Sized>(&mut self, bytes: &B, attribute: Attribute) -> Option<()> {
        if matches!(
            attribute.kind,
            IFLA_NET_NS_PID | IFLA_NET_NS_FD | IFLA_TARGET_NETNSID
        ) {
            self.link.note(attribute.kind);
        }
        if attribute.kind == IFLA_IFNAME {
            self.link.has_peer_name = 1;
            self.link.peer_name = bytes.text(attribute.payload, attribute.len)?.terminated();
        }
        Some(())
    }
}

/// What `rtnl_dellink` reads, all of which says which link is meant.
#[inline(always)]
fn names_a_link(kind: u16) -> bool {
    matches!(
        kind,
        IFLA_IFNAME | IFLA_ALT_IFNAME | IFLA_GROUP | IFLA_TARGET_NETNSID
    )
}

#[derive(Clone, Copy)]
struct Attribute {
    kind: u16,
    payload: u32,
    len: u32,
}

/// `NLMSG_ALIGN` and `NLA_ALIGN`.
#[inline(always)]
fn aligned(len: u32) -> u32 {
    len.saturating_add(3) & !3
}
