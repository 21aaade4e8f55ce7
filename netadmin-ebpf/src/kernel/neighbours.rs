//! The devices right above and right below one: `adj_list`.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::bpf_loop;
use netadmin_common::device::{ABOVE_FIXED, ABOVE_OPENED, kind};

use super::{
    Address, layout,
    netdev::{self, MAX_SEARCHED},
};

/// `BR_MAX_PORTS` (net/bridge/br_private.h).
const MAX_PORTS: u32 = 1024;

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// A walk over what lies above a device.
struct Above {
    node: Address,
    head: Address,
    /// The device, to compare addresses with.
    device: Address,
    /// Its master; NULL if it has none.
    master: Address,
    bits: u32,
    ended: u32,
    steps: u32,
}

/// The `ABOVE_*` bits of what lies right above a device, and its master. `spent`
/// counts the nodes looked at.
#[inline(always)]
pub fn above(device: Address, spent: &mut u32) -> (u32, Option<Address>) {
    let mut master = 0;
    let bits = netdev_above(device.value(), &mut master, spent);
    let master = Address::from_field(master);
    (bits, (!master.is_null()).then_some(master))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_above(device: u64, master: *mut u64, spent: *mut u32) -> u32 {
    // SAFETY: the verifier checks that callers pass room for each.
    let (Some(master), Some(spent)) = (unsafe { (master.as_mut(), spent.as_mut()) }) else {
        return ABOVE_OPENED | ABOVE_FIXED;
    };
    let device = Address::from_field(device);
    let head = device.at(&layout::NET_DEVICE_UPPER);
    let mut above = Above {
        node: head,
        head,
        device,
        master: Address::from_field(0),
        bits: 0,
        ended: 0,
        steps: 0,
    };
    // SAFETY: `look_above` takes what `above` points to, which outlives the loop.
    unsafe {
        bpf_loop(
            MAX_SEARCHED.saturating_sub(*spent),
            look_above as *mut c_void,
            from_mut(&mut above).cast(),
            0,
        );
    }
    *master = above.master.value();
    *spent = spent.saturating_add(above.steps);
    if above.ended == 0 {
        return ABOVE_OPENED | ABOVE_FIXED;
    }
    above.bits
}

extern "C" fn look_above(step: u32, above: *mut Above) -> i64 {
    // SAFETY: `netdev_above` passes a valid one.
    let above = unsafe { &mut *above };
    above.steps = step;
    let Some(next) = above.node.load() else {
        return STOP;
    };
    above.node = Address::from_field(next);
    if above.node == above.head {
        above.ended = 1;
        return STOP;
    }
    match upper_bits(above) {
        Some(bits) => {
            above.bits |= bits;
            GO_ON
        }
        None => STOP,
    }
}

/// `vlan_device_event`: what the device at hand does to the one below. One that
/// has others above it does what they do.
#[inline(always)]
fn upper_bits(above: &mut Above) -> Option<u32> {
    let adjacent = above.node.container(&layout::NETDEV_ADJACENT_LIST);
    let upper = adjacent.follow(&layout::NETDEV_ADJACENT_DEV)?;
    let master: u8 = adjacent.read(&layout::NETDEV_ADJACENT_MASTER)?;
    if master != 0 {
        above.master = upper;
        return Some(0);
    }
    if !netdev::is_empty(upper.at(&layout::NET_DEVICE_UPPER))? {
        return Some(ABOVE_OPENED | ABOVE_FIXED);
    }
    if netdev::kind(upper)? != kind::VLAN || netdev::follows_address(upper)? {
        return Some(0);
    }
    let same = netdev::address(upper)? == netdev::address(above.device)?;
    Some(ABOVE_FIXED | if same { 0 } else { ABOVE_OPENED })
}

/// A walk over the ports of a bridge.
struct Ports {
    node: Address,
    head: Address,
    all_promiscuous: u32,
}

/// Whether some port of a bridge is not promiscuous.
#[inline(always)]
pub fn quiet_ports(bridge: Address) -> bool {
    netdev_quiet_ports(bridge.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_quiet_ports(bridge: u64) -> u32 {
    let head = Address::from_field(bridge).at(&layout::NET_DEVICE_LOWER);
    let mut ports = Ports {
        node: head,
        head,
        all_promiscuous: 0,
    };
    // SAFETY: `look_at_port` takes what `ports` points to, which outlives the loop.
    unsafe {
        bpf_loop(
            MAX_PORTS + 1,
            look_at_port as *mut c_void,
            from_mut(&mut ports).cast(),
            0,
        );
    }
    u32::from(ports.all_promiscuous == 0)
}

extern "C" fn look_at_port(_step: u32, ports: *mut Ports) -> i64 {
    // SAFETY: `netdev_quiet_ports` passes valid ones.
    let ports = unsafe { &mut *ports };
    let Some(next) = ports.node.load() else {
        return STOP;
    };
    ports.node = Address::from_field(next);
    if ports.node == ports.head {
        ports.all_promiscuous = 1;
        return STOP;
    }
    match promiscuity(ports.node) {
        None | Some(0) => STOP,
        Some(_) => GO_ON,
    }
}

#[inline(always)]
fn promiscuity(node: Address) -> Option<u32> {
    let adjacent = node.container(&layout::NETDEV_ADJACENT_LIST);
    let port = adjacent.follow(&layout::NETDEV_ADJACENT_DEV)?;
    port.read(&layout::NET_DEVICE_PROMISCUITY)
}
