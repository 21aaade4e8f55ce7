//! Which operation a netlink message is, by its family, its type and the first
//! byte of its payload.

use super::{NETLINK_ROUTE, RTM_DELLINK, RTM_NEWLINK, RTM_SETLINK};
use crate::catalogue::OperationKind;
use crate::catalogue::OperationKind as Op;

/// linux/netlink.h.
pub const NETLINK_USERSOCK: u16 = 2;
const NETLINK_SOCK_DIAG: u16 = 4;
const NETLINK_XFRM: u16 = 6;
const NETLINK_CONNECTOR: u16 = 11;
const NETLINK_NETFILTER: u16 = 12;
/// `NETLINK_GENERIC`: the message type is the id of a family.
pub const NETLINK_GENERIC: u16 = 16;
const NETLINK_RDMA: u16 = 20;
const NETLINK_CRYPTO: u16 = 21;

/// `AF_BRIDGE`: rtnetlink messages about a bridge's ports and entries.
const AF_BRIDGE: u8 = 7;
/// `AF_CAN`: what is a route elsewhere is a job of a gateway (net/can/gw.c).
const AF_CAN: u8 = 29;
/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`: what lies between them counts.
const NFNL_BATCH: core::ops::RangeInclusive<u16> = 0x10..=0x11;

/// When a message's operation is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It needs nothing, or its operation is told otherwise.
    Nothing,
    /// The kernel always asks for the capability: decided when it is sent.
    Sent(OperationKind),
    /// The kernel may ask for the capability: decided when it does.
    Asked(OperationKind),
    /// The attributes of a link say which.
    Link,
    /// The id of a generic netlink family says which.
    Family,
}

/// Whether the messages of this family are told apart. Of others the datagram
/// as a whole is one operation.
#[inline(always)]
pub fn is_walked(protocol: u16) -> bool {
    matches!(
        protocol,
        NETLINK_ROUTE | NETLINK_SOCK_DIAG | NETLINK_XFRM | NETLINK_NETFILTER | NETLINK_GENERIC
    )
}

/// Whether the address family tells operations of this rtnetlink type apart.
#[inline(always)]
pub fn depends_on_family(message_type: u16) -> bool {
    matches!(message_type, RTM_DELLINK | RTM_SETLINK | 24 | 25 | 28 | 29)
}

/// Whether messages of this rtnetlink type have the index of their device in the
/// second word of their fixed part: `ifaddrmsg`, `ndmsg`, `tcmsg`, `br_port_msg`,
/// and `ifinfomsg` of a bridge's port.
#[inline(always)]
pub fn has_index(message_type: u16) -> bool {
    matches!(
        message_type,
        RTM_DELLINK
            | RTM_SETLINK
            | 20
            | 21
            | 28
            | 29
            | 36
            | 37
            | 40
            | 41
            | 44
            | 45
            | 84
            | 85
            | 100
            | 101
    )
}

/// The operation of a message, or of a datagram of a family that is not walked.
#[inline(always)]
pub fn classify(protocol: u16, message_type: u16, family: u8) -> Class {
    match protocol {
        NETLINK_ROUTE => route(message_type, family),
        NETLINK_GENERIC => Class::Family,
        NETLINK_NETFILTER => netfilter(message_type),
        NETLINK_XFRM => Class::Sent(xfrm(message_type)),
        NETLINK_SOCK_DIAG if message_type == SOCK_DESTROY => Class::Sent(Op::SockDiagDestroy),
        NETLINK_SOCK_DIAG => Class::Asked(Op::ReadDetails),
        NETLINK_CONNECTOR => Class::Asked(Op::ConnectorUse),
        NETLINK_RDMA => Class::Asked(Op::RdmaUse),
        NETLINK_CRYPTO => Class::Asked(Op::CryptoUse),
        _ => Class::Asked(Op::Unclassified),
    }
}

/// linux/sock_diag.h.
const SOCK_DESTROY: u16 = 21;

/// `rtnetlink_rcv_msg`: of four types in a row the third is a question, for which the
/// capability is asked only to decide how much is shown (`bond_fill_info`,
/// `rtnl_get_net_ns_capable`); for all others it is asked first.
#[inline(always)]
fn route(message_type: u16, family: u8) -> Class {
    if message_type & 3 == 2 {
        return Class::Asked(Op::ReadDetails);
    }
    let bridge = family == AF_BRIDGE;
    Class::Sent(match message_type {
        RTM_NEWLINK => return Class::Link,
        RTM_SETLINK if !bridge => return Class::Link,
        RTM_SETLINK => Op::BridgePort,
        RTM_DELLINK if bridge => Op::BridgePort,
        RTM_DELLINK => Op::LinkDelete,
        20 => Op::AddrAdd,
        21 => Op::AddrDelete,
        24 | 25 if family == AF_CAN => Op::CanGateway,
        24 => Op::RouteAdd,
        25 => Op::RouteDelete,
        28 if bridge => Op::FdbAdd,
        28 => Op::NeighAdd,
        29 if bridge => Op::FdbDelete,
        29 => Op::NeighDelete,
        32 => Op::RuleAdd,
        33 => Op::RuleDelete,
        36 | 37 => Op::TcQdisc,
        40 | 41 => Op::TcClass,
        44 | 45 | 100 | 101 => Op::TcFilter,
        48 | 49 => Op::TcAction,
        67 => Op::NeighTable,
        72 | 73 => Op::AddrLabel,
        79 => Op::Dcb,
        84 => Op::MdbAdd,
        85 => Op::MdbDelete,
        88 | 89 => Op::NetnsId,
        95 => Op::StatsSet,
        104 => Op::NexthopAdd,
        105 => Op::NexthopDelete,
        108 | 109 => Op::LinkAltname,
        112 | 113 => Op::BridgeVlan,
        120 | 121 => Op::VxlanVni,
        _ => Op::RtnetlinkOther,
    })
}

/// `nfnetlink_rcv` asks for every message, questions too.
#[inline(always)]
fn netfilter(message_type: u16) -> Class {
    if NFNL_BATCH.contains(&message_type) {
        return Class::Nothing;
    }
    let command = message_type & 0xff;
    let reads = |commands: u64| command < 64 && commands & (1 << command) != 0;
    Class::Sent(match message_type >> 8 {
        // GET, GET_STATS_CPU, GET_STATS, GET_DYING, GET_UNCONFIRMED.
        1 if reads(0b1111_0010) => Op::ConntrackRead,
        // GET, GET_STATS_CPU.
        2 if reads(0b1010) => Op::ConntrackRead,
        1 | 2 => Op::ConntrackWrite,
        3 => Op::Nfqueue,
        4 => Op::Nflog,
        5 | 7 => Op::NetfilterOther,
        // PROTOCOL, LIST, SAVE, TEST, HEADER, TYPE, GET_BYNAME, GET_BYINDEX.
        6 if reads(0b1111_1001_1000_0010) => Op::IpsetRead,
        6 => Op::IpsetWrite,
        8 | 9 => Op::ConntrackPolicy,
        // GETTABLE, GETCHAIN, GETRULE, GETSET, GETSETELEM, GETGEN, GETOBJ,
        // GETFLOWTABLE; not those that reset.
        10 if reads(1 << 1 | 1 << 4 | 1 << 7 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 19 | 1 << 23) => {
            Op::NftablesRead
        }
        10 => Op::NftablesWrite,
        // nft_compat answers only which extensions there are; so does hook.
        11 | 12 => Op::NftablesRead,
        _ => Op::Unclassified,
    })
}

/// `xfrm_user_rcv_msg` asks for every message, questions too.
#[inline(always)]
fn xfrm(message_type: u16) -> OperationKind {
    match message_type {
        // GETSA, GETPOLICY, GETAE, GETSADINFO, GETSPDINFO, GETDEFAULT.
        18 | 21 | 31 | 35 | 37 | 40 => Op::XfrmRead,
        // NEWPOLICY, DELPOLICY, UPDPOLICY, POLEXPIRE, FLUSHPOLICY, NEWSPDINFO,
        // SETDEFAULT.
        19 | 20 | 25 | 27 | 29 | 36 | 39 => Op::XfrmPolicy,
        // Of policies, and of the states that they use (xfrm_migrate).
        33 => Op::XfrmMigrate,
        _ => Op::XfrmState,
    }
}
