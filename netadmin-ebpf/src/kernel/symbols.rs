//! Where functions of the kernel lie. The agent finds them in /proc/kallsyms
//! (`netadmin-agent/src/kernel/symbols.rs` has the same order); what this
//! kernel lacks contains no address.

use crate::maps::SYMBOLS;

/// The functions that are looked for on the stack.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Function {
    /// Hands a datagram to the kernel's side, within the sender's call.
    NetlinkUnicast = 0,
    /// A write to a file of sysfs.
    KernfsFopWriteIter = 1,
    /// A read or write of a file of /proc/sys.
    ProcSysCallHandler = 2,
    /// A control message, such as SO_MARK.
    SockCmsgSend = 3,
    /// A socket option set, also by io_uring (from 6.7 on).
    DoSockSetsockopt = 4,
    /// What is done on the way out of a call, such as io_uring's work.
    TaskWorkRun = 5,
    /// A character device opened, such as /dev/ppp.
    ChrdevOpen = 6,
    /// A netlink socket bound to groups.
    NetlinkBind = 7,
}

/// The addresses of one function.
#[derive(Clone, Copy)]
pub struct Range {
    start: u64,
    end: u64,
}

impl Function {
    /// Where it lies; nowhere, if that is not known.
    #[inline(always)]
    pub fn range(self) -> Range {
        let place = self as u32 * 2;
        match (SYMBOLS.get(place), SYMBOLS.get(place + 1)) {
            (Some(&start), Some(&end)) => Range { start, end },
            _ => Range { start: 0, end: 0 },
        }
    }
}

impl Range {
    /// Whether it is known where the function lies.
    #[inline(always)]
    pub fn is_known(self) -> bool {
        self.start < self.end
    }

    /// Whether a return address lies in it: after its first byte, and, if its
    /// last instruction is the call, right behind it.
    #[inline(always)]
    pub fn contains(self, address: u64) -> bool {
        self.start < address && address <= self.end
    }
}
