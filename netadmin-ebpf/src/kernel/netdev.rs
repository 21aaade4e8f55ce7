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
/// Longest hash chain that is searched: some 256 000 devices in a namespace.
const MAX_CHAIN: u32 = 1024;
/// Most devices that a search by name looks at.
const MAX_DEVICES: u32 = 1 << 16;

/// A search for a device, one node a step.
struct Search {
    node: Address,
    head: Address,
    found: Address,
    index: u32,
    name: Text,
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// The device with this index in the network namespace `net`
/// (`__dev_get_by_index`).
#[inline(always)]
pub fn by_index(net: Address, index: u32) -> Option<Address> {
    let found = Address::from_field(netdev_by_index(net.value(), index));
    (!found.is_null()).then_some(found)
}

/// The device of this name in the network namespace `net`. (By walking the
/// list: the hash of `dev_name_hash` is the kernel's own.)
#[inline(always)]
pub fn by_name(net: Address, name: &Text) -> Option<Address> {
    let [first, second] = name.words();
    let found = Address::from_field(netdev_by_name(net.value(), first, second));
    (!found.is_null()).then_some(found)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_by_index(net: u64, index: u32) -> u64 {
    let bucket = u64::from(index & (NETDEV_HASHENTRIES - 1)) * 8;
    let heads = Address::from_field(net).follow(&layout::NET_DEV_INDEX_HEAD);
    let Some(node) = heads.and_then(|heads| heads.plus(bucket).load::<u64>()) else {
        return 0;
    };
    let mut search = Search {
        node: Address::from_field(node),
        head: Address::from_field(0),
        found: Address::from_field(0),
        index,
        name: Text::EMPTY,
    };
    run(MAX_CHAIN, try_index, &mut search);
    search.found.value()
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netdev_by_name(net: u64, first: u64, second: u64) -> u64 {
    let head = Address::from_field(net).at(&layout::NET_DEV_BASE_HEAD);
    let Some(node) = head.load::<u64>() else {
        return 0;
    };
    let mut search = Search {
        node: Address::from_field(node),
        head,
        found: Address::from_field(0),
        index: 0,
        name: Text::from_memory([first, second]),
    };
    run(MAX_DEVICES, try_name, &mut search);
    search.found.value()
}

#[inline(always)]
fn run(bound: u32, step: extern "C" fn(u32, *mut Search) -> i64, search: &mut Search) {
    // SAFETY: `step` takes what `search` points to, which outlives the loop.
    unsafe {
        bpf_loop(bound, step as *mut c_void, from_mut(search).cast(), 0);
    }
}

extern "C" fn try_index(_step: u32, search: *mut Search) -> i64 {
    // SAFETY: `run` passes a valid search.
    let search = unsafe { &mut *search };
    if search.node.is_null() {
        return STOP;
    }
    let device = search.node.container(&layout::NET_DEVICE_INDEX_HLIST);
    if device.read(&layout::NET_DEVICE_IFINDEX) == Some(search.index) {
        search.found = device;
        return STOP;
    }
    advance(search)
}

extern "C" fn try_name(_step: u32, search: *mut Search) -> i64 {
    // SAFETY: `run` passes a valid search.
    let search = unsafe { &mut *search };
    if search.node == search.head {
        return STOP;
    }
    let device = search.node.container(&layout::NET_DEVICE_LIST);
    if name(device) == Some(search.name) || has_alternative_name(device, &search.name) {
        search.found = device;
        return STOP;
    }
    advance(search)
}

/// Most alternative names of one device that are looked at. A device with more
/// is found by each of them, which at worst takes it for another.
const MAX_ALTERNATIVE_NAMES: u32 = 16;

/// `netdev_for_each_altname`: `__dev_get_by_name` finds those too.
#[inline(always)]
fn has_alternative_name(device: Address, name: &Text) -> bool {
    let Some(own) = device.follow(&layout::NET_DEVICE_NAME_NODE) else {
        return false;
    };
    let head = own.at(&layout::NETDEV_NAME_NODE_LIST);
    let mut node = head;
    for _ in 0..MAX_ALTERNATIVE_NAMES {
        let Some(next) = node.load() else {
            return false;
        };
        node = Address::from_field(next);
        if node == head {
            return false;
        }
        let text = node.container(&layout::NETDEV_NAME_NODE_LIST);
        let text = text.follow(&layout::NETDEV_NAME_NODE_NAME).and_then(string);
        if text == Some(*name) {
            return true;
        }
    }
    true
}

/// The first bytes of a string, at most 15.
#[inline(always)]
fn string(address: Address) -> Option<Text> {
    let mut words = [0u64; 2];
    // SAFETY: the helper checks the address, and writes at most the length.
    let len = unsafe {
        bpf_probe_read_kernel_str(words.as_mut_ptr().cast(), IFNAMSIZ as u32, address.as_ptr())
    };
    (len >= 0).then(|| Text::from_memory(words))
}

/// `next` is the first field of `hlist_node` and of `list_head`.
#[inline(always)]
fn advance(search: &mut Search) -> i64 {
    match search.node.load() {
        Some(next) => {
            search.node = Address::from_field(next);
            GO_ON
        }
        None => STOP,
    }
}

/// A device's name.
#[inline(always)]
pub fn name(device: Address) -> Option<Text> {
    let words = device.read(&layout::NET_DEVICE_NAME)?;
    Some(Text::from_memory(words).terminated())
}

/// A device's hardware address, as far as Ethernet's goes.
#[inline(always)]
pub fn address(device: Address) -> Option<u64> {
    let bytes: u64 = device.follow(&layout::NET_DEVICE_DEV_ADDR)?.load()?;
    Some(bytes & 0xffff_ffff_ffff)
}

/// Reads a device into `into`; what cannot be read counts as no device
/// (index 0).
#[inline(always)]
pub fn snapshot(device: Address, into: &mut Device) {
    netdev_snapshot(device.value(), into);
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
    let lower = device.at(&layout::NET_DEVICE_LOWER);
    into.stacked = u32::from(Address::from_field(lower.load()?) != lower);
    into.index = device.read(&layout::NET_DEVICE_IFINDEX)?;
    Some(())
}

#[inline(always)]
fn kind(device: Address) -> Option<Text> {
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
