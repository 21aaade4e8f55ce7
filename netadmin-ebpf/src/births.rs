//! Which policy a new cgroup's path leads to.
//!
//! Asked under a spinlock with interrupts off (`TRACE_CGROUP_PATH`), so the number
//! of steps is bounded; what is not decided by then counts as a match, which the
//! agent looks at again.

use core::{ffi::c_void, ptr::from_mut};

use aya_ebpf::{
    helpers::{bpf_probe_read_kernel_str_bytes, generated::bpf_loop},
    macros::map,
    maps::PerCpuArray,
};
use netadmin_common::{
    glob::{GlobStep, GlobWalk, MAX_GLOBS, PATH_LEN, PathRecord},
    guard::{Assigned, EPOCHS, GLOB_COUNTS, NO_POLICY, assigned},
};

use crate::maps::{BANK, GLOBS};

/// Steps for the globs of one bank.
const MAX_STEPS: u32 = 1 << 16;

/// A match under way; too large for a program's stack.
#[repr(C)]
pub struct Birth {
    path: PathRecord,
    walk: GlobWalk,
    glob: u32,
    end: u32,
    policy: u32,
    reserved: u32,
}

/// (No task can be preempted here, so a CPU has one at a time.)
#[map]
static BIRTH: PerCpuArray<Birth> = PerCpuArray::with_max_entries(1, 0);

fn birth() -> Option<&'static mut Birth> {
    // SAFETY: interrupts are off, so that nothing else on this CPU has it.
    BIRTH
        .get_ptr_mut(0)
        .and_then(|birth| unsafe { birth.as_mut() })
}

/// Takes down the path of a new cgroup. False if it cannot be read.
#[inline(always)]
pub fn take_path(path: *const u8) -> bool {
    let Some(birth) = birth() else { return false };
    // SAFETY: the helper checks the address.
    let read = unsafe { bpf_probe_read_kernel_str_bytes(path, &mut birth.path.bytes) };
    let len = match read {
        Ok(bytes) => bytes.len() as u32,
        Err(_) => return false,
    };
    birth.path.cut = u32::from(len >= PATH_LEN as u32 - 1);
    // The root has no component.
    birth.path.len = if len == 1 { 0 } else { len };
    true
}

/// What the path leads to by the globs of a bank.
#[inline(always)]
pub fn assigned_by_path(bank: u32) -> Assigned {
    assigned(policy_by_path(bank))
}

/// (Global for the verifier, which then checks it once for both banks.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn policy_by_path(bank: u32) -> u64 {
    // First the epoch, then how many globs it has: the agent takes back the first first.
    let epoch = word(EPOCHS + bank) as u16;
    let globs = word(GLOB_COUNTS + bank);
    let policy = if globs == 0 {
        NO_POLICY
    } else {
        policy_of_path(bank, globs)
    };
    Assigned { policy, epoch }.word()
}

#[inline(always)]
fn word(place: u32) -> u32 {
    BANK.get(place)
        // SAFETY: a whole word of a live map.
        .map_or(0, |word| unsafe {
            core::ptr::from_ref(word).read_volatile()
        })
}

/// The policy that the path leads to, or [`NO_POLICY`].
#[inline(always)]
fn policy_of_path(bank: u32, globs: u32) -> u32 {
    let Some(birth) = birth() else {
        return NO_POLICY;
    };
    birth.glob = bank * MAX_GLOBS as u32;
    birth.end = birth.glob + globs;
    birth.policy = NO_POLICY;
    birth.walk = GlobWalk::default();
    let mut state = 0u32;
    // SAFETY: `step` takes what `state` points to, which outlives the loop.
    unsafe {
        bpf_loop(
            MAX_STEPS,
            step as *mut c_void,
            from_mut(&mut state).cast(),
            0,
        );
    }
    if state == 0 {
        // Not at an end: what was being matched counts.
        birth.policy = GLOBS.get(birth.glob).map_or(NO_POLICY, |glob| glob.policy);
    }
    birth.policy
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

extern "C" fn step(_step: u32, ended: *mut u32) -> i64 {
    let Some(birth) = birth() else { return STOP };
    // SAFETY: `policy_of_path` passes a valid word.
    let ended = unsafe { &mut *ended };
    let glob = match GLOBS.get(birth.glob) {
        Some(glob) if birth.glob < birth.end => glob,
        _ => {
            *ended = 1;
            return STOP;
        }
    };
    match birth.walk.step(glob, &birth.path) {
        GlobStep::More => GO_ON,
        GlobStep::NoMatch => {
            birth.glob += 1;
            birth.walk = GlobWalk::default();
            GO_ON
        }
        GlobStep::Match | GlobStep::Unsure => {
            birth.policy = glob.policy;
            *ended = 1;
            STOP
        }
    }
}
