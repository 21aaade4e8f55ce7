//! The birth and death of cgroups.
//!
//! `cgroup_mkdir` fires before a task can enter the new cgroup, so what is
//! written here holds from its first instruction. It fires under a spinlock.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use netadmin_common::{
    EventKind, EventRecord, GuardRecord, LAYOUT_VERSION, Origin, guard::NO_POLICY,
};

use crate::{
    births, guard,
    kernel::{Address, cgroup},
    maps::{CGROUP_EVENTS, LOST},
    report, room,
};

/// Tracepoint `cgroup_mkdir(cgrp, path)`: the new cgroup gets its creator's
/// policy; else that which its path leads to; else its parent's. In both banks, so
/// that a reload meanwhile does not lose it.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let group = Address::of::<u8>(ctx.arg(0));
    if cgroup::is_v2(group) != Some(true) {
        return 0;
    }
    let Some(id) = cgroup::id(group) else {
        return 0;
    };
    let parent = cgroup::parent_id(group).and_then(guard::copy_of);
    let parent = parent.unwrap_or(GuardRecord::NONE);
    let creator = guard::copy_of_current().unwrap_or(GuardRecord::NONE);
    // A child of what a guarded task made is of the same making, whoever makes it.
    let made = creator.names_a_policy() || parent.origin == Origin::Creator as u32;
    let record = if made {
        inherited(&creator, &parent, Origin::Creator)
    } else if births::take_path(ctx.arg(1)) {
        let matched = GuardRecord {
            policies: [births::assigned_by_path(0), births::assigned_by_path(1)],
            ..GuardRecord::NONE
        };
        if matched.names_a_policy() {
            inherited(&matched, &parent, Origin::Matched)
        } else {
            inherited(&matched, &parent, Origin::Ancestor)
        }
    } else {
        inherited(&creator, &parent, Origin::Ancestor)
    };
    let mut failure = 0;
    if record.names_a_policy()
        && let Err(error) = room::enter(group, id, record)
    {
        failure = error.unsigned_abs();
    }
    tell(EventKind::CgroupMade, id, failure);
    0
}

/// What comes first, and the parent's where that names no policy. (Where it is not
/// decided yet for this epoch, that stands: the agent decides it.)
#[inline(always)]
fn inherited(first: &GuardRecord, parent: &GuardRecord, origin: Origin) -> GuardRecord {
    let choose = |bank: usize| {
        let (first, parent) = (first.policies[bank], parent.policies[bank]);
        let is_decided = first.epoch == 0 || first.epoch == parent.epoch;
        if first.policy == NO_POLICY && is_decided {
            parent
        } else {
            first
        }
    };
    GuardRecord {
        policies: [choose(0), choose(1)],
        origin: origin as u32,
        // The programs that run for a cgroup's sockets are its parents'.
        flags: parent.flags,
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
        room::leave(id);
        tell(EventKind::CgroupGone, id, 0);
    }
    0
}

/// Tells the agent; if the buffer is full, the record is lost, and the agent, which
/// finds out by the count, goes through the whole tree.
#[inline(always)]
fn tell(kind: EventKind, id: u64, failure: u32) {
    let Some(mut entry) = CGROUP_EVENTS.reserve::<EventRecord>(0) else {
        if let Some(lost) = LOST.get_ptr_mut(0) {
            // SAFETY: a live counter of a map.
            unsafe { report::add_one(lost) };
        }
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
