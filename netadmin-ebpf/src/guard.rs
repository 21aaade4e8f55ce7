//! Which policy the current task is under.

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use netadmin_common::{GuardRecord, PolicyRecord};

use crate::maps::{GUARDS, POLICIES};

/// A guarded task's policy.
#[derive(Clone, Copy)]
pub struct Guard {
    /// The id of the task's cgroup.
    pub cgroup: u64,
    /// Index of the policy.
    pub index: u32,
    /// The policy.
    pub policy: &'static PolicyRecord,
}

/// The current task's guard; `None` for an unguarded task.
#[inline(always)]
pub fn current() -> Option<Guard> {
    // SAFETY: the helper has no preconditions.
    let cgroup = unsafe { bpf_get_current_cgroup_id() };
    let record = of_cgroup(cgroup)?;
    let policy = POLICIES.get(record.policy)?;
    Some(Guard {
        cgroup,
        index: record.policy,
        policy,
    })
}

/// What guards a cgroup.
#[inline(always)]
pub fn of_cgroup(cgroup: u64) -> Option<&'static GuardRecord> {
    // SAFETY: an entry that is removed meanwhile stays readable until the
    // program ends (the map is freed after a grace period).
    unsafe { GUARDS.get(cgroup) }
}
