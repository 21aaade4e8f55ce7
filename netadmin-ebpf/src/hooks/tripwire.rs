//! The tripwire and the witness: a device's promiscuity has risen.
//!
//! Every way up ends in `__dev_set_promiscuity` (net/core/dev.c). An fexit sees
//! whether it succeeded; it can refuse nothing. What refuses sits before it: so
//! a rise that a guarded task brings about against its policy got past, by a
//! race or on a way that nobody knew. It is reported as a breach, and if the
//! policy says so, the process is killed before the call returns.

use aya_ebpf::{helpers::generated::bpf_send_signal, macros::fexit, programs::FExitContext};
use netadmin_common::{
    Device,
    device::IFF_PROMISC,
    is_breach,
    policy::{PROMISCUOUS_KILL, PROMISCUOUS_SIDE_EFFECTS_ALLOW},
};

use super::{links, setsockopt::SOL_PACKET};
use crate::{
    guard::{self, Guard},
    kernel::{
        Address, netdev,
        task::{self, Call},
    },
    report::{self, Rise},
};

const SIGKILL: u32 = 9;

/// The witness: tells of every rise, whoever caused it.
#[fexit(function = "__dev_set_promiscuity")]
pub fn promiscuity_rise(ctx: FExitContext) -> i32 {
    if let Some(rise) = rise(&ctx) {
        report::tell_rise(rise, None, 0);
    }
    0
}

/// The tripwire: tells of rises against the policy of the task that causes
/// them, and of those that a kernel thread brings, whose cause is not known.
#[fexit(function = "__dev_set_promiscuity")]
pub fn promiscuity_breach(ctx: FExitContext) -> i32 {
    let Some(rise) = rise(&ctx) else {
        return 0;
    };
    let Some(guard) = guard::current() else {
        if task::is_kernel_thread() {
            report::tell_rise(rise, None, 0);
        }
        return 0;
    };
    let notify: u8 = ctx.arg::<u64>(2) as u8;
    if is_against(&guard, rise.device, notify == 0) {
        answer(rise, &guard);
    }
    0
}

/// `__dev_set_promiscuity(dev, inc, notify)`: a success, and a rise.
#[inline(always)]
fn rise(ctx: &FExitContext) -> Option<Rise> {
    let increment: i32 = ctx.arg(1);
    let result: i32 = ctx.arg(3);
    if increment <= 0 || result != 0 {
        return None;
    }
    Some(Rise {
        device: Address::argument(ctx, 0)?,
        increment: increment.unsigned_abs(),
    })
}

#[inline(always)]
fn is_against(guard: &Guard, device: Address, quiet: bool) -> bool {
    if !guard.policy.rules_promiscuity() {
        return false;
    }
    let (mut seen, mut lower) = (Device::default(), Device::default());
    links::take(Some(device), &mut seen);
    links::take(netdev::lower(device), &mut lower);
    let direct = guard.policy.promiscuous.flags & PROMISCUOUS_SIDE_EFFECTS_ALLOW == 0
        || is_direct(&seen, quiet);
    let excepted = links::excepts(guard.index, &seen, &lower);
    is_breach(guard.policy, excepted, direct)
}

/// Whether a flag or a membership brought it. `__dev_change_flags` has set
/// `gflags` by then, and is quiet; so is `__dev_set_rx_mode`, which does it for
/// unicast addresses that the device cannot filter.
#[inline(always)]
fn is_direct(device: &Device, quiet: bool) -> bool {
    if let Call::Setsockopt { level, .. } = task::call() {
        return level == SOL_PACKET;
    }
    let for_addresses = device.has_addresses != 0 && !device.filters_unicast();
    quiet && device.gflags & IFF_PROMISC != 0 && !for_addresses
}

#[inline(always)]
fn answer(rise: Rise, guard: &Guard) {
    let mut signal = 0;
    if guard.policy.promiscuous.flags & PROMISCUOUS_KILL != 0 {
        // SAFETY: the helper has no preconditions; it spares kernel threads and
        // the initial init.
        let sent = unsafe { bpf_send_signal(SIGKILL) };
        signal = if sent == 0 { SIGKILL } else { 0 };
    }
    report::tell_rise(rise, Some(guard), signal);
}
