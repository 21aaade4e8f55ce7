//! Which policy the current task is under.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_loop,
};
use netadmin_common::{
    GuardRecord, PolicyRecord,
    guard::{BANKS, NO_POLICY},
};

use crate::{
    kernel::{Address, cgroup},
    maps::{BANK, GUARDS, POLICIES},
    watched,
};

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

/// The guard of the current task, which `record` guards.
#[inline(always)]
pub fn of_record(record: &GuardRecord) -> Option<Guard> {
    under(cgroup_of_current(), policy_in_force(record))
}

/// What guards the current task.
#[inline(always)]
pub fn record() -> Option<&'static GuardRecord> {
    record_of_current().1
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

/// The id of the current task's cgroup.
#[inline(always)]
pub fn cgroup_of_current() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_cgroup_id() }
}

/// The current task's cgroup, and what guards it.
#[inline(always)]
pub fn record_of_current() -> (u64, Option<&'static GuardRecord>) {
    let cgroup = cgroup_of_current();
    let record = of_cgroup(cgroup);
    if record.is_none() && watched::has_overflowed() {
        return (cgroup, of_cgroup(guarded_ancestor()));
    }
    (cgroup, record)
}

/// Most levels of the hierarchy that are looked at; deeper ones have ancestors
/// among them.
const MAX_LEVELS: u32 = 1024;

/// The id of the current task's nearest ancestor that is guarded by an entry of
/// its own; 0 if there is none. (Global for the verifier, which then checks it
/// once and not in every program.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn guarded_ancestor() -> u64 {
    let mut found = 0u64;
    // SAFETY: `try_ancestor` takes what is passed, which outlives the loop.
    unsafe {
        let step = try_ancestor as *mut c_void;
        bpf_loop(MAX_LEVELS, step, from_mut(&mut found).cast(), 0);
    }
    found
}

/// From the root down, so that the nearest is found last.
extern "C" fn try_ancestor(level: u32, found: *mut u64) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: the helper takes any level, and gives 0 below the task's own.
    let id = unsafe { bpf_get_current_ancestor_cgroup_id(level as i32) };
    if id == 0 {
        return STOP;
    }
    if of_cgroup(id).is_some() {
        // SAFETY: `guarded_ancestor` passes a valid number.
        unsafe { found.write(id) };
    }
    GO_ON
}

/// Whether the nearest guarded cgroup above a new one has the policies of `record`,
/// which the new one is then under without an entry. (One too deep for
/// [`guarded_ancestor`] is.)
#[inline(always)]
pub fn is_inherited(group: Address, record: &GuardRecord) -> bool {
    let mut climb = Climb { group, found: None };
    // SAFETY: `climb_up` takes what is passed, which outlives the loop.
    let steps = unsafe {
        let step = climb_up as *mut c_void;
        bpf_loop(MAX_LEVELS, step, from_mut(&mut climb).cast(), 0)
    };
    match climb.found {
        Some(policies) => policies == record.policies,
        None => steps == i64::from(MAX_LEVELS),
    }
}

struct Climb {
    group: Address,
    found: Option<[u32; BANKS]>,
}

extern "C" fn climb_up(_level: u32, climb: *mut Climb) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `is_inherited` passes a valid one, and nobody else has it meanwhile.
    let climb = unsafe { &mut *climb };
    let Some(parent) = cgroup::parent(climb.group) else {
        return STOP;
    };
    climb.group = parent;
    let record = cgroup::id(parent).and_then(of_cgroup);
    climb.found = record.map(|record| record.policies);
    if climb.found.is_some() { STOP } else { GO_ON }
}

/// What guards a cgroup.
#[inline(always)]
pub fn of_cgroup(cgroup: u64) -> Option<&'static GuardRecord> {
    // SAFETY: the memory stays a record of this map until the program ends; but of an
    // entry that is removed meanwhile it may be another's (`bpf_mem_alloc`).
    unsafe { GUARDS.get(cgroup) }
}

/// One word decides for the whole node which bank is in force.
#[inline(always)]
fn policy_in_force(record: &GuardRecord) -> u32 {
    let bank = BANK.get(0).map_or(0, |bank| *bank as usize);
    record.policies[bank & (BANKS - 1)]
}
