//! The devices right above and right below one: `adj_list`.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::bpf_loop;
use netadmin_common::{
    bits::{nonzero, not, opaque},
    device::{
        ABOVE_FIXED, ABOVE_LISTENED, ABOVE_MISSED, ABOVE_OPENED, IFF_PROMISC, IFF_UNICAST_FLT,
        IFF_UP, kind,
    },
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
    let ipvlan = kind.is(&kind::IPVLAN) | kind.is(&kind::IPVTAP);
    let listened = ipvlan as u32 & is_promiscuous_for_others(upper)?;
    let bits = listened * ABOVE_LISTENED;
    let burden = burden(upper)?;
    if burden != 0 {
        return Some(bits | burden | ABOVE_OPENED | ABOVE_FIXED);
    }
    if kind.is(&kind::VLAN) == 0 || netdev::follows_address(upper)? {
        return Some(bits);
    }
    let same = netdev::address(upper)? == netdev::address(above.device)?;
    Some(bits | ABOVE_FIXED | if same { 0 } else { ABOVE_OPENED })
}

/// [`netadmin_common::Device::is_promiscuous_for_others`], as a number.
#[inline(always)]
fn is_promiscuous_for_others(device: Address) -> Option<u32> {
    let flags: u32 = device.read(&layout::NET_DEVICE_FLAGS)?;
    let asked_for: u16 = device.read(&layout::NET_DEVICE_GFLAGS)?;
    Some(is_promiscuous(flags & !u32::from(asked_for)))
}

/// Whether `IFF_PROMISC` is among the flags, as a number.
#[inline(always)]
fn is_promiscuous(flags: u32) -> u32 {
    (flags / IFF_PROMISC) & 1
}

/// [`burden`]: others lie above the device.
const BEARS: u32 = ABOVE_OPENED;

/// What lies above a device, to which its addresses matter (those of a vrf's port do
/// not): [`BEARS`], and [`ABOVE_MISSED`] if it is the port of a bridge that lies below
/// others, or of a bond that does, or has something to hand to another port.
#[inline(always)]
fn burden(device: Address) -> Option<u32> {
    let head = device.at(&layout::NET_DEVICE_UPPER);
    let node = Address::from_field(head.load()?);
    if node == head {
        return Some(0);
    }
    // Its master, if it has one, comes first (__netdev_adjacent_dev_insert).
    let adjacent = node.container(&layout::NETDEV_ADJACENT_LIST);
    let is_master = u64::from(adjacent.read::<u8>(&layout::NETDEV_ADJACENT_MASTER)?) & 1;
    let first = adjacent.follow(&layout::NETDEV_ADJACENT_DEV)?;
    let others = nonzero(node.load::<u64>()? ^ head.value());
    let kind = netdev::kind(first)?;
    let bond = kind.is(&kind::BOND);
    if is_master & (bond | kind.is(&kind::BRIDGE)) == 0 {
        let vrf = is_master & kind.is(&kind::VRF);
        return Some(not(vrf & not(others)) as u32 * BEARS);
    }
    let below_others = not(u64::from(netdev::is_empty(
        first.at(&layout::NET_DEVICE_UPPER),
    )?));
    let flags: u32 = first.read(&layout::NET_DEVICE_FLAGS)?;
    let addresses: u32 = first.read(&layout::NET_DEVICE_UC_COUNT)?;
    let hands_on = bond & (u64::from(is_promiscuous(flags)) | nonzero(u64::from(addresses)));
    Some(BEARS | ((below_others | hands_on) as u32 * ABOVE_MISSED))
}

/// Whether others lie above a device, to which its addresses matter.
#[inline(always)]
pub fn bears_others(device: Address) -> Option<bool> {
    Some(burden(device)? != 0)
}

/// Whether a device is the port of a master that would hand on what it has, or change
/// its address, if it left.
#[inline(always)]
pub fn is_missed(port: Address) -> Option<bool> {
    Some(burden(port)? & ABOVE_MISSED != 0)
}

/// Whether something lies above a device, besides its master.
#[inline(always)]
fn bears_more_than_master(device: Address) -> Option<bool> {
    let head = device.at(&layout::NET_DEVICE_UPPER);
    let node = Address::from_field(head.load()?);
    if node == head {
        return Some(false);
    }
    // Its master comes first.
    Some(
        !is_to_master(node.container(&layout::NETDEV_ADJACENT_LIST))? || {
            Address::from_field(node.load()?) != head
        },
    )
}

/// Whether a `netdev_adjacent` leads to a master.
#[inline(always)]
fn is_to_master(link: Address) -> Option<bool> {
    Some(link.read::<u8>(&layout::NETDEV_ADJACENT_MASTER)? != 0)
}

/// Whether something that goes along when a device is deleted (what lies above it, and
/// above that) is the port of a master that would mind. (Masters only let go.) Of what
/// lies three floors above it is taken for true.
#[inline(always)]
pub fn takes_along_missed(device: Address) -> bool {
    netdev_takes_along_missed(device.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_takes_along_missed(device: u64) -> u32 {
    Adjacent::above(Address::from_field(device)).any(stop_at_missed)
}

extern "C" fn stop_at_missed(_step: u32, uppers: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let uppers = unsafe { &mut *uppers };
    uppers.stop_if(|upper| {
        Some(is_missed(upper)? || netdev_takes_along_missed_second(upper.value()) != 0)
    })
}

/// The same when it moves to another network namespace: not all that lies above it goes.
#[inline(always)]
pub fn takes_along_missed_if_moved(device: Address) -> bool {
    netdev_takes_along_missed_if_moved(device.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_takes_along_missed_if_moved(device: u64) -> u32 {
    Adjacent::above(Address::from_field(device)).any(stop_at_missed_if_moved)
}

extern "C" fn stop_at_missed_if_moved(_step: u32, uppers: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let uppers = unsafe { &mut *uppers };
    uppers.stop_if(|upper| {
        Some(
            kind::goes_when_lower_moves(&netdev::kind(upper)?)
                && (is_missed(upper)? || netdev_takes_along_missed_second(upper.value()) != 0),
        )
    })
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_takes_along_missed_second(device: u64) -> u32 {
    Adjacent::above(Address::from_field(device)).any(stop_at_missed_second)
}

extern "C" fn stop_at_missed_second(_step: u32, uppers: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let uppers = unsafe { &mut *uppers };
    uppers.stop_if(|upper| Some(is_missed(upper)? || bears_more_than_master(upper)?))
}

/// Whether a device that goes together with its other end (a veth, a netkit) would be
/// missed there: as a port, or with what lies above it.
#[inline(always)]
pub fn other_end_is_missed(device: Address) -> bool {
    netdev_other_end_is_missed(device.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_other_end_is_missed(device: u64) -> u32 {
    let device = Address::from_field(device);
    u32::from(match other_end(device) {
        Some(Address::NULL) => false,
        Some(other) => is_missed(other).unwrap_or(true) || takes_along_missed(other),
        None => true,
    })
}

/// The other device of a pair, which its driver keeps first of what is its own
/// (`struct veth_priv`, `struct netkit`, `struct vxcan_priv`); NULL if that has gone.
/// `None` if what is kept there does not lead back.
#[inline(always)]
fn other_end(device: Address) -> Option<Address> {
    let other = device.follow(&layout::NET_DEVICE_PRIV)?;
    if other.is_null() {
        return Some(other);
    }
    (other.follow(&layout::NET_DEVICE_PRIV)? == device).then_some(other)
}

/// Whether something right above a device is the port of a master that would mind.
#[inline(always)]
pub fn bears_missed(device: Address) -> bool {
    let mut spent = 0;
    above(device, &mut spent).0 & ABOVE_MISSED != 0
}

/// A walk over what lies right above or right below a device, which ends with the first
/// that matters.
struct Adjacent {
    node: Address,
    head: Address,
    /// Whether the walk came to the end.
    none: u32,
}

impl Adjacent {
    #[inline(always)]
    fn ports_of(master: Address) -> Self {
        Self::listed(master.at(&layout::NET_DEVICE_LOWER))
    }

    #[inline(always)]
    fn above(device: Address) -> Self {
        Self::listed(device.at(&layout::NET_DEVICE_UPPER))
    }

    #[inline(always)]
    fn listed(head: Address) -> Self {
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

    /// A step to the next device that is no master: the walk stops if it matters.
    #[inline(always)]
    fn stop_if(&mut self, matters: impl FnOnce(Address) -> Option<bool>) -> i64 {
        let matters = self.advance_link().and_then(|link| {
            if is_to_master(link)? {
                return Some(false);
            }
            matters(link.follow(&layout::NETDEV_ADJACENT_DEV)?)
        });
        // (6.1's verifier wants to see that it is 0 or 1.)
        (opaque(u64::from(matters != Some(false))) & 1).cast_signed()
    }

    /// The next device; `None` at the end, and if it cannot be read.
    #[inline(always)]
    fn advance(&mut self) -> Option<Address> {
        self.advance_link()?.follow(&layout::NETDEV_ADJACENT_DEV)
    }

    /// The next `netdev_adjacent`, likewise.
    #[inline(always)]
    fn advance_link(&mut self) -> Option<Address> {
        self.node = Address::from_field(self.node.load()?);
        if self.node == self.head {
            self.none = 1;
            return None;
        }
        Some(self.node.container(&layout::NETDEV_ADJACENT_LIST))
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
    Adjacent::ports_of(Address::from_field(bridge)).any(stop_at_quiet)
}

extern "C" fn stop_at_quiet(_step: u32, ports: *mut Adjacent) -> i64 {
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
    Adjacent::ports_of(Address::from_field(vrf)).any(stop_at_restless)
}

extern "C" fn stop_at_restless(_step: u32, ports: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let port = unsafe { (*ports).advance() };
    match port.and_then(is_restless) {
        None | Some(true) => STOP,
        Some(false) => GO_ON,
    }
}

/// Whether some port of a bond or team would, if it got another address, make itself, or
/// what lies below it, promiscuous.
#[inline(always)]
pub fn ports_to_readdress(master: Address) -> bool {
    netdev_ports_to_readdress(master.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_ports_to_readdress(master: u64) -> u32 {
    Adjacent::ports_of(Address::from_field(master)).any(stop_at_readdressed)
}

extern "C" fn stop_at_readdressed(_step: u32, ports: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let port = unsafe { (*ports).advance() };
    match port.and_then(minds_address) {
        None | Some(true) => STOP,
        Some(false) => GO_ON,
    }
}

/// `vlan_dev_set_mac_address`, `macvlan_set_mac_address`; and `vlan_device_event` of
/// what lies above the port, besides its master. Of ports with ports not all is seen.
#[inline(always)]
fn minds_address(port: Address) -> Option<bool> {
    let kind = netdev::kind(port)?;
    if (kind.is(&kind::VLAN) | kind.is(&kind::MACVLAN) | kind.is(&kind::MACVTAP) != 0)
        && !filters(netdev::lower(port)?)?
    {
        return Some(true);
    }
    let head = port.at(&layout::NET_DEVICE_UPPER);
    let first = Address::from_field(head.load()?);
    let others_above = Address::from_field(first.load()?) != head;
    let has_ports = kind.is(&kind::BOND) | kind.is(&kind::TEAM) != 0;
    Some((others_above || has_ports) && !filters(port)?)
}

/// Whether some port of a bond or team filters no addresses.
#[inline(always)]
pub fn unfiltered_ports(master: Address) -> bool {
    netdev_unfiltered_ports(master.value()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_unfiltered_ports(master: u64) -> u32 {
    Adjacent::ports_of(Address::from_field(master)).any(stop_at_unfiltered)
}

extern "C" fn stop_at_unfiltered(_step: u32, ports: *mut Adjacent) -> i64 {
    // SAFETY: `any` passes valid ones.
    let port = unsafe { (*ports).advance() };
    match port.and_then(filters) {
        None | Some(false) => STOP,
        Some(true) => GO_ON,
    }
}

/// As `stacking.rs` of netadmin-common judges one that is opened.
#[inline(always)]
fn is_restless(port: Address) -> Option<bool> {
    let flags: u32 = port.read(&layout::NET_DEVICE_FLAGS)?;
    if flags & IFF_UP == 0 {
        return Some(false);
    }
    if is_promiscuous_for_others(port)? != 0 {
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
