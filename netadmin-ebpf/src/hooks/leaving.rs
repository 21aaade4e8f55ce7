//! Ioctls by which a port leaves its master, or goes altogether: `SIOCBRDELIF`,
//! `SIOCSIFVLAN`, which also removes vlans, `SIOCBRDELBR`, `SIOCDELTUNNEL`; and
//! messages of generic netlink that do.
//!
//! No program sees the kernel's copy of their arguments: `br_ioctl_stub`,
//! `vlan_ioctl_handler` and others may lie in modules, and the capability question tells
//! no argument. So what is judged is the socket's network namespace: whether there is a
//! bridge, or a port, of which it would matter.

use aya_ebpf::programs::LsmContext;
use netadmin_common::{
    OperationKind::{PromiscuousStacked, PromiscuousUnicastFilter},
    Via,
    call::{CALL_BEGUN, CALL_MISSED, CALL_REFUSED},
};

use super::{ioctl, links};
use crate::{
    kernel::{Address, layout, namespace},
    report::Question,
};

/// linux/stat.h.
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// How a port may leave by this ioctl, if it may. (`SIOCDELTUNNEL` has the number of
/// `BOND_SETHWADDR_OLD`; `BRCTL_DEL_BRIDGE` comes by two.)
#[inline(always)]
pub fn way(command: u32) -> Option<Via> {
    match command {
        ioctl::SIOCBRDELIF => Some(Via::BridgeDelIf),
        ioctl::SIOCGIFVLAN | ioctl::SIOCSIFVLAN => Some(Via::SetIfVlan),
        ioctl::SIOCBRDELBR | ioctl::SIOCGIFBR | ioctl::SIOCSIFBR => Some(Via::BridgeDel),
        ioctl::SIOCDELTUNNEL => Some(Via::DelTunnel),
        _ => None,
    }
}

/// The state in which the ioctl on this file (argument 0) begins.
#[inline(always)]
pub fn begin(ctx: &LsmContext, command: u32) -> u32 {
    let Some(via) = way(command) else {
        return CALL_BEGUN;
    };
    let refused = match is_missed(ctx, via) {
        Some(false) => false,
        // (dev_ioctl begins that one anew.)
        Some(true) if matches!(via, Via::DelTunnel) => is_refused(via),
        Some(true) => return CALL_MISSED,
        None => links::refuses_unjudged(via),
    };
    if refused { CALL_REFUSED } else { CALL_BEGUN }
}

/// Whether, whatever port it is about, it might be missed.
#[inline(always)]
fn is_missed(ctx: &LsmContext, via: Via) -> Option<bool> {
    let file = Address::argument(ctx, 0)?;
    if !is_socket(file)? {
        return Some(false);
    }
    let net = net_of(file)?;
    Some(match via {
        // br_del_if: the bridge may take the address of another port.
        Via::BridgeDelIf => namespace::has_fixed_above_bridge(net),
        _ => namespace::has_missed_port(net),
    })
}

/// Whether that is refused.
#[inline(always)]
pub fn is_refused(via: Via) -> bool {
    netadmin_leaving(via as u32) != 0
}

/// (Global for a stack of its own: 6.1 counts that of a chain of calls.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_leaving(via: u32) -> u32 {
    let kind = if via == Via::BridgeDelIf as u32 {
        PromiscuousUnicastFilter
    } else {
        PromiscuousStacked
    };
    u32::from(Question::packed(kind as u32, via, false).is_refused())
}

/// Whether removing some device of this network namespace is refused
/// (`unregister_netdevice_many`): some port there would be missed.
#[inline(always)]
pub fn refuses_removal(net: Address, via: Via) -> bool {
    namespace::has_missed_port(net) && is_refused(via)
}

#[inline(always)]
fn is_socket(file: Address) -> Option<bool> {
    let mode: u16 = file
        .follow(&layout::FILE_INODE)?
        .read(&layout::INODE_MODE)?;
    Some(mode & S_IFMT == S_IFSOCK)
}

/// `sock_ioctl`.
#[inline(always)]
fn net_of(file: Address) -> Option<Address> {
    file.follow(&layout::FILE_PRIVATE_DATA)?
        .follow(&layout::SOCKET_SK)?
        .follow(&layout::SOCK_NET)
}
