//! System calls by number, in each of the ABIs that this processor has.

use std::io;
use std::ptr;

use super::route::Abi;

/// A system call's number in each ABI (arch/x86/entry/syscalls/*.tbl).
#[derive(Clone, Copy, Debug)]
pub struct Number {
    x86_64: i32,
    i386: i32,
    x32: i32,
}

impl Number {
    const fn new(x86_64: i32, i386: i32, x32: i32) -> Self {
        Self { x86_64, i386, x32 }
    }

    /// `ioctl(fd, command, argument)`.
    pub const IOCTL: Self = Self::new(16, 54, 514);
    /// `setsockopt(fd, level, name, value, len)`.
    pub const SETSOCKOPT: Self = Self::new(54, 366, 541);
    /// `sendmsg(fd, message, flags)`.
    pub const SENDMSG: Self = Self::new(46, 370, 518);
    /// `sendmmsg(fd, messages, count, flags)`.
    pub const SENDMMSG: Self = Self::new(307, 345, 538);
    /// `write(fd, buffer, len)`.
    pub const WRITE: Self = Self::new(1, 4, 1);
    /// `writev(fd, vector, count)`.
    pub const WRITEV: Self = Self::new(20, 146, 516);
    /// `socketcall(call, arguments)`; 32-bit code alone has it.
    pub const SOCKETCALL: Self = Self::new(-1, 102, -1);
    /// `io_uring_setup(entries, parameters)`.
    pub const IO_URING_SETUP: Self = Self::new(425, 425, 425);
    /// `io_uring_enter(fd, submit, wait, flags, signals)`.
    pub const IO_URING_ENTER: Self = Self::new(426, 426, 426);
}

/// `__X32_SYSCALL_BIT`.
const X32_BIT: i32 = 0x4000_0000;

/// Makes a system call.
///
/// # Safety
/// The arguments must be such that the kernel reads and writes only memory that
/// is there for it. In a narrow ABI pointers must lie below 4 GiB, see [`Low`].
pub unsafe fn call(abi: Abi, number: Number, arguments: [usize; 5]) -> io::Result<usize> {
    let native = if cfg!(target_pointer_width = "32") {
        number.i386
    } else {
        number.x86_64
    };
    // SAFETY: the caller has seen to it.
    unsafe {
        match abi {
            Abi::Native => libc_call(native, arguments),
            Abi::X32 => libc_call(number.x32 | X32_BIT, arguments),
            Abi::Int80 => int80(number.i386, arguments),
        }
    }
}

/// # Safety
/// As for [`call`].
unsafe fn libc_call(number: i32, [a, b, c, d, e]: [usize; 5]) -> io::Result<usize> {
    // SAFETY: the caller has seen to it.
    let result = unsafe { libc::syscall(number.into(), a, b, c, d, e, 0usize) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// # Safety
/// As for [`call`].
#[cfg(target_arch = "x86_64")]
unsafe fn int80(number: i32, arguments: [usize; 5]) -> io::Result<usize> {
    let [a, b, c, d, e] = arguments.map(|argument| argument & 0xffff_ffff);
    let result: i64;
    // SAFETY: the caller has seen to the arguments. rbx, which the compiler
    // keeps for itself, is put back; the rest is declared.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) a => _,
            inlateout("rax") i64::from(number) => result,
            in("rcx") b, in("rdx") c, in("rsi") d, in("rdi") e,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // The lower half is the i386 result.
    let result = result as i32;
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()))
}

/// # Safety
/// None is needed.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn int80(_number: i32, _arguments: [usize; 5]) -> io::Result<usize> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Memory below 4 GiB, where 32-bit pointers reach.
#[derive(Debug)]
pub struct Low {
    start: *mut u8,
    len: usize,
}

impl Low {
    /// Room for so many bytes, all zero.
    pub fn new(len: usize) -> io::Result<Self> {
        #[cfg(target_arch = "x86_64")]
        let below = libc::MAP_32BIT;
        #[cfg(not(target_arch = "x86_64"))]
        let below = 0;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | below;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping touches no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), len.max(1), protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            start: start.cast(),
            len: len.max(1),
        })
    }

    /// A copy of these bytes.
    pub fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut low = Self::new(bytes.len())?;
        low.bytes()[..bytes.len()].copy_from_slice(bytes);
        Ok(low)
    }

    /// A copy of these 32-bit words.
    pub fn of_words(words: &[usize]) -> io::Result<Self> {
        Self::of(&narrow(words))
    }

    /// Where it is.
    pub fn address(&self) -> usize {
        self.start as usize
    }

    /// What is in it.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is ours alone, and as long as `len`.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Low {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

/// Words as 32-bit code lays them out.
pub fn narrow(words: &[usize]) -> Vec<u8> {
    let halves = words.iter().map(|word| (*word & 0xffff_ffff) as u32);
    halves.flat_map(u32::to_ne_bytes).collect()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{Abi, Low, Number, call};

    #[test]
    fn int_0x80_reaches_the_same_kernel() {
        use std::io::Read as _;
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let text = Low::of(b"over").expect("low memory");
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&writer);
        let arguments = [descriptor.cast_unsigned() as usize, text.address(), 4, 0, 0];
        // SAFETY: the kernel reads four bytes of low memory.
        let written = unsafe { call(Abi::Int80, Number::WRITE, arguments) };
        drop(writer);
        let mut seen = String::new();
        reader.read_to_string(&mut seen).expect("read");
        match written {
            Ok(len) => assert_eq!((len, seen.as_str()), (4, "over")),
            // A kernel without IA32 emulation kills the task, or says so.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOSYS)),
        }
    }
}
