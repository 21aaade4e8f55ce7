//! A ring of io_uring with an entry or two, by the bare system calls.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::abi::{self, Low, Number};
use super::held::HeldByte;
use super::route::{Abi, Arrival};

const IORING_SETUP_SQPOLL: u32 = 1 << 1;
const IORING_ENTER_GETEVENTS: usize = 1;
const IORING_ENTER_SQ_WAKEUP: usize = 2;
const IOSQE_IO_LINK: u8 = 1 << 2;
const IOSQE_ASYNC: u8 = 1 << 4;
/// `struct io_uring_cqe`, in bytes.
const CQE_LEN: usize = 16;
const IORING_OFF_SQ_RING: libc::off_t = 0;
const IORING_OFF_CQ_RING: libc::off_t = 0x0800_0000;
const IORING_OFF_SQES: libc::off_t = 0x1000_0000;
const IORING_OP_POLL_ADD: u8 = 6;
const IORING_OP_SENDMSG: u8 = 9;
const IORING_OP_WRITE: u8 = 23;
const IORING_OP_SEND: u8 = 26;
const IORING_OP_URING_CMD: u8 = 46;
const SOCKET_URING_OP_SETSOCKOPT: u32 = 3;
/// Everything of so small a ring fits a page.
const ENTRIES: usize = 2;
const PAGE: usize = 4096;

/// `struct io_uring_sqe`, of which an entry here uses no more.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    offset_or_command: u64,
    address_or_level: [u32; 2],
    len: u32,
    call_flags: u32,
    user_data: u64,
    buffer: u16,
    personality: u16,
    optlen: u32,
    optval: u64,
    padding: u64,
}

const _: () = assert!(size_of::<Entry>() == 64);

impl Entry {
    /// `write(2)`.
    pub fn write(fd: RawFd, bytes: &[u8]) -> Self {
        // All ones: at the file's own position, which sockets need.
        Self::on_bytes(IORING_OP_WRITE, fd, bytes, u64::MAX)
    }

    /// `send(2)`.
    pub fn send(fd: RawFd, bytes: &[u8]) -> Self {
        Self::on_bytes(IORING_OP_SEND, fd, bytes, 0)
    }

    /// `sendmsg(2)`; the struct at `header` is that of the ring's ABI.
    pub fn sendmsg(fd: RawFd, header: usize) -> Self {
        let header = header as u64;
        Self {
            opcode: IORING_OP_SENDMSG,
            fd,
            address_or_level: [header as u32, (header >> 32) as u32],
            len: 1,
            ..Self::default()
        }
    }

    /// `setsockopt(2)`, from kernel 6.7 on.
    pub fn setsockopt(fd: RawFd, level: i32, name: i32, value: &[u8]) -> Self {
        Self {
            opcode: IORING_OP_URING_CMD,
            fd,
            offset_or_command: SOCKET_URING_OP_SETSOCKOPT.into(),
            address_or_level: [level.cast_unsigned(), name.cast_unsigned()],
            optlen: value.len() as u32,
            optval: value.as_ptr() as u64,
            ..Self::default()
        }
    }

    /// Waits until there is something to read, and only then lets the next entry
    /// begin.
    fn readable_then(fd: RawFd) -> Self {
        Self {
            opcode: IORING_OP_POLL_ADD,
            flags: IOSQE_IO_LINK,
            fd,
            call_flags: libc::POLLIN as u32,
            ..Self::default()
        }
    }

    fn on_bytes(opcode: u8, fd: RawFd, bytes: &[u8], offset_or_command: u64) -> Self {
        let address = bytes.as_ptr() as u64;
        Self {
            opcode,
            fd,
            offset_or_command,
            address_or_level: [address as u32, (address >> 32) as u32],
            len: bytes.len() as u32,
            ..Self::default()
        }
    }
}

/// Submits one entry on a new ring and waits for its result.
pub fn submit(abi: Abi, arrival: Arrival, mut entry: Entry) -> io::Result<usize> {
    if arrival == Arrival::RingWorker {
        entry.flags |= IOSQE_ASYNC;
    }
    let mut result = -libc::EINTR;
    // What a call would be restarted for, a ring hands back (`restart_syscall`).
    while result == -libc::EINTR {
        let ring = Ring::new(abi, arrival == Arrival::RingPoll)?;
        result = match arrival {
            Arrival::RingTaskWork => ring.submit_under_another_call(entry)?,
            _ => ring.submit(entry)?,
        };
    }
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()))
}

#[derive(Debug)]
struct Ring {
    fd: OwnedFd,
    parameters: Vec<u8>,
    submissions: Mapping,
    completions: Mapping,
    entries: Mapping,
    polls: bool,
}

impl Ring {
    /// The ring belongs to the ABI that makes it; it is used natively.
    fn new(abi: Abi, polls: bool) -> io::Result<Self> {
        let mut parameters = Low::new(120)?;
        let flags = if polls { IORING_SETUP_SQPOLL } else { 0 };
        parameters.bytes()[8..12].copy_from_slice(&flags.to_ne_bytes());
        let arguments = [ENTRIES, parameters.address(), 0, 0, 0];
        // SAFETY: the kernel reads and writes one io_uring_params of 120 bytes.
        let fd = unsafe { abi::call(abi, Number::IO_URING_SETUP, arguments) }?;
        let raw = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the descriptor was just made, and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Self {
            submissions: Mapping::new(raw, IORING_OFF_SQ_RING)?,
            completions: Mapping::new(raw, IORING_OFF_CQ_RING)?,
            entries: Mapping::new(raw, IORING_OFF_SQES)?,
            parameters: parameters.bytes().to_vec(),
            fd,
            polls,
        })
    }

    fn submit(&self, entry: Entry) -> io::Result<i32> {
        self.queue(&[entry])?;
        let wakes = if self.polls {
            IORING_ENTER_SQ_WAKEUP
        } else {
            0
        };
        self.enter(1, 1, wakes)?;
        self.result(0)
    }

    /// The entry begins in `task_work_run`, on the way out of a `setsockopt` that
    /// makes a byte readable which has been there.
    fn submit_under_another_call(&self, entry: Entry) -> io::Result<i32> {
        let held = HeldByte::new()?;
        self.queue(&[Entry::readable_then(held.receiver.as_raw_fd()), entry])?;
        self.enter(2, 0, 0)?;
        held.let_go()?;
        self.enter(0, 2, 0)?;
        self.result(1)
    }

    fn queue(&self, entries: &[Entry]) -> io::Result<()> {
        // Offsets in io_uring_params: sq_off at 40 (tail, array).
        for (place, entry) in entries.iter().enumerate() {
            // SAFETY: the mapping has room for as many entries as the ring has.
            unsafe { self.entries.0.cast::<Entry>().add(place).write(*entry) };
            let slot = self.offset(40 + 24) + 4 * place;
            let slot = self.submissions.word(slot)?;
            slot.store(place as u32, Ordering::Relaxed);
        }
        let tail = self.submissions.word(self.offset(40 + 4))?;
        tail.store(entries.len() as u32, Ordering::Release);
        Ok(())
    }

    fn enter(&self, submits: usize, awaits: usize, flags: usize) -> io::Result<usize> {
        let fd = self.fd.as_raw_fd().cast_unsigned() as usize;
        let arguments = [fd, submits, awaits, IORING_ENTER_GETEVENTS | flags, 0];
        // SAFETY: no signal mask is given, so no memory is read.
        unsafe { abi::call(Abi::Native, Number::IO_URING_ENTER, arguments) }
    }

    /// The result of the completion at this place; cq_off is at 80 (cqes).
    fn result(&self, place: usize) -> io::Result<i32> {
        let offset = self.offset(80 + 20) + CQE_LEN * place + 8;
        let result = self.completions.word(offset)?;
        Ok(result.load(Ordering::Acquire).cast_signed())
    }

    fn offset(&self, at: usize) -> usize {
        super::netlink::number_at(&self.parameters, at).map_or(PAGE, |offset| offset as usize)
    }
}

/// A page of the ring's shared memory.
#[derive(Debug)]
struct Mapping(*mut u8);

impl Mapping {
    fn new(fd: RawFd, offset: libc::off_t) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_POPULATE;
        // SAFETY: a new mapping touches no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), PAGE, protection, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(start.cast()))
    }

    /// The word at an offset, which the kernel writes, too.
    fn word(&self, offset: usize) -> io::Result<&AtomicU32> {
        if !offset.is_multiple_of(4) || offset + 4 > PAGE {
            return Err(io::Error::other(format!("a ring's offset {offset}")));
        }
        // SAFETY: within the page, aligned, and never taken as anything else.
        Ok(unsafe { &*self.0.add(offset).cast::<AtomicU32>() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.0.cast(), PAGE) };
    }
}
