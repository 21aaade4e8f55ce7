//! The birth and death of cgroups.
//!
//! `cgroup_mkdir` fires before a task can enter the new cgroup, so what is
//! written here holds from its first instruction. It fires under a spinlock.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use netadmin_common::{EventKind, EventRecord, GuardRecord, LAYOUT_VERSION, Origin};

use crate::{
    guard,
    kernel::{Address, cgroup},
    maps::{CGROUP_EVENTS, GUARDS},
};

/// Tracepoint `cgroup_mkdir(cgrp, path)`: the new cgroup gets its creator's
/// policy; else its parent's, until the agent has matched its path.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let group = Address::of::<u8>(ctx.arg(0));
    if cgroup::is_v2(group) != Some(true) {
        return 0;
    }
    let Some(id) = cgroup::id(group) else {
        return 0;
    };
    let parent = cgroup::parent_id(group).and_then(guard::of_cgroup);
    // The programs that run for a cgroup's sockets are its parents'.
    let flags = parent.map_or(0, |record| record.flags);
    let inherited = match guard::current() {
        Some(creator) => Some((creator.index, Origin::Creator)),
        None => parent.map(|record| (record.policy, inherited_origin(record))),
    };
    let mut failure = 0;
    if let Some((policy, origin)) = inherited {
        let record = GuardRecord {
            policy,
            origin: origin as u32,
            flags,
            reserved: 0,
        };
        if let Err(error) = GUARDS.insert(id, record, 0) {
            failure = error.unsigned_abs();
        }
    }
    tell(EventKind::CgroupMade, id, failure);
    0
}

/// A child of what a guarded task made is of the same making, whoever makes it.
#[inline(always)]
fn inherited_origin(parent: &GuardRecord) -> Origin {
    if parent.origin == Origin::Creator as u32 {
        Origin::Creator
    } else {
        Origin::Ancestor
    }
}

/// Tracepoint `cgroup_rmdir(cgrp, path)`.
#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    let group = Address::of::<u8>(ctx.arg(0));
    if cgroup::is_v2(group) != Some(true) {
        return 0;
    }
    if let Some(id) = cgroup::id(group) {
        let _unguarded = GUARDS.remove(id);
        tell(EventKind::CgroupGone, id, 0);
    }
    0
}

/// Tells the agent; if the buffer is full, the record is lost and the agent
/// finds out by the count.
#[inline(always)]
fn tell(kind: EventKind, id: u64, failure: u32) {
    let Some(mut entry) = CGROUP_EVENTS.reserve::<EventRecord>(0) else {
        return;
    };
    entry.write(EventRecord {
        layout: LAYOUT_VERSION,
        kind: kind as u16,
        // SAFETY: the helper has no preconditions.
        time: unsafe { bpf_ktime_get_boot_ns() },
        cgroup: id,
        errno: failure,
        ..EventRecord::default()
    });
    entry.submit(0);
}
