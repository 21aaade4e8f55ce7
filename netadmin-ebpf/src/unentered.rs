//! New cgroups that could not be entered, and that nothing above guards: see
//! [`netadmin_common::unentered`].

use core::{
    ffi::c_void,
    ptr::{addr_of, addr_of_mut, from_mut},
};

use aya_ebpf::{
    Global,
    helpers::generated::{bpf_get_current_ancestor_cgroup_id, bpf_loop},
};
use netadmin_common::unentered::{EVERYWHERE, Unentered};

use crate::{
    globals::Shared,
    guard,
    kernel::{Address, cgroup},
    watched,
};

#[unsafe(link_section = ".data.unentered")]
#[unsafe(no_mangle)]
static UNENTERED: Shared<Unentered> = Shared::new(Unentered {
    noted: 0,
    first: 0,
    scope: EVERYWHERE,
});

/// The agent's word: up to which number it has seen to them.
#[unsafe(link_section = ".data.settled")]
#[unsafe(no_mangle)]
static SETTLED: Shared<u64> = Shared::new(0);

/// The index of the policy that they are under; the agent sets it.
#[unsafe(no_mangle)]
static STRICTEST: Global<u32> = Global::new(0);

/// Notes a new cgroup that has found no place, unless it is under one that has. Returns
/// its number, or 0.
///
/// (Births come one at a time: `TRACE_CGROUP_PATH`. The new one cannot be entered yet.)
#[inline(always)]
pub fn note(group: Address, id: u64) -> u64 {
    watched::set_overflow();
    let Some(top) = top_if_unguarded(group) else {
        return 0;
    };
    let now = read().with(id, top, settled());
    let shared = UNENTERED.0.get();
    // SAFETY: whole words of a live global. What says that they count comes last.
    unsafe {
        addr_of_mut!((*shared).first).write_volatile(now.first);
        addr_of_mut!((*shared).scope).write_volatile(now.scope);
        addr_of_mut!((*shared).noted).write_volatile(now.noted);
    }
    now.noted
}

/// Whether the current task's cgroup may be one, or below one. It has no entry, nor has
/// any above it.
#[inline(always)]
pub fn may_hold(cgroup: u64) -> bool {
    let unentered = read();
    if unentered.noted == settled() {
        return false;
    }
    // SAFETY: the helper takes any level, and gives 0 to a task in the root.
    let top = unsafe { bpf_get_current_ancestor_cgroup_id(1) };
    unentered.may_hold(cgroup, top, settled())
}

/// The index of the policy that they are under.
#[inline(always)]
pub fn policy() -> u32 {
    STRICTEST.load()
}

#[inline(always)]
fn read() -> Unentered {
    let shared = UNENTERED.0.get();
    // SAFETY: whole words of a live global.
    unsafe {
        Unentered {
            noted: addr_of!((*shared).noted).read_volatile(),
            first: addr_of!((*shared).first).read_volatile(),
            scope: addr_of!((*shared).scope).read_volatile(),
        }
    }
}

#[inline(always)]
fn settled() -> u64 {
    // SAFETY: a whole word of a live global.
    unsafe { SETTLED.0.get().read_volatile() }
}

struct Climb {
    group: Address,
    top: u64,
    is_guarded: bool,
}

/// The id of the one right below the root that a new cgroup is in, or is; `None` if one
/// above it has an entry.
#[inline(always)]
fn top_if_unguarded(group: Address) -> Option<u64> {
    let mut climb = Climb {
        group,
        top: EVERYWHERE,
        is_guarded: false,
    };
    // SAFETY: `climb_up` takes what is passed, which outlives the loop.
    let steps = unsafe {
        let step = climb_up as *mut c_void;
        bpf_loop(guard::MAX_LEVELS, step, from_mut(&mut climb).cast(), 0)
    };
    // One that is nested too deep may be anywhere.
    let is_told = steps < i64::from(guard::MAX_LEVELS);
    (!climb.is_guarded).then_some(if is_told { climb.top } else { EVERYWHERE })
}

extern "C" fn climb_up(_level: u32, climb: *mut Climb) -> i64 {
    const GO_ON: i64 = 0;
    const STOP: i64 = 1;
    // SAFETY: `top_if_unguarded` passes a valid one, and nobody else has it meanwhile.
    let climb = unsafe { &mut *climb };
    let Some(parent) = cgroup::parent(climb.group) else {
        return STOP;
    };
    climb.top = cgroup::id(climb.group).unwrap_or(EVERYWHERE);
    climb.group = parent;
    climb.is_guarded = cgroup::id(parent).is_some_and(guard::has_entry);
    if climb.is_guarded { STOP } else { GO_ON }
}
