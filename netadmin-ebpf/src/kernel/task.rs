//! The current task, and the system call that it is in (x86-64).

use aya_ebpf::{
    bindings::task_struct,
    helpers::generated::{bpf_get_current_task_btf, bpf_task_pt_regs},
};

use super::{
    Address,
    cast::{follow, through},
    field, layout,
    layout::Offset,
};

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

/// Who a task is, for events: as `bpf_get_current_pid_tgid`, `_uid_gid` and `_comm`
/// say, without a call for each.
pub struct Identity {
    /// The process, and the thread, in the initial pid namespace.
    pub pid: u32,
    pub tid: u32,
    /// The user, in the initial user namespace.
    pub uid: u32,
    /// `comm`, sixteen bytes.
    pub name: [u64; 2],
}

/// Who the current task is.
#[inline(always)]
pub fn identity() -> Identity {
    let task = current().cast_const().cast();
    // SAFETY: `current` is typed, and these are fields of it, and of its `cred`,
    // which no task is without.
    unsafe {
        Identity {
            pid: field(task, &layout::TASK_TGID),
            tid: field(task, &layout::TASK_PID),
            uid: through(follow(task, &layout::TASK_CRED), &layout::CRED_UID),
            name: field(task, &layout::TASK_COMM),
        }
    }
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
    let context = unsafe { follow(current().cast_const().cast(), &layout::TASK_IO_URING) };
    !context.is_null()
}

/// Whether the saved registers may not name the call: 32-bit code can pass its
/// arguments in memory, and io_uring's work is done under another call's.
#[inline(always)]
pub fn hides_its_call() -> bool {
    // SAFETY: `current` is typed, and these are its fields.
    let (flags, status, context): (u32, u32, u64) = unsafe {
        let task = current().cast_const().cast();
        (
            field(task, &layout::TASK_FLAGS),
            field(task, &layout::TASK_STATUS),
            field(task, &layout::TASK_IO_URING),
        )
    };
    flags & PF_WORKERS != 0 || status & TS_COMPAT != 0 || context != 0
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
    /// `sendto(2)`, which brings a datagram and writes to no file.
    Sendto,
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
    let registers = Registers(registers as *const u8);
    // The kernel takes the lower half alone (`entry_SYSCALL_64`).
    let number = registers.get(&layout::PT_REGS_ORIG_AX) as u32;
    if in_compat_syscall() {
        compat_call(registers, number)
    } else {
        native_call(registers, number)
    }
}

/// A `struct pt_regs`, typed for the verifier.
#[derive(Clone, Copy)]
struct Registers(*const u8);

impl Registers {
    #[inline(always)]
    fn get(self, register: &Offset) -> u64 {
        // SAFETY: `call` has it of `bpf_task_pt_regs`, and registers are longs.
        unsafe { field(self.0, register) }
    }

    #[inline(always)]
    fn setsockopt(self, level: &Offset, compat: bool) -> Call {
        Call::Setsockopt {
            level: self.get(level) as i32,
            optname: self.get(&layout::PT_REGS_DX) as i32,
            compat,
        }
    }

    #[inline(always)]
    fn getsockopt(self, level: &Offset) -> Call {
        Call::Getsockopt {
            level: self.get(level) as i32,
            optname: self.get(&layout::PT_REGS_DX) as i32,
        }
    }

    #[inline(always)]
    fn ioctl(self, command: &Offset) -> Call {
        Call::Ioctl {
            command: self.get(command) as u32,
            argument: Address::from_field(self.get(&layout::PT_REGS_DX)),
        }
    }
}

/// arch/x86/entry/syscalls/syscall_64.tbl: arguments in di, si, dx.
#[inline(always)]
fn native_call(registers: Registers, number: u32) -> Call {
    match number {
        54 | 0x4000_021d => registers.setsockopt(&layout::PT_REGS_SI, number & X32 != 0),
        16 | 0x4000_0202 => registers.ioctl(&layout::PT_REGS_SI),
        55 | 0x4000_021e => registers.getsockopt(&layout::PT_REGS_SI),
        _ => plain_call(number & !X32),
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
        44 => Call::Sendto,
        41 => Call::Socket,
        49 => Call::Bind,
        321 => Call::Bpf,
        _ => Call::Other,
    }
}

/// arch/x86/entry/syscalls/syscall_32.tbl: arguments in bx, cx, dx.
#[inline(always)]
fn compat_call(registers: Registers, number: u32) -> Call {
    match number {
        366 => registers.setsockopt(&layout::PT_REGS_CX, true),
        102 => match registers.get(&layout::PT_REGS_BX) as u32 {
            SYS_SETSOCKOPT => Call::Socketcall,
            1 => Call::Socket,
            2 => Call::Bind,
            // recv, recvfrom, recvmsg, recvmmsg.
            10 | 12 | 17 | 19 => Call::Read,
            // send, sendto.
            9 | 11 => Call::Sendto,
            // sendmsg, sendmmsg.
            16 | 20 => Call::Sendmsg,
            _ => Call::Other,
        },
        54 => registers.ioctl(&layout::PT_REGS_CX),
        365 => registers.getsockopt(&layout::PT_REGS_CX),
        // read, readv, pread64, preadv, recvmmsg, recvfrom, recvmsg, preadv2.
        3 | 145 | 180 | 333 | 337 | 371 | 372 | 378 => Call::Read,
        345 | 370 => Call::Sendmsg,
        369 => Call::Sendto,
        357 => Call::Bpf,
        359 => Call::Socket,
        361 => Call::Bind,
        _ => Call::Other,
    }
}

// 541, 542 and 514 of the x32 table, with the bit.
const _: () = assert!(X32 | 541 == 0x4000_021d && X32 | 542 == 0x4000_021e);
const _: () = assert!(X32 | 514 == 0x4000_0202);
