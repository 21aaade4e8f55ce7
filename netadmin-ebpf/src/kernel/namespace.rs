//! A look at all devices of a network namespace: for calls of which no program sees
//! which device they are about.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::bpf_loop;
use netadmin_common::{bits::opaque, device::kind};

use super::{
    Address, layout, neighbours,
    netdev::{self, MAX_SEARCHED},
};

const STOP: i64 = 1;

/// A walk over the devices (`dev_base_head`), which ends with the first that matters.
struct Devices {
    node: Address,
    head: Address,
    /// Whether the walk came to the end.
    none: u32,
}

impl Devices {
    /// Whether `step` stops at one; so if they cannot all be looked at.
    #[inline(always)]
    fn any(net: u64, step: extern "C" fn(u32, *mut Self) -> i64) -> u32 {
        let head = Address::from_field(net).at(&layout::NET_DEV_BASE_HEAD);
        let mut devices = Self {
            node: head,
            head,
            none: 0,
        };
        // SAFETY: `step` takes what is passed, which outlives the loop.
        unsafe {
            let step = step as *mut c_void;
            bpf_loop(MAX_SEARCHED, step, from_mut(&mut devices).cast(), 0);
        }
        u32::from(devices.none == 0)
    }

    #[inline(always)]
    fn look(&mut self, matters: impl FnOnce(Address) -> Option<bool>) -> i64 {
        let Some(next) = self.node.load() else {
            return STOP;
        };
        self.node = Address::from_field(next);
        if self.node == self.head {
            self.none = 1;
            return STOP;
        }
        let goes_on = matters(self.node.container(&layout::NET_DEVICE_LIST)) == Some(false);
        // (6.1's verifier wants to see that it is 0 or 1.)
        (opaque(u64::from(!goes_on)) & 1).cast_signed()
    }
}

/// Whether above some bridge of the network namespace lies what keeps its address
/// when the bridge takes another ([`netadmin_common::device::ABOVE_FIXED`]).
#[inline(always)]
pub fn has_fixed_above_bridge(net: Address) -> bool {
    netdev_fixed_above_bridge(net.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_fixed_above_bridge(net: u64) -> u32 {
    Devices::any(net, stop_at_fixed)
}

extern "C" fn stop_at_fixed(_step: u32, devices: *mut Devices) -> i64 {
    // SAFETY: `any` passes valid ones.
    let devices = unsafe { &mut *devices };
    devices.look(|upper| {
        let Some(lower) = netdev::lower(upper) else {
            return Some(false);
        };
        if netdev::kind(lower)? != kind::BRIDGE {
            return Some(false);
        }
        let vlan = netdev::kind(upper)? == kind::VLAN;
        Some(neighbours::bears_others(upper)? || vlan && !netdev::follows_address(upper)?)
    })
}

/// Whether some device of the network namespace is the port of a master that would hand
/// on what it has, or change its address, if it left; or something above one is, which
/// may lie in another namespace.
#[inline(always)]
pub fn has_missed_port(net: Address) -> bool {
    netdev_missed_port(net.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_missed_port(net: u64) -> u32 {
    Devices::any(net, stop_at_missed)
}

extern "C" fn stop_at_missed(_step: u32, devices: *mut Devices) -> i64 {
    // SAFETY: `any` passes valid ones.
    let devices = unsafe { &mut *devices };
    devices.look(|device| Some(neighbours::is_missed(device)? || neighbours::bears_missed(device)))
}
