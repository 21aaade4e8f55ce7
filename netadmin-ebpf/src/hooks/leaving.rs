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
        ioctl::SIOCSIFVLAN => Some(Via::SetIfVlan),
        ioctl::SIOCBRDELBR | ioctl::SIOCGIFBR | ioctl::SIOCSIFBR => Some(Via::BridgeDel),
        ioctl::SIOCDELTUNNEL => Some(Via::DelTunnel),
        _ => None,
    }
}

/// Whether the ioctl on this file (argument 0) is refused, whatever port it is about.
#[inline(always)]
pub fn refuses(ctx: &LsmContext, via: Via) -> bool {
    let Some(file) = Address::argument(ctx, 0) else {
        return links::refuses_unjudged(via);
    };
    match is_socket(file) {
        Some(false) => return false,
        Some(true) => {}
        None => return links::refuses_unjudged(via),
    }
    let Some(net) = net_of(file) else {
        return links::refuses_unjudged(via);
    };
    match via {
        // br_del_if: the bridge may take the address of another port.
        Via::BridgeDelIf => {
            namespace::has_fixed_above_bridge(net)
                && Question::on_device(PromiscuousUnicastFilter, via).is_refused()
        }
        _ => refuses_removal(net, via),
    }
}

/// Whether removing some device of this network namespace is refused
/// (`unregister_netdevice_many`): some port there would be missed.
#[inline(always)]
pub fn refuses_removal(net: Address, via: Via) -> bool {
    namespace::has_missed_port(net) && Question::on_device(PromiscuousStacked, via).is_refused()
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
