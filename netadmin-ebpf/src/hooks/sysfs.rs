//! `/sys/class/net/X/flags`: a write to it sets the flags.
//!
//! `flags_store` (net/core/net-sysfs.c) gets the device and the kernel's copy of
//! the text, and right after asks the capability question, which gives the
//! verdict (hooks/capable.rs).

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel_str, bpf_strtoul},
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use netadmin_common::{
    Via,
    call::{CALL_ALLOWED, CALL_REFUSED, COMMAND_SYSFS_FLAGS},
};

use super::{
    ioctl::{self, Target},
    links,
};
use crate::{
    guard,
    kernel::{Address, layout},
    maps::CALLS,
};

/// `flags_store(dev, attr, buf, len)`.
#[fentry(function = "flags_store")]
pub fn sysfs_flags(ctx: FEntryContext) -> i32 {
    let Some(guard) = guard::current() else {
        return 0;
    };
    if !guard.policy.rules_promiscuity() && !guard.policy.rules_net_admin() {
        return 0;
    }
    if let Some(call) = CALLS.of_current() {
        let refused = refuses(&ctx).unwrap_or_else(|| links::refuses_unjudged(Via::Sysfs));
        call.command = COMMAND_SYSFS_FLAGS;
        call.state = if refused { CALL_REFUSED } else { CALL_ALLOWED };
    }
    0
}

/// The end of `flags_store`: the record goes, also where the capability module
/// has refused and the question never came to us.
#[fexit(function = "flags_store")]
pub fn sysfs_flags_done(_ctx: FExitContext) -> i32 {
    if guard::current().is_some()
        && let Some(call) = CALLS.of_current()
        && call.command == COMMAND_SYSFS_FLAGS
    {
        call.command = 0;
    }
    0
}

#[inline(always)]
fn refuses(ctx: &FEntryContext) -> Option<bool> {
    let device = Address::argument(ctx, 0)?.container(&layout::NET_DEVICE_DEV);
    let net = device.follow(&layout::NET_DEVICE_ND_NET)?;
    let target = Target::Indexed(device.read(&layout::NET_DEVICE_IFINDEX)?);
    let flags = number(Address::argument(ctx, 2)?)?;
    Some(ioctl::refuses_flags_of(net, target, flags, Via::Sysfs))
}

/// How much of the text is read, with its terminating zero, in bytes.
const TEXT_LEN: usize = 32;

/// The number that a text says: in hexadecimal after 0x, octal after 0. `None`
/// if it is not plainly that; `kstrtoul` reads forms that `bpf_strtoul` does not.
#[inline(always)]
fn number(text: Address) -> Option<u32> {
    let mut words = [0u64; TEXT_LEN / 8];
    let bytes = words.as_mut_ptr().cast::<u8>();
    let mut number = 0u64;
    let (base, len) = (0, TEXT_LEN as u64);
    // SAFETY: a buffer and its length; the helper checks the address.
    let read = unsafe { bpf_probe_read_kernel_str(bytes.cast(), TEXT_LEN as u32, text.as_ptr()) };
    // SAFETY: a buffer and its length, and room for the answer.
    let used = unsafe { bpf_strtoul(bytes.cast(), len, base, (&raw mut number).cast()) };
    if !(1..TEXT_LEN as i64).contains(&read) || used <= 0 {
        return None;
    }
    // SAFETY: the mask bounds it, for the verifier too.
    let end = unsafe { bytes.add(used as usize & (TEXT_LEN - 1)).read() };
    // Of the unsigned long, `change_flags` takes the lower half.
    (end == 0 || end == b'\n').then_some(number as u32)
}
