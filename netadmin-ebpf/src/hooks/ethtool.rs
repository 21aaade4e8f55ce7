//! The sub-command of `SIOCETHTOOL`.
//!
//! It lies in the caller's memory, which another thread can rewrite; `dev_ethtool` copies
//! it to the kernel's stack, and no function that could be traced is handed the copy.
//! A program's context lies on the same stack, in the trampoline's frame, and from there
//! to the copy it is always as far if the functions between are the same, at the same
//! calls. So the agent has the question asked when it starts, for sub-commands of its own,
//! while `ethtool_sight` looks at the stack; and it writes down where the copy lies and by
//! which return addresses (`netadmin-agent/src/kernel/ethtool`). A question that comes by
//! others is about a sub-command that is not told.

use core::ptr::addr_of;

use aya_ebpf::{
    EbpfContext as _,
    helpers::{
        bpf_probe_read_user,
        generated::{bpf_get_task_stack, bpf_probe_read_kernel},
    },
    macros::lsm,
    programs::LsmContext,
};
use netadmin_common::ethtool::{EthtoolPlace, MAX_CHAIN, SECRET_AT, SIGHT_WORDS, SIOCETHTOOL};

use super::{capable::CAP_NET_ADMIN, ioctl::IFR_DATA};
use crate::{
    globals::Shared,
    kernel::{
        Address, argument_u32,
        stack::Stack,
        task::{self, Call},
    },
    maps::SIGHT,
    report::{self, EPERM},
};

#[unsafe(link_section = ".data.ethtool")]
#[unsafe(no_mangle)]
static ETHTOOL: Shared<EthtoolPlace> = Shared::new(EthtoolPlace::UNKNOWN);

/// Reads one field of [`ETHTOOL`].
macro_rules! place {
    ($($field:tt)+) => {
        // SAFETY: a whole word of a live global.
        unsafe { addr_of!((*ETHTOOL.0.get()).$($field)+).read_volatile() }
    };
}

/// Frames of our own and the trampoline's, and those of the chain.
const NEAR: usize = 8 + MAX_CHAIN;
/// Bounds an offset, for the verifier.
const WITHIN: u32 = SIGHT_WORDS as u32 * 8 - 1;

/// The kernel's copy of the sub-command; `None` if it is not known where it lies.
#[inline(never)]
pub fn sub_command(ctx: &LsmContext) -> Option<u32> {
    let context = Address::of(ctx.as_ptr().cast_const());
    let at = |offset: u32| context.plus(u64::from(offset & WITHIN));
    if !came_by_the_chain() || at(place!(first)).load::<u64>() != Some(place!(chain[0])) {
        return None;
    }
    at(place!(copy)).load()
}

/// Whether the return addresses above the trampoline's are those of the chain.
#[inline(always)]
fn came_by_the_chain() -> bool {
    let len = place!(len);
    let mut passed = 0;
    let same = |address| {
        if address == place!(chain[passed as usize % MAX_CHAIN]) {
            passed += 1;
            (passed >= len).then_some(true)
        } else {
            (passed != 0).then_some(false)
        }
    };
    len != 0 && Stack::<NEAR>::read().and_then(|stack| stack.find(same)) == Some(true)
}

/// Hook `capable(cred, ns, cap, opts)`, for as long as the agent learns. It refuses what
/// the agent asks for, lest it be done; nobody else knows the secret.
#[lsm(hook = "capable")]
pub fn ethtool_sight(ctx: LsmContext) -> i32 {
    if argument_u32(&ctx, 4) != 0 {
        return ctx.arg(4);
    }
    if argument_u32(&ctx, 2) != CAP_NET_ADMIN {
        return 0;
    }
    let Call::Ioctl { command, argument } = task::call() else {
        return 0;
    };
    report::answer(command == SIOCETHTOOL && look(&ctx, argument), EPERM)
}

/// Notes what lies on the stack, if the caller is the agent.
#[inline(always)]
fn look(ctx: &LsmContext, request: Address) -> bool {
    let Some(sight) = SIGHT.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a live entry of the map, which only the agent's one thread is using.
    let sight = unsafe { &mut *sight };
    let shown = from_user::<u64>(request.plus(IFR_DATA))
        .and_then(|data| from_user::<u64>(Address::from_field(data).plus(SECRET_AT as u64)));
    if sight.secret == 0 || shown != Some(sight.secret) {
        return false;
    }
    let (words, chain) = (&mut sight.words, &mut sight.chain);
    // SAFETY: the room is as large as said; the helper checks the address.
    let seen = unsafe {
        let size = size_of_val(words) as u32;
        bpf_probe_read_kernel(words.as_mut_ptr().cast(), size, ctx.as_ptr().cast_const())
    };
    // SAFETY: the task is the current one, and the room as large as said.
    let unwound = unsafe {
        let size = size_of_val(chain) as u32;
        bpf_get_task_stack(task::current(), chain.as_mut_ptr().cast(), size, 0)
    };
    if seen == 0 && unwound > 0 {
        sight.secret = 0;
    }
    true
}

#[inline(always)]
fn from_user<T>(address: Address) -> Option<T> {
    // SAFETY: the helper checks the address and fails on a bad one.
    unsafe { bpf_probe_read_user(address.as_ptr::<T>()) }.ok()
}
