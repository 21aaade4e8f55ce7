//! The birth and death of cgroups.
//!
//! `cgroup_mkdir` fires before a task can enter the new cgroup, so what is
//! written here holds from its first instruction. It fires under a spinlock.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use netadmin_common::{
    EventKind, EventRecord, LAYOUT_VERSION, Origin,
    birth::{self, Known},
};

use crate::{
    births, guard,
    kernel::{Address, cgroup},
    maps::{CGROUP_EVENTS, LOST},
    report,
    room::{self, Failure},
    unentered,
};

/// Tracepoint `cgroup_mkdir(cgrp, path)`: the new cgroup gets its creator's
/// policy; else that which its path leads to; else its parent's. In both banks, so
/// that a reload meanwhile does not lose it. Where that cannot be told, or there is no room
/// for it, it gets no entry, and is under the nearest one above that has one; if there is
/// none, it is among the [`unentered`], until the agent decides.
#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let group = Address::of::<u8>(ctx.arg(0));
    if cgroup::is_v2(group) != Some(true) {
        return 0;
    }
    let Some(id) = cgroup::id(group) else {
        return 0;
    };
    let parent = cgroup::parent_id(group).map_or(Known::Nothing, guard::copy_of);
    let by_path = || {
        births::take_path(ctx.arg(1))
            .then(|| [births::assigned_by_path(0), births::assigned_by_path(1)])
    };
    let born = birth::born(guard::copy_of_current(), parent, by_path);
    let failure = match born {
        Some(record) if record.names_a_policy() => {
            let is_by_guarded = record.origin == Origin::Creator as u32;
            room::enter(group, id, record).err().map(|failure| Failure {
                errno: if is_by_guarded {
                    -EAGAIN
                } else {
                    failure.errno
                },
                ..failure
            })
        }
        Some(_) => None,
        None => Some(Failure {
            errno: -EAGAIN,
            number: unentered::note(group, id),
        }),
    };
    tell(EventKind::CgroupMade, id, failure);
    0
}

/// asm-generic/errno-base.h. Tells the agent not to go by the path: a guarded task may
/// have made it.
const EAGAIN: i32 = 11;

/// Tracepoint `cgroup_rmdir(cgrp, path)`.
#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    let group = Address::of::<u8>(ctx.arg(0));
    if cgroup::is_v2(group) != Some(true) {
        return 0;
    }
    if let Some(id) = cgroup::id(group) {
        room::leave(id);
        tell(EventKind::CgroupGone, id, None);
    }
    0
}

/// Tells the agent; if the buffer is full, the record is lost, and the agent, which
/// finds out by the count, goes through the whole tree.
#[inline(always)]
fn tell(kind: EventKind, id: u64, failure: Option<Failure>) {
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
        generation: report::generation(),
        errno: failure
            .as_ref()
            .map_or(0, |failure| failure.errno.unsigned_abs()),
        value: failure.map_or(0, |failure| failure.number.cast_signed()),
        ..EventRecord::default()
    });
    entry.submit(0);
}
