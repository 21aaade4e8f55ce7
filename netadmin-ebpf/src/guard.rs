//! Which policy the current task is under.

use core::{
    ffi::c_void,
    ptr::{self, addr_of, from_mut},
};

use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_loop,
};
use netadmin_common::{
    GuardEntry, GuardRecord, PolicyRecord,
    birth::Known,
    guard::{
        Assigned, BANKS, EPOCH, NO_POLICY, NO_POLICY_HERE, POLICY, assigned, bank_of,
        entered_place, flags, is_of,
    },
};

use crate::{
    kernel::{Address, cgroup},
    maps::{BANK, ENTERED, GUARDS, POLICIES},
    rewrites, unentered, watched,
};

/// A guarded task's policy. A decision looks it up once and takes it along, so
/// that it holds to one policy while another comes into force.
#[derive(Clone, Copy)]
pub struct Guard {
    /// The id of the task's cgroup.
    pub cgroup: u64,
    /// Index of the policy.
    pub index: u32,
    /// [`GuardRecord::flags`].
    pub flags: u32,
    /// The policy.
    pub policy: &'static PolicyRecord,
}

/// The current task's guard; `None` for an unguarded task.
#[inline(always)]
pub fn current() -> Option<Guard> {
    let cgroup = cgroup_of_current();
    guard_of(cgroup, entry_above(cgroup)?)
}

/// The guard of the current task, whose entry [`entry`] has found. It may be
/// another cgroup's by now, or an ancestor's.
#[inline(always)]
pub fn of_entry(entry: &GuardEntry) -> Option<Guard> {
    guard_of(cgroup_of_current(), entry)
}

#[inline(always)]
fn guard_of(cgroup: u64, entry: &GuardEntry) -> Option<Guard> {
    let word = word_of(cgroup, entry);
    // (No policy is none that there is.)
    let guard = under(cgroup, (word >> POLICY) as u32 & NO_POLICY_HERE as u32)?;
    Some(Guard {
        flags: flags(word),
        ..guard
    })
}

/// What is in force for the current task, whose cgroup it is.
#[inline(always)]
fn word_of(cgroup: u64, entry: &GuardEntry) -> u64 {
    let epoch = epoch();
    let word = word(entry, epoch as usize);
    // The rest of the word apart: one test for whose it is and for what epoch.
    if (word ^ epoch << EPOCH ^ (cgroup & u64::from(u32::MAX))) << (64 - POLICY) != 0 {
        return look_again();
    }
    word
}

/// The guard of a task in `cgroup` under the policy with this index.
#[inline(always)]
pub fn under(cgroup: u64, index: u32) -> Option<Guard> {
    let policy = POLICIES.get(index)?;
    Some(Guard {
        cgroup,
        index,
        flags: 0,
        policy,
    })
}

/// The index of the policy that the current task is under, or [`NO_POLICY`]. (Global, so
/// that it takes nothing of its caller's stack.)
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn index_of_current() -> u32 {
    let cgroup = cgroup_of_current();
    entry_above(cgroup).map_or(NO_POLICY, |entry| assigned(word_of(cgroup, entry)).policy)
}

/// The id of the current task's cgroup.
#[inline(always)]
pub fn cgroup_of_current() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_cgroup_id() }
}

/// Whether the current task is guarded, and the entry by which it is. It is read by
/// [`of_entry`].
#[inline(always)]
pub fn entry() -> Option<&'static GuardEntry> {
    entry_above(cgroup_of_current())
}

#[inline(always)]
fn entry_above(cgroup: u64) -> Option<&'static GuardEntry> {
    let entry = may_have_entry(cgroup).then(|| entry_of(cgroup)).flatten();
    if entry.is_none() && (rewrites::are_under_way() || watched::has_overflowed()) {
        return (guarded_ancestor() != 0).then_some(&ELSEWHERE);
    }
    entry
}

/// The entry of a task that has none, or whose entry was missed: no word of it is of any
/// cgroup or epoch, so [`look_again`] tells what is in force.
static ELSEWHERE: GuardEntry = GuardEntry {
    banks: [0; BANKS],
    cgroup: 0,
};

/// A copy of what guards the current task.
#[inline(always)]
pub fn copy_of_current() -> Known {
    match copy_of(cgroup_of_current()) {
        Known::Nothing if watched::has_overflowed() => match guarded_ancestor() {
            UNENTERED => Known::Unread,
            ancestor => copy_of(ancestor),
        },
        own => own,
    }
}

/// Most levels of the hierarchy that are looked at; deeper ones have ancestors
/// among them.
pub const MAX_LEVELS: u32 = 1024;

/// [`guarded_ancestor`]: there is none, but this cgroup may be guarded all the same.
const UNENTERED: u64 = u64::MAX;

/// The id of the current task's nearest ancestor that is guarded by an entry of
/// its own; 0 or [`UNENTERED`] if there is none. (Global for the verifier, which then checks it
/// once and not in every program.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn guarded_ancestor() -> u64 {
    let mut search = Search {
        cgroup: 0,
        found: 0,
    };
    search.run(try_ancestor, MAX_LEVELS);
    if search.found == 0 && unentered::may_hold(cgroup_of_current()) {
        return UNENTERED;
    }
    search.found
}

struct Search {
    cgroup: u64,
    found: u64,
}

impl Search {
    #[inline(always)]
    fn run(&mut self, step: extern "C" fn(u32, *mut Self) -> i64, steps: u32) {
        // SAFETY: the step takes what is passed, which outlives the loop.
        unsafe { bpf_loop(steps, step as *mut c_void, from_mut(self).cast(), 0) };
    }
}

/// Finds the id of the nearest guarded one of the current task's cgroup and those above
/// it, but for `cgroup`.
///
/// From the root down, so that the nearest is found last.
extern "C" fn try_ancestor(level: u32, search: *mut Search) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: the helper takes any level, and gives 0 below the task's own.
    let id = unsafe { bpf_get_current_ancestor_cgroup_id(level as i32) };
    if id == 0 {
        return STOP;
    }
    // SAFETY: `Search::run` passes a valid one, and nobody else has it meanwhile.
    let search = unsafe { &mut *search };
    if id != search.cgroup && surely(id).is_some() {
        search.found = id;
    }
    GO_ON
}

/// Whether a cgroup has an entry.
#[inline(always)]
pub fn has_entry(cgroup: u64) -> bool {
    surely(cgroup).is_some()
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
    found: Option<[Assigned; BANKS]>,
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
    let id = cgroup::id(parent);
    let copy = id.and_then(|id| Some((id, surely(id)?)));
    // One that is just being replaced has other policies: then the new one is entered.
    climb.found = copy.map(|(id, entry)| read(entry, id).unwrap_or(GuardRecord::NONE).policies);
    if climb.found.is_some() { STOP } else { GO_ON }
}

/// Whether a cgroup is worth a lookup, which costs some ten times as much.
#[inline(always)]
fn may_have_entry(cgroup: u64) -> bool {
    ENTERED
        .get(entered_place(cgroup))
        // SAFETY: a live byte of a map.
        .is_none_or(|entered| unsafe { ptr::from_ref(entered).read_volatile() } != 0)
}

/// The entry of a cgroup. While a program has it, it may become another cgroup's
/// (`bpf_mem_alloc`): only [`read`] and [`in_force`] tell what it says.
#[inline(always)]
fn entry_of(cgroup: u64) -> Option<&'static GuardEntry> {
    // SAFETY: the memory stays a record of this map until the program ends.
    unsafe { GUARDS.get(cgroup) }
}

/// The same, not missed while the agent writes it anew.
#[inline(always)]
fn surely(cgroup: u64) -> Option<&'static GuardEntry> {
    for _ in 0..rewrites::MISSES {
        let entry = entry_of(cgroup);
        if entry.is_some() || !rewrites::are_under_way() {
            return entry;
        }
    }
    None
}

/// How often an entry is looked up anew that was replaced before it was read. Each
/// time takes the agent a write of this very entry.
const TRIES: u32 = 1024;

/// A copy of what guards a cgroup.
#[inline(always)]
pub fn copy_of(cgroup: u64) -> Known {
    let mut words = [0; BANKS];
    match guard_copy(cgroup, &mut words) {
        COPIED => GuardEntry::record(cgroup, words).map_or(Known::Unread, Known::Guard),
        NOTHING => Known::Nothing,
        _ => Known::Unread,
    }
}

const UNREAD: u32 = 0;
const NOTHING: u32 = 1;
const COPIED: u32 = 2;

/// (Global, as [`guarded_ancestor`].)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn guard_copy(cgroup: u64, words: *mut [u64; BANKS]) -> u32 {
    // SAFETY: the verifier checks that callers pass room for them.
    let Some(words) = (unsafe { words.as_mut() }) else {
        return UNREAD;
    };
    let mut copying = Copying {
        cgroup,
        outcome: UNREAD,
        words: [0; BANKS],
    };
    // SAFETY: `try_copy` takes what is passed, which outlives the loop.
    unsafe {
        let step = try_copy as *mut c_void;
        bpf_loop(TRIES, step, from_mut(&mut copying).cast(), 0);
    }
    *words = copying.words;
    copying.outcome
}

struct Copying {
    cgroup: u64,
    outcome: u32,
    words: [u64; BANKS],
}

extern "C" fn try_copy(_step: u32, copying: *mut Copying) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `copy_of` passes a valid one, and nobody else has it meanwhile.
    let copying = unsafe { &mut *copying };
    let Some(entry) = surely(copying.cgroup) else {
        copying.outcome = NOTHING;
        return STOP;
    };
    copying.words = [word(entry, 0), word(entry, 1)];
    let is_of = |word: &u64| is_of(*word, copying.cgroup);
    if copying.words.iter().all(is_of) {
        copying.outcome = COPIED;
        return STOP;
    }
    GO_ON
}

/// What an entry says, unless it has become another's than this cgroup's.
#[inline(always)]
fn read(entry: &GuardEntry, cgroup: u64) -> Option<GuardRecord> {
    GuardEntry::record(cgroup, [word(entry, 0), word(entry, 1)])
}

/// What an entry says in the epoch in force, unless it has become another's.
#[inline(always)]
fn in_force(entry: &GuardEntry, cgroup: u64) -> Option<u64> {
    let epoch = epoch() as u16;
    let here = word(entry, bank_of(epoch));
    let word = if assigned(here).epoch == epoch {
        here
    } else {
        // Not decided yet: as in the epoch before.
        word(entry, (bank_of(epoch) + 1) % BANKS)
    };
    is_of(word, cgroup).then_some(word)
}

/// The epoch in force. One number decides for the whole node.
#[inline(always)]
fn epoch() -> u64 {
    BANK.get(0).map_or(0, |epoch| u64::from(*epoch))
}

#[inline(always)]
fn word(entry: &GuardEntry, bank: usize) -> u64 {
    // SAFETY: a live word of a map, which the kernel writes at once.
    unsafe { addr_of!(entry.banks[bank % BANKS]).read_volatile() }
}

/// The word of a cgroup that no policy applies to.
const NOBODYS: u64 = u64::MAX;

/// The same for the current task, if its cgroup's entry was replaced before it was read,
/// or if there is none: then its nearest guarded ancestor's, or that of the
/// [`unentered`]. (Global, as
/// [`guarded_ancestor`], and with as little on the stack as that.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn look_again() -> u64 {
    let mut search = Search {
        cgroup: cgroup_of_current(),
        found: NOBODYS,
    };
    search.run(try_entry, TRIES);
    if search.found == NOBODYS {
        search.found = 0;
        search.run(try_ancestor, MAX_LEVELS);
        search.cgroup = search.found;
        search.found = NOBODYS;
        search.run(try_entry, TRIES);
    }
    if search.found == NOBODYS && unentered::may_hold(cgroup_of_current()) {
        return u64::from(unentered::policy()) << POLICY;
    }
    search.found
}

/// Finds the word of `cgroup`.
extern "C" fn try_entry(_step: u32, search: *mut Search) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `Search::run` passes a valid one, and nobody else has it meanwhile.
    let search = unsafe { &mut *search };
    let Some(entry) = surely(search.cgroup) else {
        return STOP;
    };
    match in_force(entry, search.cgroup) {
        Some(word) => {
            search.found = word;
            STOP
        }
        None => GO_ON,
    }
}
