//! Network devices: found as `__dev_get_by_index` and `__dev_get_by_name` find
//! them, and read into a [`Device`].
//!
//! The `extern "C"` functions are global for the verifier: it checks each of
//! them once, for any arguments, and not again for each call.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel_str};
use netadmin_common::{Device, Text, device::IFNAMSIZ};

use super::{Address, layout};

/// `NETDEV_HASHENTRIES` (include/linux/netdevice.h).
const NETDEV_HASHENTRIES: u32 = 256;
/// Most nodes that the searches of one call look at, all together: a namespace
/// of so many devices, or a datagram of many names among fewer. They run with
/// preemption disabled.
pub const MAX_SEARCHED: u32 = 1 << 18;

/// What a search for a device came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// It is there.
    Found(Address),
    /// There is none.
    Absent,
    /// The search gave up before the end.
    Unknown,
}

impl Sought {
    const ABSENT: u64 = 0;
    const UNKNOWN: u64 = 1;

    #[inline(always)]
    fn from_number(number: u64) -> Self {
        match number {
            Self::ABSENT => Self::Absent,
            Self::UNKNOWN => Self::Unknown,
            address => Self::Found(Address::from_field(address)),
        }
    }

    /// The device, if it is there for certain.
    #[inline(always)]
    pub fn found(self) -> Option<Address> {
        match self {
            Self::Found(device) => Some(device),
            _ => None,
        }
    }
}

/// `NET_ADDR_STOLEN` (uapi/linux/netdevice.h).
const NET_ADDR_STOLEN: u8 = 2;

/// A search for a device, one node a step.
struct Search {
    node: Address,
    head: Address,
    index: u32,
    steps: u32,
    name: Text,
    /// What it comes to, as [`Sought`] in numbers.
    result: u64,
    /// Whether some device has more alternative names than are looked at.
    ambiguous: u32,
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// The device with this index in the network namespace `net`
/// (`__dev_get_by_index`). `spent` counts the nodes looked at.
#[inline(always)]
pub fn by_index(net: Address, index: u32, spent: &mut u32) -> Sought {
    Sought::from_number(netdev_by_index(net.value(), index, spent))
}

/// The device of this name, its own or an alternative one, in the network
/// namespace `net` (`__dev_get_by_name`). By walking the list: the hash of
/// `dev_name_hash` is the kernel's own.
#[inline(always)]
pub fn by_name(net: Address, name: &Text, spent: &mut u32) -> Sought {
    let [first, second] = name.words();
    Sought::from_number(netdev_by_name(net.value(), first, second, spent))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_by_index(net: u64, index: u32, spent: *mut u32) -> u64 {
    let bucket = u64::from(index & (NETDEV_HASHENTRIES - 1)) * 8;
    let heads = Address::from_field(net).follow(&layout::NET_DEV_INDEX_HEAD);
    let Some(node) = heads.and_then(|heads| heads.plus(bucket).load::<u64>()) else {
        return Sought::UNKNOWN;
    };
    // The chain ends with NULL.
    let search = Search {
        index,
        ..Search::new(node, Address::from_field(0))
    };
    search.run(try_index, spent)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_by_name(net: u64, first: u64, second: u64, spent: *mut u32) -> u64 {
    let head = Address::from_field(net).at(&layout::NET_DEV_BASE_HEAD);
    let Some(node) = head.load::<u64>() else {
        return Sought::UNKNOWN;
    };
    let search = Search {
        name: Text::from_memory([first, second]),
        ..Search::new(node, head)
    };
    search.run(try_name, spent)
}

impl Search {
    #[inline(always)]
    fn new(node: u64, head: Address) -> Self {
        Self {
            node: Address::from_field(node),
            head,
            index: 0,
            steps: 0,
            name: Text::EMPTY,
            // Until it has come to an end.
            result: Sought::UNKNOWN,
            ambiguous: 0,
        }
    }

    #[inline(always)]
    fn run(mut self, step: extern "C" fn(u32, *mut Self) -> i64, spent: *mut u32) -> u64 {
        // SAFETY: the verifier checks that callers pass a whole number.
        let Some(spent) = (unsafe { spent.as_mut() }) else {
            return Sought::UNKNOWN;
        };
        let left = MAX_SEARCHED.saturating_sub(*spent);
        // SAFETY: `step` takes what is passed, which outlives the loop.
        unsafe {
            bpf_loop(left, step as *mut c_void, from_mut(&mut self).cast(), 0);
        }
        *spent = spent.saturating_add(self.steps);
        self.result
    }

    /// Ends the search without a device.
    #[inline(always)]
    fn end(&mut self) -> i64 {
        self.result = if self.ambiguous == 0 {
            Sought::ABSENT
        } else {
            Sought::UNKNOWN
        };
        STOP
    }

    #[inline(always)]
    fn end_with(&mut self, device: Address) -> i64 {
        self.result = device.value();
        STOP
    }

    /// `next` is the first field of `hlist_node` and of `list_head`.
    #[inline(always)]
    fn advance(&mut self) -> i64 {
        match self.node.load() {
            Some(next) => {
                self.node = Address::from_field(next);
                GO_ON
            }
            None => STOP,
        }
    }
}

extern "C" fn try_index(step: u32, search: *mut Search) -> i64 {
    // SAFETY: `run` passes a valid search.
    let search = unsafe { &mut *search };
    search.steps = step;
    if search.node == search.head {
        return search.end();
    }
    let device = search.node.container(&layout::NET_DEVICE_INDEX_HLIST);
    if device.read(&layout::NET_DEVICE_IFINDEX) == Some(search.index) {
        return search.end_with(device);
    }
    search.advance()
}

/// (No two devices of a namespace share a name, alternative ones included:
/// `netdev_name_in_use`.)
extern "C" fn try_name(step: u32, search: *mut Search) -> i64 {
    // SAFETY: `run` passes a valid search.
    let search = unsafe { &mut *search };
    search.steps = step;
    if search.node == search.head {
        return search.end();
    }
    let device = search.node.container(&layout::NET_DEVICE_LIST);
    if name(device) == Some(search.name) {
        return search.end_with(device);
    }
    match has_alternative_name(device, &search.name) {
        Some(true) => search.end_with(device),
        Some(false) => search.advance(),
        None => {
            search.ambiguous = 1;
            search.advance()
        }
    }
}

/// Most alternative names of one device that are looked at.
const MAX_ALTERNATIVE_NAMES: u32 = 16;

/// `netdev_for_each_altname`: `__dev_get_by_name` finds those too. `None` if
/// there are more than are looked at, or if they cannot be read.
#[inline(always)]
fn has_alternative_name(device: Address, name: &Text) -> Option<bool> {
    let own = device.follow(&layout::NET_DEVICE_NAME_NODE)?;
    let head = own.at(&layout::NETDEV_NAME_NODE_LIST);
    let mut node = head;
    for _ in 0..=MAX_ALTERNATIVE_NAMES {
        node = Address::from_field(node.load()?);
        if node == head {
            return Some(false);
        }
        let text = node.container(&layout::NETDEV_NAME_NODE_LIST);
        if is_name(text.follow(&layout::NETDEV_NAME_NODE_NAME)?, name)? {
            return Some(true);
        }
    }
    None
}

/// Whether the string at `address` is `name`; it may be longer than that can be.
#[inline(always)]
fn is_name(address: Address, name: &Text) -> Option<bool> {
    const LONGER: usize = IFNAMSIZ + 1;
    let mut words = [0u64; LONGER.div_ceil(8)];
    // SAFETY: the helper checks the address, and writes at most the length.
    let len = unsafe {
        bpf_probe_read_kernel_str(words.as_mut_ptr().cast(), LONGER as u32, address.as_ptr())
    };
    let short = (0..LONGER as i64).contains(&len);
    (len >= 0).then_some(short && Text::from_memory([words[0], words[1]]) == *name)
}

/// The first bytes of a string, at most 15.
#[inline(always)]
pub fn string(address: Address) -> Option<Text> {
    let mut words = [0u64; 2];
    // SAFETY: the helper checks the address, and writes at most the length.
    let len = unsafe {
        bpf_probe_read_kernel_str(words.as_mut_ptr().cast(), IFNAMSIZ as u32, address.as_ptr())
    };
    (len >= 0).then(|| Text::from_memory(words))
}

/// A device's name.
#[inline(always)]
pub fn name(device: Address) -> Option<Text> {
    let words = device.read(&layout::NET_DEVICE_NAME)?;
    Some(Text::from_memory(words).terminated())
}

/// A device's index.
#[inline(always)]
pub fn index(device: Address) -> Option<u32> {
    device.read(&layout::NET_DEVICE_IFINDEX)
}

/// A device's hardware address, as far as Ethernet's goes.
#[inline(always)]
pub fn address(device: Address) -> Option<u64> {
    let bytes: u64 = device.follow(&layout::NET_DEVICE_DEV_ADDR)?.load()?;
    Some(bytes & 0xffff_ffff_ffff)
}

/// Reads a device into `into`. False if it cannot be read: then it is left as no
/// device (index 0).
#[inline(always)]
pub fn snapshot(device: Address, into: &mut Device) -> bool {
    netdev_snapshot(device.value(), into) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_snapshot(device: u64, into: *mut Device) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole device.
    let Some(into) = (unsafe { into.as_mut() }) else {
        return 0;
    };
    into.index = 0;
    into.inherits_address = 0;
    into.above = 0;
    u32::from(fill(Address::from_field(device), into).is_some())
}

#[inline(always)]
fn fill(device: Address, into: &mut Device) -> Option<()> {
    into.flags = device.read(&layout::NET_DEVICE_FLAGS)?;
    // `gflags` is an unsigned short.
    into.gflags = u32::from(device.read::<u16>(&layout::NET_DEVICE_GFLAGS)?);
    into.priv_flags = device.read(&layout::NET_DEVICE_PRIV_FLAGS)?;
    into.name = name(device)?;
    into.kind = kind(device)?;
    into.stacked = u32::from(!is_empty(device.at(&layout::NET_DEVICE_LOWER))?);
    let addresses: u32 = device.read(&layout::NET_DEVICE_UC_COUNT)?;
    into.has_addresses = u32::from(addresses != 0);
    let promiscuous: u8 = device.read(&layout::NET_DEVICE_UC_PROMISC)?;
    into.promiscuous_for_addresses = u32::from(promiscuous != 0);
    into.follows_address = u32::from(follows_address(device)?);
    into.index = device.read(&layout::NET_DEVICE_IFINDEX)?;
    Some(())
}

/// Whether a `list_head` has no entry.
#[inline(always)]
pub fn is_empty(head: Address) -> Option<bool> {
    Some(Address::from_field(head.load()?) == head)
}

/// Whether it takes over the address of the device below
/// (`vlan_dev_inherit_address`).
#[inline(always)]
pub fn follows_address(device: Address) -> Option<bool> {
    let assigned: u8 = device.read(&layout::NET_DEVICE_ADDR_ASSIGN_TYPE)?;
    Some(assigned == NET_ADDR_STOLEN)
}

#[inline(always)]
pub fn kind(device: Address) -> Option<Text> {
    let ops = device.follow(&layout::NET_DEVICE_RTNL_LINK_OPS)?;
    if ops.is_null() {
        return Some(Text::EMPTY);
    }
    string(ops.follow(&layout::RTNL_LINK_OPS_KIND)?)
}

/// The one device below `device`; `None` if there is none, or more than one.
#[inline(always)]
pub fn lower(device: Address) -> Option<Address> {
    let head = device.at(&layout::NET_DEVICE_LOWER);
    let first = Address::from_field(head.load()?);
    let second = Address::from_field(first.load()?);
    if first == head || second != head {
        return None;
    }
    first
        .container(&layout::NETDEV_ADJACENT_LIST)
        .follow(&layout::NETDEV_ADJACENT_DEV)
}
