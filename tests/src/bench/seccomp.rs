//! The alternatives: a container's usual seccomp profile, and the inverted one
//! that the article arrives at.
//!
//! Filters are linear, as libseccomp writes them by default. (For calls whose
//! arguments no rule looks at, the kernel keeps the answer in a bitmap and runs
//! no filter at all, whatever wrote it: `seccomp_cache_check_allow`.)

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Which profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Some 300 calls are allowed, by name.
    Default,
    /// All but the dangerous calls are allowed; of `setsockopt`, four options
    /// are refused.
    Inverted,
}

/// What Docker's documentation names as blocked by its default profile, and a
/// container's root would be allowed otherwise.
const BLOCKED: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_get_mempolicy,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_mount,
    libc::SYS_move_pages,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_uselib,
    libc::SYS_userfaultfd,
    libc::SYS_ustat,
    // create_module, get_kernel_syms, query_module.
    174,
    177,
    178,
];

/// `CLONE_NEW*`, which the default profile refuses to `clone`.
const NEW_NAMESPACES: u64 = 0x7c02_0000;

/// The calls of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
const CALLS: [std::ops::RangeInclusive<c_long>; 2] = [
    0..=libc::SYS_rseq,
    libc::SYS_pidfd_send_signal..=libc::SYS_futex_waitv,
];

impl Profile {
    /// Puts the calling process under it, for good.
    pub fn enter(self) -> Result<()> {
        // SAFETY: takes numbers only.
        let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        anyhow::ensure!(set == 0, "PR_SET_NO_NEW_PRIVS failed");
        apply_filter(&self.program()?).context("install a seccomp filter")
    }

    fn program(self) -> Result<BpfProgram> {
        let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let (rules, default, matching) = match self {
            Self::Default => (allowed()?, refuse, SeccompAction::Allow),
            Self::Inverted => (refused()?, SeccompAction::Allow, refuse),
        };
        let filter = SeccompFilter::new(rules, default, matching, TargetArch::x86_64);
        filter
            .and_then(TryInto::try_into)
            .context("compile a seccomp profile")
    }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn allowed() -> Result<Rules> {
    let all = CALLS.into_iter().flatten();
    let mut rules: Rules = all
        .filter(|number| !BLOCKED.contains(number))
        .map(|number| (number, Vec::new()))
        .collect();
    let mask = SeccompCmpOp::MaskedEq(NEW_NAMESPACES);
    rules.insert(libc::SYS_clone, vec![rule(&[(0, mask, 0)])?]);
    Ok(rules)
}

fn refused() -> Result<Rules> {
    let mut rules: Rules = BLOCKED.iter().map(|&number| (number, Vec::new())).collect();
    let options = [
        libc::SO_PRIORITY,
        libc::SO_DEBUG,
        libc::SO_RCVBUFFORCE,
        libc::SO_SNDBUFFORCE,
    ];
    let by_option = |option: i32| {
        let option = u64::from(option.unsigned_abs());
        rule(&[(1, SeccompCmpOp::Eq, 1), (2, SeccompCmpOp::Eq, option)])
    };
    let options: Result<_> = options.into_iter().map(by_option).collect();
    rules.insert(libc::SYS_setsockopt, options?);
    Ok(rules)
}

/// All of these: argument, comparison, value.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule> {
    let condition = |(argument, comparison, value): &(u8, SeccompCmpOp, u64)| {
        SeccompCondition::new(
            *argument,
            SeccompCmpArgLen::Dword,
            comparison.clone(),
            *value,
        )
    };
    let conditions: Result<_, _> = conditions.iter().map(condition).collect();
    SeccompRule::new(conditions?).context("a seccomp rule")
}
