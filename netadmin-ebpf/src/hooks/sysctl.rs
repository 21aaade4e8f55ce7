//! `cgroup/sysctl`: writes to /proc/sys/net.
//!
//! These files belong to root of the network namespace's user namespace
//! (`net_ctl_set_ownership`), and mostly its owner may write them: the kernel asks for
//! the capability only of others (`net_ctl_permissions`) and for a few files. So
//! `capable` does not see most writes; `proc_sys_call_handler` asks these programs for
//! each, io_uring's too. Attached to the root of the tree: the policy is the writer's.
//! Leaves reads alone, and files elsewhere in /proc/sys.

use aya_ebpf::{
    bindings::bpf_sysctl, helpers::generated::bpf_sysctl_get_name, macros::cgroup_sysctl,
    programs::SysctlContext,
};
use netadmin_common::{GuardEntry, OperationKind, Via};

use crate::{
    guard,
    report::{EPERM, Question},
    watched,
};

/// The kernel goes on; 0 makes it return EPERM.
const PASS: i32 = 1;
const REFUSE: i32 = 0;

/// The program on `BPF_CGROUP_SYSCTL`.
#[cgroup_sysctl]
pub fn sysctl_write(ctx: SysctlContext) -> i32 {
    let sysctl = ctx.sysctl;
    // SAFETY: the context is valid while the program runs.
    if unsafe { (*sysctl).write } == 0 || !watched::pieces() {
        return PASS;
    }
    match guard::entry() {
        Some(entry) if refuses(sysctl, entry) => REFUSE,
        _ => PASS,
    }
}

#[inline(always)]
fn refuses(sysctl: *mut bpf_sysctl, entry: &GuardEntry) -> bool {
    let Some(guard) = guard::of_entry(entry) else {
        return false;
    };
    let kind = OperationKind::SysctlWrite;
    guard.policy.net_admin.refused.contains(kind)
        && is_of_network(sysctl)
        && Question::piece(kind, Via::Sysctl, EPERM)
            .under(guard.index)
            .asked_once()
            .is_refused()
}

/// Whether the file's path below /proc/sys begins with `net/`; so if it cannot be had.
#[inline(always)]
fn is_of_network(sysctl: *mut bpf_sysctl) -> bool {
    const NET: u64 = u32::from_le_bytes(*b"net/") as u64;
    const FOUR_BYTES: u64 = u32::MAX as u64;
    let mut name = [0u64; 2];
    // The beginning is there even if the whole is too long, which is an error.
    //
    // SAFETY: the context is valid while the program runs; the helper writes at most
    // the length.
    unsafe {
        bpf_sysctl_get_name(
            sysctl,
            name.as_mut_ptr().cast(),
            size_of_val(&name) as u64,
            0,
        );
    }
    name[0] == 0 || name[0] & FOUR_BYTES == NET
}
