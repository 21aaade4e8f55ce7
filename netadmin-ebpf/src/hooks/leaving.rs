//! Ioctls by which a port leaves its master: `SIOCBRDELIF`, and `SIOCSIFVLAN`, which
//! also removes vlans.
//!
//! No program sees the kernel's copy of their arguments: `br_ioctl_stub` and
//! `vlan_ioctl_handler` may lie in modules, and the capability question tells no
//! argument. So what is judged is the socket's network namespace: whether there is a
//! bridge, or a port, of which it would matter.

use aya_ebpf::programs::LsmContext;
use netadmin_common::{
    OperationKind::{PromiscuousStacked, PromiscuousUnicastFilter},
    Via,
};

use super::links;
use crate::{
    kernel::{Address, layout, namespace},
    report::Question,
};

/// linux/stat.h.
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

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
        // unregister_vlan_dev.
        _ => {
            namespace::has_vlan_that_is_missed(net)
                && Question::on_device(PromiscuousStacked, via).is_refused()
        }
    }
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
