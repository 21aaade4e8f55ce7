//! Control messages: `SO_MARK` and, from 6.14 on, `SO_PRIORITY`, given with one
//! packet.
//!
//! `__sock_cmsg_send` (net/core/sock.c) gets the kernel's copy of each, whatever
//! call, ABI or socket it came by, and asks for `CAP_NET_RAW` and then for
//! `CAP_NET_ADMIN`. An fentry program notes option and value; the question gives
//! the verdict (hooks/capable.rs). A tracing program can be skipped: where the
//! question is asked in that function, and nothing was noted, it is refused. Not
//! seen is what the kernel asks nothing for: a priority of 0 to 6.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_func_arg_cnt, bpf_get_func_ip},
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use netadmin_common::{
    SocketOption, Value, Via,
    operation::SOL_SOCKET,
    policy::{OPTION_FREE, OptionRecord},
};

use crate::{
    guard::{self, Guard},
    kernel::{
        Address,
        stack::Stack,
        symbols::Function,
        task::{self, Call},
    },
    maps::{CALLS, SYMBOLS},
    report::{EPERM, Question},
};

/// `struct cmsghdr` (linux/socket.h), in bytes: a length of 8, level, type, and
/// what they are about.
const CMSG_TYPE: u64 = 12;
const CMSG_DATA: u64 = 16;
/// `CMSG_LEN(sizeof(u32))`.
const LENGTH: u64 = 20;

/// `__sock_cmsg_send(sk, cmsg, sockc)`; with the whole message before `cmsg`
/// on older kernels.
#[fentry(function = "__sock_cmsg_send")]
pub fn control_message(ctx: FEntryContext) -> i32 {
    learn_place(&ctx);
    // SAFETY: the helper takes a program's context.
    let arguments = unsafe { bpf_get_func_arg_cnt(ctx.as_ptr()) };
    let nth = if arguments > 3 { 2 } else { 1 };
    let Some(message) = Address::argument(&ctx, nth) else {
        return 0;
    };
    let name: Option<u32> = message.plus(CMSG_TYPE).load();
    let option =
        match name.and_then(|name| SocketOption::from_level_and_name(SOL_SOCKET, name as i32)) {
            Some(option @ (SocketOption::Mark | SocketOption::Priority)) => option,
            _ => return 0,
        };
    if guard::current().is_some()
        && let Some(call) = CALLS.of_current()
        && let (Some(length), Some(value)) =
            (message.load::<u64>(), message.plus(CMSG_DATA).load::<u32>())
    {
        call.control = option as u32 + 1;
        call.control_value = value;
        call.control_valid = u32::from(length == LENGTH);
    }
    0
}

/// The end of it: what was noted goes, also where another module has refused and
/// the question never came to us.
#[fexit(function = "__sock_cmsg_send")]
pub fn control_message_done(_ctx: FExitContext) -> i32 {
    if guard::current().is_some()
        && let Some(call) = CALLS.of_current()
    {
        call.control = 0;
    }
    0
}

/// How far behind its first address the function is taken to reach, in bytes;
/// it has some 500.
const EXTENT: u64 = 1024;

/// Notes where the function lies, which the agent knows only with `CAP_SYSLOG`.
/// (It sends a control message when it starts, so that this has run.)
#[inline(always)]
fn learn_place(ctx: &FEntryContext) {
    let start = Function::SockCmsgSend as u32 * 2;
    if SYMBOLS.get(start).is_none_or(|known| *known != 0) {
        return;
    }
    // SAFETY: the helper takes a program's context.
    let place = unsafe { bpf_get_func_ip(ctx.as_ptr()) };
    // The end first: without it nothing is within.
    for (index, address) in [(start + 1, place + EXTENT), (start, place)] {
        if let Some(slot) = SYMBOLS.get_ptr_mut(index) {
            // SAFETY: a live entry of the map; all write the same.
            unsafe { slot.write(address) };
        }
    }
}

/// Whether the capability question is about a control message, and the policy
/// rules on what one may give.
#[inline(always)]
pub fn is_asked_for(guard: &Guard, call: Call) -> bool {
    // A ring's work may be done under the registers of any call.
    if !matches!(call, Call::Sendmsg) && !task::uses_io_uring() {
        return false;
    }
    (rules_on(rule(guard, SocketOption::Mark)) || rules_on(rule(guard, SocketOption::Priority)))
        && netadmin_in_control_message() != 0
}

#[inline(always)]
fn rule(guard: &Guard, option: SocketOption) -> &OptionRecord {
    &guard.policy.options[option as usize]
}

#[inline(always)]
fn rules_on(record: &OptionRecord) -> bool {
    record.rule != OPTION_FREE
}

/// More frames than there are from the question up to the function.
const NEAR: usize = 16;

/// Whether `__sock_cmsg_send` asks; so if that cannot be known.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_in_control_message() -> u32 {
    if CALLS.of_current().is_some_and(|call| call.control != 0) {
        return 1;
    }
    let place = Function::SockCmsgSend.range();
    match Stack::<NEAR>::read() {
        Some(stack) if place.is_known() => u32::from(stack.passes(place)),
        _ => 1,
    }
}

/// What the control message at hand gives, as far as that is known.
#[inline(always)]
pub fn option_at_hand() -> SocketOption {
    const PRIORITY: u32 = SocketOption::Priority as u32 + 1;
    match CALLS.of_current() {
        Some(call) if call.control == PRIORITY => SocketOption::Priority,
        _ => SocketOption::Mark,
    }
}

/// Whether the policy refuses it. The kernel asks for `CAP_NET_RAW` first and,
/// refused, for `CAP_NET_ADMIN`: one operation, so one event.
#[inline(always)]
pub fn refuses(guard: &Guard, capability: u32) -> bool {
    netadmin_control(guard.index, capability) != 0
}

/// linux/capability.h.
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_control(policy: u32, capability: u32) -> u32 {
    let option = option_at_hand();
    let Some(call) = CALLS.of_current() else {
        return u32::from(refuses_unknown(policy));
    };
    let mark = option as u32 + 1;
    if capability == CAP_NET_ADMIN && call.reported_option == mark {
        call.reported_option = 0;
        return 1;
    }
    let refused = match call.control {
        0 => refuses_unknown(policy),
        _ if call.control_valid == 0 => is_refused(policy, option, Value::Privileged),
        _ => is_refused(
            policy,
            option,
            Value::Known(option.widen(call.control_value)),
        ),
    };
    if refused && capability == CAP_NET_RAW {
        call.reported_option = mark;
    }
    u32::from(refused)
}

/// What was not noted may be either option.
#[inline(always)]
fn refuses_unknown(policy: u32) -> bool {
    is_refused(policy, SocketOption::Mark, Value::Unknown)
        || is_refused(policy, SocketOption::Priority, Value::Unknown)
}

#[inline(always)]
fn is_refused(policy: u32, option: SocketOption, value: Value) -> bool {
    Question::set(option.operation(), value, EPERM)
        .by(Via::Sendmsg)
        .under(policy)
        .is_refused()
}
