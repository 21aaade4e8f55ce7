//! `socket_setsockopt`: level and option, on every ABI and from io_uring.
//!
//! It gets no value, and what the caller's memory says may change. So it
//! refuses only what no later hook will see: an option whose rule needs the
//! value, on a socket or an ABI where the `cgroup/setsockopt` program
//! (hooks/value.rs) does not run; and an option that `capable` decides, in a
//! call that `capable` could not recognise.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use netadmin_common::{
    GuardEntry, OperationKind, SocketOption, Value, Via,
    guard::SOCKOPT_ATTACHED,
    policy::{OPTION_FREE, OPTION_VALUES},
};

use crate::{
    guard::{self, Guard},
    kernel::{
        argument_u32,
        cast::follow,
        cgroup, layout,
        task::{self, Call},
    },
    maps::CALLS,
    report::{self, EPERM, Question},
    watched::{self, Concern},
};

/// `SOL_PACKET` (linux/socket.h).
pub const SOL_PACKET: i32 = 263;
/// `PACKET_ADD_MEMBERSHIP` (linux/if_packet.h).
pub const PACKET_ADD_MEMBERSHIP: i32 = 1;

/// Hook `socket_setsockopt(sock, level, optname)`.
#[lsm(hook = "socket_setsockopt")]
pub fn socket_setsockopt(ctx: LsmContext) -> i32 {
    if argument_u32(&ctx, 3) != 0 {
        return ctx.arg(3);
    }
    match watched::option(argument_u32(&ctx, 2)) {
        Concern::None => return 0,
        Concern::Line if !task::hides_its_call() => return 0,
        _ => {}
    }
    judge(ctx)
}

/// (These apart: a program saves the registers that it uses anywhere, each time.)
#[inline(never)]
fn judge(ctx: LsmContext) -> i32 {
    if watched::pieces() {
        record(&ctx);
    }
    if !is_ours(argument_u32(&ctx, 1), argument_u32(&ctx, 2)) {
        return 0;
    }
    match guard::entry() {
        Some(entry) => answer(ctx, entry),
        None => 0,
    }
}

/// Whether a policy can rule on this option.
#[inline(always)]
fn is_ours(level: u32, optname: u32) -> bool {
    let (level, optname) = (level.cast_signed(), optname.cast_signed());
    level == SOL_PACKET && optname == PACKET_ADD_MEMBERSHIP
        || SocketOption::from_level_and_name(level, optname).is_some()
}

#[inline(never)]
fn answer(ctx: LsmContext, entry: &GuardEntry) -> i32 {
    let socket: *const u8 = ctx.arg(0);
    let Some(guard) = guard::of_entry(entry) else {
        return 0;
    };
    let (level, optname) = (ctx.arg(1), ctx.arg(2));
    match SocketOption::from_level_and_name(level, optname) {
        Some(option) => {
            let refused = refuses_option(&guard, socket, option);
            report::answer(refused, report::errno(option))
        }
        None => report::answer(refuses_membership(&guard, socket), EPERM),
    }
}

/// For the capability question of a call whose registers do not name the
/// option (`socketcall`, io_uring).
#[inline(never)]
fn record(ctx: &LsmContext) {
    if (task::in_compat_syscall() || task::uses_io_uring())
        && guard::current().is_some_and(|guard| guard.policy.rules_net_admin())
        && let Some(call) = CALLS.of_current()
    {
        call.level = ctx.arg(1);
        call.optname = ctx.arg(2);
    }
}

#[inline(always)]
fn refuses_membership(guard: &Guard, socket: *const u8) -> bool {
    if !guard.policy.rules_promiscuity() || value_will_be_seen(guard, socket) {
        return false;
    }
    Question::on_device(OperationKind::PromiscuousMembership, Via::AddMembership).is_refused()
}

#[inline(always)]
fn refuses_option(guard: &Guard, socket: *const u8, option: SocketOption) -> bool {
    let seen_later = match guard.policy.options[option as usize].rule {
        OPTION_FREE => true,
        OPTION_VALUES => value_will_be_seen(guard, socket) && note_seen(option),
        // The capability question will be asked within this very call.
        _ => is_the_call(option),
    };
    if seen_later {
        return false;
    }
    Question::set(option.operation(), Value::Unknown, report::errno(option)).is_refused()
}

/// Whether the saved registers name this very option. Else they are those of a
/// call on whose way out io_uring does its work (`task_work_run`).
#[inline(always)]
fn is_the_call(option: SocketOption) -> bool {
    match task::call() {
        Call::Setsockopt { level, optname, .. } => {
            SocketOption::from_level_and_name(level, optname)
                .is_some_and(|named| named as u32 == option as u32)
        }
        _ => false,
    }
}

/// Leaves word for the capability question (hooks/capable.rs): a rule on the
/// value may come into force after the program that sees values has run. False if
/// there is no memory for it.
#[inline(always)]
fn note_seen(option: SocketOption) -> bool {
    match CALLS.of_current() {
        Some(call) => {
            call.seen_option = option as u32 + 1;
            true
        }
        None => false,
    }
}

/// Whether the `cgroup/setsockopt` program will run: it does for sockets that
/// were made in a cgroup that it is attached to, or below one, and not for
/// 32-bit calls (`do_sock_setsockopt`). Nor from a ring that 32-bit code made,
/// which cannot be told from others; its work may be done on the way out of a
/// call that looks just like it.
#[inline(always)]
fn value_will_be_seen(guard: &Guard, socket: *const u8) -> bool {
    if task::uses_io_uring() || !matches!(task::call(), Call::Setsockopt { compat: false, .. }) {
        return false;
    }
    // SAFETY: `socket` is an argument, and typed; NULL is not followed.
    let cgroup = unsafe {
        let sock = follow(socket, &layout::SOCKET_SK);
        if sock.is_null() {
            return false;
        }
        cgroup::id_of_typed(follow(sock, &layout::SOCK_CGROUP))
    };
    // Mostly it is the caller's own.
    let flags = match cgroup {
        Some(cgroup) if cgroup == guard.cgroup => guard.flags,
        Some(cgroup) => guard::copy_of(cgroup).guard().map_or(0, |copy| copy.flags),
        None => 0,
    };
    flags & SOCKOPT_ATTACHED != 0
}
