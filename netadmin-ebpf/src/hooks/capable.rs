//! `capable`: the question that comes right before the act.
//!
//! The kernel asks it in the caller's context, after it has copied and read
//! the arguments, so a refusal here cannot be raced. It does not say for what:
//! the saved registers name the call, and earlier hooks have judged it. It is
//! a hot hook: the first test is the capability's number. The capability
//! module answers before us, so this runs only where the task has it.

use aya_ebpf::{helpers::bpf_probe_read_user, macros::lsm, programs::LsmContext};
use netadmin_common::{
    GuardEntry, OperationKind, SocketOption, Text, Value, Via,
    call::{CALL_ALLOWED, CALL_MISSED, CALL_REFUSED},
    policy::{MODE_AUDIT, OPTION_FREE, OPTION_VALUES},
};

use super::{control, ioctl, leaving, links, pieces, sysfs};
use crate::{
    guard::{self, Guard},
    kernel::{
        Address, argument_u32,
        task::{self, Call},
    },
    maps::CALLS,
    report::{self, EPERM, Question},
};

/// linux/capability.h.
pub const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;

/// Hook `capable(cred, ns, cap, opts)`.
#[lsm(hook = "capable")]
pub fn capable(ctx: LsmContext) -> i32 {
    // (In 64 bits: a comparison of 32 takes two shifts.)
    let from_first = u64::from(argument_u32(&ctx, 2)).wrapping_sub(u64::from(CAP_NET_ADMIN));
    if from_first > u64::from(CAP_NET_RAW - CAP_NET_ADMIN) || argument_u32(&ctx, 4) != 0 {
        return ctx.arg(4);
    }
    match guard::entry() {
        Some(entry) => answer(ctx, entry),
        None => 0,
    }
}

/// (Apart: a program saves the registers that it uses anywhere, each time.)
#[inline(never)]
fn answer(ctx: LsmContext, entry: &GuardEntry) -> i32 {
    let capability = argument_u32(&ctx, 2);
    let Some(guard) = guard::of_entry(entry) else {
        return 0;
    };
    let call = task::call();
    let refused = match call {
        _ if control::is_asked_for(&guard, call) => control::refuses(&guard, capability),
        Call::Setsockopt { level, optname, .. } => {
            match SocketOption::from_level_and_name(level, optname) {
                Some(option) => refuses_option(&guard, option, capability),
                None => false,
            }
        }
        Call::Ioctl { command, argument } if capability == CAP_NET_ADMIN => {
            refuses_ioctl(&guard, command, argument)
        }
        Call::Other if capability == CAP_NET_ADMIN => sysfs::refuses(&guard),
        _ => false,
    };
    let refused = refused || capability == CAP_NET_ADMIN && pieces::refuses(&ctx, &guard, call);
    report::answer(refused, EPERM)
}

/// `sk_setsockopt`. For `SO_PRIORITY` and `SO_MARK` it asks `CAP_NET_RAW` first
/// and, refused, `CAP_NET_ADMIN`: one operation, so one event.
#[inline(always)]
fn refuses_option(guard: &Guard, option: SocketOption, capability: u32) -> bool {
    let mark = option as u32 + 1;
    let mut call = CALLS.of_current();
    if capability == CAP_NET_ADMIN
        && let Some(call) = &mut call
        && call.reported_option == mark
    {
        call.reported_option = 0;
        return true;
    }
    let rule = guard.policy.options[option as usize].rule;
    if capability == CAP_NET_RAW && call.is_none() && guard.policy.mode != MODE_AUDIT {
        // Without a record of it the event would come twice: with the next question.
        return rule != OPTION_FREE;
    }
    let by_value = rule == OPTION_VALUES;
    let seen = call.as_ref().is_some_and(|call| call.seen_option == mark);
    if !by_value && let Some(call) = &mut call {
        call.seen_option = 0;
    }
    let value = if by_value && !seen {
        Value::Unknown
    } else {
        Value::Privileged
    };
    let refused = Question::set(option.operation(), value, report::errno(option))
        .under(guard.index)
        .is_refused();
    if capability == CAP_NET_RAW
        && refused
        && let Some(call) = call
    {
        call.reported_option = mark;
    }
    refused
}

/// `dev_ioctl`, `devinet_ioctl`, `br_ioctl_stub` (`add_del_if`), `bond_do_ioctl`.
#[inline(always)]
fn refuses_ioctl(guard: &Guard, command: u32, argument: Address) -> bool {
    if !guard.policy.rules_promiscuity() && !guard.policy.rules_net_admin() {
        return false;
    }
    let Some((via, seen)) = ioctl::way(command) else {
        return false;
    };
    let mut call = CALLS.of_current();
    if let Some(call) = &mut call {
        ioctl::settle(guard, call, command);
    }
    if !guard.policy.rules_promiscuity() {
        return false;
    }
    let Some(call) = call else {
        return links::refuses_unjudged(via);
    };
    if call.command != command {
        return links::refuses_unjudged(via);
    }
    match call.state {
        CALL_ALLOWED => return false,
        CALL_REFUSED => return true,
        CALL_MISSED if leaving::way(command).is_none_or(leaving::is_refused) => {
            call.state = CALL_REFUSED;
            return true;
        }
        _ if seen => return links::refuses_unjudged(via),
        _ => {}
    }
    // Some ask twice (dev_ioctl and then add_del_if): one operation, one event.
    let refused = match via {
        // Judged when it began.
        Via::BridgeDelIf | Via::BridgeDel => false,
        Via::BridgeAdd | Via::SetIfVlan => links::refuses_any_name(guard, via),
        _ => refuses_enslaving(via, argument),
    };
    call.state = if refused { CALL_REFUSED } else { CALL_ALLOWED };
    refused
}

/// Which port these commands add cannot be known here: the kernel copies it
/// later, or has copied it where no program sees it. Every port is refused,
/// and none is excepted.
#[inline(always)]
fn refuses_enslaving(via: Via, argument: Address) -> bool {
    let ifindex = match via {
        Via::BridgeAddIf => claimed_port(argument),
        _ => 0,
    };
    Question::on_device(OperationKind::PromiscuousBridgePort, via)
        .device(ifindex, Text::EMPTY, false)
        .is_refused()
}

/// `ifr_ifindex` as the caller's memory says now: for the event alone.
#[inline(always)]
fn claimed_port(argument: Address) -> u32 {
    // SAFETY: the helper checks the address and fails on a bad one.
    unsafe { bpf_probe_read_user(argument.plus(ioctl::IFR_DATA).as_ptr::<u32>()) }.unwrap_or(0)
}
