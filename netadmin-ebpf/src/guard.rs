//! Which policy the current task is under.

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use netadmin_common::{
    GuardRecord, PolicyRecord,
    guard::{BANKS, NO_POLICY},
};

use crate::maps::{BANK, GUARDS, POLICIES};

/// A guarded task's policy. A decision looks it up once and takes it along, so
/// that it holds to one policy while another comes into force.
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
    let (cgroup, record) = record_of_current();
    under(cgroup, policy_in_force(record?))
}

/// The guard of a task in `cgroup` under the policy with this index.
#[inline(always)]
pub fn under(cgroup: u64, index: u32) -> Option<Guard> {
    let policy = POLICIES.get(index)?;
    Some(Guard {
        cgroup,
        index,
        policy,
    })
}

/// The index of the policy that the current task is under, or [`NO_POLICY`].
#[inline(always)]
pub fn index_of_current() -> u32 {
    record_of_current().1.map_or(NO_POLICY, policy_in_force)
}

/// The current task's cgroup, and what guards it.
#[inline(always)]
pub fn record_of_current() -> (u64, Option<&'static GuardRecord>) {
    // SAFETY: the helper has no preconditions.
    let cgroup = unsafe { bpf_get_current_cgroup_id() };
    (cgroup, of_cgroup(cgroup))
}

/// What guards a cgroup.
#[inline(always)]
pub fn of_cgroup(cgroup: u64) -> Option<&'static GuardRecord> {
    // SAFETY: an entry that is removed meanwhile stays readable until the
    // program ends (the map is freed after a grace period).
    unsafe { GUARDS.get(cgroup) }
}

/// One word decides for the whole node which bank is in force.
#[inline(always)]
fn policy_in_force(record: &GuardRecord) -> u32 {
    let bank = BANK.get(0).map_or(0, |bank| *bank as usize);
    record.policies[bank & (BANKS - 1)]
}
