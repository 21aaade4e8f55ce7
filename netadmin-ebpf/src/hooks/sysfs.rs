//! `/sys/class/net/X/flags`: a write to it sets the flags.
//!
//! `flags_store` (net/core/net-sysfs.c) gets the device and the kernel's copy of
//! the text, and right after asks the capability question, which gives the
//! verdict (hooks/capable.rs).

use aya_ebpf::{helpers::generated::bpf_strtoul, macros::fentry, programs::FEntryContext};
use netadmin_common::{
    Text, Via,
    call::{CALL_ALLOWED, CALL_REFUSED, COMMAND_SYSFS_FLAGS},
};

use super::{ioctl, links};
use crate::{
    guard,
    kernel::{Address, layout, netdev},
    maps::CALLS,
};

/// `flags_store(dev, attr, buf, len)`.
#[fentry(function = "flags_store")]
pub fn sysfs_flags(ctx: FEntryContext) -> i32 {
    let Some(guard) = guard::current() else {
        return 0;
    };
    if !guard.policy.rules_promiscuity() {
        return 0;
    }
    if let Some(call) = CALLS.of_current() {
        let refused = refuses(&ctx).unwrap_or_else(|| links::refuses_unjudged(Via::Sysfs));
        call.command = COMMAND_SYSFS_FLAGS;
        call.state = if refused { CALL_REFUSED } else { CALL_ALLOWED };
    }
    0
}

#[inline(always)]
fn refuses(ctx: &FEntryContext) -> Option<bool> {
    let device = Address::argument(ctx, 0)?.container(&layout::NET_DEVICE_DEV);
    let net = device.follow(&layout::NET_DEVICE_ND_NET)?;
    let name: Text = netdev::name(device)?;
    match number(Address::argument(ctx, 2)?)? {
        Some(flags) => Some(ioctl::refuses_flags_of(net, name, flags, Via::Sysfs)),
        // EINVAL (kstrtoul).
        None => Some(false),
    }
}

/// The number that a text says: in hexadecimal after 0x, octal after 0. The
/// outer `None` if it cannot be read.
#[inline(always)]
fn number(text: Address) -> Option<Option<u32>> {
    let words: [u64; 4] = text.load()?;
    let mut number = 0u64;
    // SAFETY: a buffer and its length, and room for the answer.
    let len = unsafe { bpf_strtoul(words.as_ptr().cast(), 32, 0, (&raw mut number).cast()) };
    Some((len > 0).then_some(number as u32))
}
