//! The devices right above and right below one: `adj_list`.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::bpf_loop;
use netadmin_common::device::{
    ABOVE_FIXED, ABOVE_LISTENED, ABOVE_MISSED, ABOVE_OPENED, IFF_PROMISC, IFF_UNICAST_FLT, IFF_UP,
    kind,
};

use super::{
    Address, layout,
    netdev::{self, MAX_SEARCHED},
};

/// `BR_MAX_PORTS` (net/bridge/br_private.h).
const MAX_PORTS: u32 = 1024;

/// What is taken for true if it cannot be told.
const ABOVE_UNKNOWN: u32 = ABOVE_OPENED | ABOVE_FIXED | ABOVE_MISSED | ABOVE_LISTENED;

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

/// The `ABOVE_*` bits of what lies right above a device, and its master, or NULL.
/// `spent` counts the nodes looked at.
#[inline(always)]
pub fn above(device: Address, spent: &mut u32) -> (u32, Address) {
    let mut master = 0;
    let bits = netdev_above(device.value(), &mut master, spent);
    (bits, Address::from_field(master))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_above(device: u64, master: *mut u64, spent: *mut u32) -> u32 {
    // SAFETY: the verifier checks that callers pass room for each.
    let (Some(master), Some(spent)) = (unsafe { (master.as_mut(), spent.as_mut()) }) else {
        return ABOVE_UNKNOWN;
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
        return ABOVE_UNKNOWN;
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
    let kind = netdev::kind(upper)?;
    let mut bits = if kind::is_ipvlan(&kind) && is_promiscuous_for_others(upper)? {
        ABOVE_LISTENED
    } else {
        0
    };
    if bears_others(upper)? {
        bits |= ABOVE_OPENED | ABOVE_FIXED;
        if is_missed(upper)? {
            bits |= ABOVE_MISSED;
        }
    } else if kind == kind::VLAN && !netdev::follows_address(upper)? {
        let same = netdev::address(upper)? == netdev::address(above.device)?;
        bits |= ABOVE_FIXED | if same { 0 } else { ABOVE_OPENED };
    }
    Some(bits)
}

/// [`netadmin_common::Device::is_promiscuous_for_others`].
#[inline(always)]
fn is_promiscuous_for_others(device: Address) -> Option<bool> {
    let flags: u32 = device.read(&layout::NET_DEVICE_FLAGS)?;
    let asked_for: u16 = device.read(&layout::NET_DEVICE_GFLAGS)?;
    Some(flags & !u32::from(asked_for) & IFF_PROMISC != 0)
}

/// The first device above another: its master, if it has one
/// (`__netdev_adjacent_dev_insert`).
struct First {
    device: Address,
    is_master: bool,
    is_only: bool,
}

#[inline(always)]
fn first_above(device: Address) -> Option<Option<First>> {
    let head = device.at(&layout::NET_DEVICE_UPPER);
    let node = Address::from_field(head.load()?);
    if node == head {
        return Some(None);
    }
    let adjacent = node.container(&layout::NETDEV_ADJACENT_LIST);
    let master: u8 = adjacent.read(&layout::NETDEV_ADJACENT_MASTER)?;
    Some(Some(First {
        device: adjacent.follow(&layout::NETDEV_ADJACENT_DEV)?,
        is_master: master != 0,
        is_only: Address::from_field(node.load()?) == head,
    }))
}

/// Whether others lie above a device, to which its addresses matter: a vrf's do not.
#[inline(always)]
pub fn bears_others(device: Address) -> Option<bool> {
    match first_above(device)? {
        Some(first) if first.is_only && first.is_master => {
            Some(netdev::kind(first.device)? != kind::VRF)
        }
        first => Some(first.is_some()),
    }
}

/// Whether a device is the port of a bond that has something to hand to another port,
/// or of a bridge or bond that lies below others.
#[inline(always)]
pub fn is_missed(port: Address) -> Option<bool> {
    let master = match first_above(port)? {
        Some(first) if first.is_master => first.device,
        _ => return Some(false),
    };
    let kind = netdev::kind(master)?;
    let bond = kind == kind::BOND;
    if !bond && kind != kind::BRIDGE {
        return Some(false);
    }
    if bears_others(master)? {
        return Some(true);
    }
    let flags: u32 = master.read(&layout::NET_DEVICE_FLAGS)?;
    let addresses: u32 = master.read(&layout::NET_DEVICE_UC_COUNT)?;
    Some(bond && (flags & IFF_PROMISC != 0 || addresses != 0))
}

/// A walk over the ports of a master, which ends with the first that matters.
struct Ports {
    node: Address,
    head: Address,
    /// Whether the walk came to the end.
    none: u32,
}

impl Ports {
    #[inline(always)]
    fn of(master: Address) -> Self {
        let head = master.at(&layout::NET_DEVICE_LOWER);
        Self {
            node: head,
            head,
            none: 0,
        }
    }

    /// Whether `step` stops at one; so if they cannot all be looked at.
    #[inline(always)]
    fn any(mut self, step: extern "C" fn(u32, *mut Self) -> i64) -> u32 {
        // SAFETY: `step` takes what is passed, which outlives the loop.
        unsafe {
            let step = step as *mut c_void;
            bpf_loop(MAX_PORTS + 1, step, from_mut(&mut self).cast(), 0);
        }
        u32::from(self.none == 0)
    }

    /// The next port; `None` at the end, and if it cannot be read.
    #[inline(always)]
    fn advance(&mut self) -> Option<Address> {
        self.node = Address::from_field(self.node.load()?);
        if self.node == self.head {
            self.none = 1;
            return None;
        }
        let adjacent = self.node.container(&layout::NETDEV_ADJACENT_LIST);
        adjacent.follow(&layout::NETDEV_ADJACENT_DEV)
    }
}

/// Whether some port of a bridge is not promiscuous.
#[inline(always)]
pub fn quiet_ports(bridge: Address) -> bool {
    netdev_quiet_ports(bridge.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_quiet_ports(bridge: u64) -> u32 {
    Ports::of(Address::from_field(bridge)).any(stop_at_quiet)
}

extern "C" fn stop_at_quiet(_step: u32, ports: *mut Ports) -> i64 {
    // SAFETY: `any` passes valid ones.
    let port = unsafe { (*ports).advance() };
    match port.and_then(|port| port.read::<u32>(&layout::NET_DEVICE_PROMISCUITY)) {
        None | Some(0) => STOP,
        Some(_) => GO_ON,
    }
}

/// Whether closing and opening some port of a vrf with the flags that it shows
/// (`cycle_netdev`) would make it, or what lies below it, promiscuous.
#[inline(always)]
pub fn restless_ports(vrf: Address) -> bool {
    netdev_restless_ports(vrf.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_restless_ports(vrf: u64) -> u32 {
    Ports::of(Address::from_field(vrf)).any(stop_at_restless)
}

extern "C" fn stop_at_restless(_step: u32, ports: *mut Ports) -> i64 {
    // SAFETY: `any` passes valid ones.
    let port = unsafe { (*ports).advance() };
    match port.and_then(is_restless) {
        None | Some(true) => STOP,
        Some(false) => GO_ON,
    }
}

/// As `stacking.rs` of netadmin-common judges one that is opened.
#[inline(always)]
fn is_restless(port: Address) -> Option<bool> {
    let flags: u32 = port.read(&layout::NET_DEVICE_FLAGS)?;
    if flags & IFF_UP == 0 {
        return Some(false);
    }
    if is_promiscuous_for_others(port)? {
        return Some(true);
    }
    let kind = netdev::kind(port)?;
    let adds = kind::adds_address(&kind) || kind == kind::VLAN && !netdev::follows_address(port)?;
    if adds {
        return Some(!filters(netdev::lower(port)?)?);
    }
    let more: u32 = port.read(&layout::NET_DEVICE_UC_COUNT)?;
    let first = Address::from_field(port.at(&layout::NET_DEVICE_UPPER).load()?);
    let second = Address::from_field(first.load()?);
    let others_above = second != port.at(&layout::NET_DEVICE_UPPER);
    Some((more != 0 || others_above) && !filters(port)?)
}

/// [`netadmin_common::Device::filters_unicast`].
#[inline(always)]
fn filters(device: Address) -> Option<bool> {
    let flags: u32 = device.read(&layout::NET_DEVICE_PRIV_FLAGS)?;
    let lowest = netdev::is_empty(device.at(&layout::NET_DEVICE_LOWER))?;
    Some(flags & IFF_UNICAST_FLT != 0 && lowest)
}
