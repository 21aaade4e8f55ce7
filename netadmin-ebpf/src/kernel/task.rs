//! The current task, and the system call that it is in (x86-64).

use aya_ebpf::{
    bindings::task_struct,
    helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs},
};

use super::{Address, field, layout};

/// `TS_COMPAT` (arch/x86/include/asm/thread_info.h): the call came by the
/// 32-bit entry.
const TS_COMPAT: u32 = 0x0002;
/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;
/// `PF_IO_WORKER` and `PF_USER_WORKER`: io_uring's threads make no calls.
const PF_WORKERS: u32 = 0x0000_0010 | 0x0000_4000;
/// `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;
/// `SYS_SETSOCKOPT` (linux/net.h).
const SYS_SETSOCKOPT: u32 = 14;

/// The current task's `task_struct`, typed for the verifier.
#[inline(always)]
pub fn current() -> *mut task_struct {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_task_btf() }
}

/// Whether the task is a kernel thread.
#[inline(always)]
pub fn is_kernel_thread() -> bool {
    flags() & PF_KTHREAD != 0
}

#[inline(always)]
fn flags() -> u32 {
    // SAFETY: `current` is typed, and `flags` is an unsigned int.
    unsafe { field(current().cast(), &layout::TASK_FLAGS) }
}

/// Whether the current call came by the 32-bit entry (`in_compat_syscall`).
#[inline(always)]
pub fn in_compat_syscall() -> bool {
    // SAFETY: `current` is typed, and `thread_info.status` is a u32.
    let status: u32 = unsafe { field(current().cast(), &layout::TASK_STATUS) };
    status & TS_COMPAT != 0
}

/// Whether the task has ever used io_uring, or is one of its threads (whose
/// `io_uring` is NULL).
#[inline(always)]
pub fn uses_io_uring() -> bool {
    if flags() & PF_WORKERS != 0 {
        return true;
    }
    // SAFETY: `current` is typed, and `io_uring` is a pointer.
    let context: u64 = unsafe { field(current().cast(), &layout::TASK_IO_URING) };
    context != 0
}

/// The current system call, from the registers that the kernel saved at its
/// entry: a process cannot change them while the call is under way.
#[derive(Clone, Copy)]
pub enum Call {
    /// `setsockopt(2)` with these arguments; `compat` as `in_compat_syscall`.
    Setsockopt {
        level: i32,
        optname: i32,
        compat: bool,
    },
    /// `socketcall(2)` for `setsockopt`; its arguments lie in user memory.
    Socketcall,
    /// `ioctl(2)` with these arguments.
    Ioctl { command: u32, argument: Address },
    /// `getsockopt(2)` with these arguments.
    Getsockopt { level: i32, optname: i32 },
    /// `sendmsg(2)` or `sendmmsg(2)`, which control messages come by.
    Sendmsg,
    /// `read(2)`, `recvmsg(2)` and their like.
    Read,
    /// `bind(2)`.
    Bind,
    /// `socket(2)`.
    Socket,
    /// `bpf(2)`.
    Bpf,
    /// Anything else, or no call at all.
    Other,
}

/// The call that the current task is in.
#[inline(always)]
pub fn call() -> Call {
    if flags() & (PF_KTHREAD | PF_WORKERS) != 0 {
        return Call::Other;
    }
    // SAFETY: the helper takes any task.
    let registers = unsafe { bpf_task_pt_regs(current()) };
    call_of(Address::of(registers as *const u8)).unwrap_or(Call::Other)
}

#[inline(always)]
fn call_of(registers: Address) -> Option<Call> {
    let number: u64 = registers.read(&layout::PT_REGS_ORIG_AX)?;
    if in_compat_syscall() {
        compat_call(registers, number as u32)
    } else {
        // The kernel takes the lower half alone (`entry_SYSCALL_64`).
        native_call(registers, number as u32)
    }
}

/// arch/x86/entry/syscalls/syscall_64.tbl: arguments in di, si, dx.
#[inline(always)]
fn native_call(registers: Address, number: u32) -> Option<Call> {
    match number {
        54 | 0x4000_021d => {
            let level: u64 = registers.read(&layout::PT_REGS_SI)?;
            let optname: u64 = registers.read(&layout::PT_REGS_DX)?;
            Some(Call::Setsockopt {
                level: level as i32,
                optname: optname as i32,
                compat: number & X32 != 0,
            })
        }
        16 | 0x4000_0202 => {
            let command: u64 = registers.read(&layout::PT_REGS_SI)?;
            let argument = registers.follow(&layout::PT_REGS_DX)?;
            Some(Call::Ioctl {
                command: command as u32,
                argument,
            })
        }
        55 | 0x4000_021e => {
            let level: u64 = registers.read(&layout::PT_REGS_SI)?;
            let optname: u64 = registers.read(&layout::PT_REGS_DX)?;
            Some(Call::Getsockopt {
                level: level as i32,
                optname: optname as i32,
            })
        }
        _ => Some(plain_call(number & !X32)),
    }
}

/// The calls of which the number says enough. (x32 has numbers of its own for
/// some that read; those are told by their place.)
#[inline(always)]
fn plain_call(number: u32) -> Call {
    match number {
        // read, pread64, readv, recvfrom, recvmsg, preadv, recvmmsg, preadv2.
        0 | 17 | 19 | 45 | 47 | 295 | 299 | 327 => Call::Read,
        // sendmsg, sendmmsg; and by the numbers that x32 has for them.
        46 | 307 | 518 | 538 => Call::Sendmsg,
        41 => Call::Socket,
        49 => Call::Bind,
        321 => Call::Bpf,
        _ => Call::Other,
    }
}

/// arch/x86/entry/syscalls/syscall_32.tbl: arguments in bx, cx, dx.
#[inline(always)]
fn compat_call(registers: Address, number: u32) -> Option<Call> {
    match number {
        366 => {
            let level: u64 = registers.read(&layout::PT_REGS_CX)?;
            let optname: u64 = registers.read(&layout::PT_REGS_DX)?;
            Some(Call::Setsockopt {
                level: level as i32,
                optname: optname as i32,
                compat: true,
            })
        }
        102 => {
            let which: u64 = registers.read(&layout::PT_REGS_BX)?;
            Some(match which as u32 {
                SYS_SETSOCKOPT => Call::Socketcall,
                1 => Call::Socket,
                2 => Call::Bind,
                // recv, recvfrom, recvmsg, recvmmsg.
                10 | 12 | 17 | 19 => Call::Read,
                // sendmsg, sendmmsg.
                16 | 20 => Call::Sendmsg,
                _ => Call::Other,
            })
        }
        54 => {
            let command: u64 = registers.read(&layout::PT_REGS_CX)?;
            let argument = registers.follow(&layout::PT_REGS_DX)?;
            Some(Call::Ioctl {
                command: command as u32,
                argument,
            })
        }
        365 => {
            let level: u64 = registers.read(&layout::PT_REGS_CX)?;
            let optname: u64 = registers.read(&layout::PT_REGS_DX)?;
            Some(Call::Getsockopt {
                level: level as i32,
                optname: optname as i32,
            })
        }
        // read, readv, pread64, preadv, recvmmsg, recvfrom, recvmsg, preadv2.
        3 | 145 | 180 | 333 | 337 | 371 | 372 | 378 => Some(Call::Read),
        345 | 370 => Some(Call::Sendmsg),
        357 => Some(Call::Bpf),
        359 => Some(Call::Socket),
        361 => Some(Call::Bind),
        _ => Some(Call::Other),
    }
}

// 541, 542 and 514 of the x32 table, with the bit.
const _: () = assert!(X32 | 541 == 0x4000_021d && X32 | 542 == 0x4000_021e);
const _: () = assert!(X32 | 514 == 0x4000_0202);
