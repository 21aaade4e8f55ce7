//! rtnetlink, as the kernel reads it.
//!
//! [`Walk`] goes through a datagram header by header, the way
//! `netlink_rcv_skb`, `nlmsg_parse_deprecated` and `nla_parse` do, and yields a
//! [`LinkRequest`] for each message that creates or changes a link. It is one
//! state machine rather than nested loops, so that the kernel's verifier can
//! check one step and `bpf_loop` can repeat it.

mod classify;
mod families;
mod link;
pub mod pieces;
mod stacking;
mod walk;

pub use classify::{
    Class, NETLINK_GENERIC, NETLINK_USERSOCK, classify, depends_on_family, is_walked,
};
pub use families::{
    FAMILY_RAISES, FAMILY_REMOVES, OVS_CMD_NEW, family, family_entry, removes_devices,
};
pub use link::{
    LinkRequest, LinkView, MAX_OPERATIONS, Operations, UNSETTLED_FLAGS, UNSETTLED_LINKS,
    UNSETTLED_OPEN, direct_effects, effects, excepted, excepted_by, judge, takes_excepted_name,
};
pub use stacking::{
    address_operation, bond_operation, change_of, created_operation, lower_operation,
    port_operation,
};
pub use walk::{Bytes, MAX_STEPS, Plain, Step, Walk, is_change_of_links};

/// `NETLINK_ROUTE` (linux/netlink.h).
pub const NETLINK_ROUTE: u16 = 0;

/// `RTM_NEWLINK` (linux/rtnetlink.h).
pub const RTM_NEWLINK: u16 = 16;
/// `RTM_DELLINK`.
pub const RTM_DELLINK: u16 = 17;
/// `RTM_SETLINK`.
pub const RTM_SETLINK: u16 = 19;
/// `RTM_NEWNEIGH`: for `PF_BRIDGE`, adds an entry to a bridge, or an address to
/// a device.
pub const RTM_NEWNEIGH: u16 = 28;
/// `RTM_NEWLINKPROP`: adds alternative names.
pub const RTM_NEWLINKPROP: u16 = 108;
/// `RTM_DELLINKPROP`: removes alternative names.
pub const RTM_DELLINKPROP: u16 = 109;

/// `NLM_F_REQUEST` (linux/netlink.h).
pub const NLM_F_REQUEST: u16 = 0x1;
/// `NLM_F_REPLACE`.
pub const NLM_F_REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`.
pub const NLM_F_EXCL: u16 = 0x200;
/// `NLM_F_CREATE`.
pub const NLM_F_CREATE: u16 = 0x400;
/// `sizeof(struct nlmsghdr)`, in bytes.
pub const NLMSG_HDRLEN: u32 = 16;
/// `sizeof(struct ifinfomsg)`, in bytes.
pub const IFINFOMSG_LEN: u32 = 16;
/// `sizeof(struct ndmsg)`, in bytes.
pub const NDMSG_LEN: u32 = 12;
