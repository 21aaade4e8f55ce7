//! The calls that attempts are made of, each on the route in force.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use super::abi::{self, Low, Number, narrow};
use super::ring::{self, Entry};
use super::route::{Abi, Arrival, Route};

/// `SYS_SEND` and its like (linux/net.h).
const SYS_SEND: usize = 9;
const SYS_SETSOCKOPT: usize = 14;
const SYS_SENDMSG: usize = 16;
const SYS_SENDMMSG: usize = 20;

/// `ioctl(2)` with a struct that the kernel reads and writes.
pub fn ioctl(fd: BorrowedFd<'_>, command: u32, argument: &mut [u8]) -> io::Result<()> {
    let abi = Route::current().abi;
    let mut low = Low::of(argument)?;
    // Only 32-bit pointers need it; but what works for them works for all.
    let arguments = [number(fd), command as usize, low.address(), 0, 0];
    // SAFETY: these commands read and write one struct, and what it points to.
    let result = unsafe { abi::call(abi, Number::IOCTL, arguments) };
    let len = argument.len();
    argument.copy_from_slice(&low.bytes()[..len]);
    result.map(drop)
}

/// `setsockopt(2)` with any bytes.
pub fn setsockopt(fd: BorrowedFd<'_>, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let Route { abi, arrival } = Route::current();
    let low = Low::of(value)?;
    let words = [level, name].map(|word| word.cast_unsigned() as usize);
    let arguments = [number(fd), words[0], words[1], low.address(), value.len()];
    match arrival {
        arrival if arrival.is_ring() => {
            let entry = Entry::setsockopt(fd.as_raw_fd(), level, name, value);
            ring::submit(abi, arrival, entry)
        }
        Arrival::Socketcall => socketcall(abi, SYS_SETSOCKOPT, &arguments),
        // SAFETY: the kernel reads as many bytes as the value has.
        _ => unsafe { abi::call(abi, Number::SETSOCKOPT, arguments) },
    }
    .map(drop)
}

/// Writes all bytes at once: to a socket, or to a file.
pub fn put(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let Route { abi, arrival } = Route::current();
    let raw = fd.as_raw_fd();
    let sent = match arrival {
        arrival if arrival.is_ring() && is_socket(fd) => {
            ring::submit(abi, arrival, Entry::send(raw, bytes))
        }
        arrival if arrival.is_ring() => ring::submit(abi, arrival, Entry::write(raw, bytes)),
        Arrival::Splice => splice(raw, bytes),
        Arrival::Sendfile => sendfile(raw, bytes),
        _ => put_from_memory(abi, arrival, fd, bytes),
    }?;
    if sent != bytes.len() {
        return Err(io::Error::other(format!("{sent} of {} bytes", bytes.len())));
    }
    Ok(())
}

fn put_from_memory(
    abi: Abi,
    arrival: Arrival,
    fd: BorrowedFd<'_>,
    bytes: &[u8],
) -> io::Result<usize> {
    let low = Low::of(bytes)?;
    let vector = words(abi, &[low.address(), bytes.len()])?;
    // name, namelen, iov, iovlen, control, controllen, flags; and msg_len.
    let header = words(abi, &[0, 0, vector.address(), 1, 0, 0, 0, 0])?;
    let plain = [number(fd), low.address(), bytes.len(), 0, 0];
    let message = [number(fd), header.address(), 0, 0, 0];
    let messages = [number(fd), header.address(), 1, 0, 0];
    let vectors = [number(fd), vector.address(), 1, 0, 0];
    // SAFETY: the kernel reads the bytes, and the structs that name them.
    unsafe {
        match arrival {
            Arrival::Write => abi::call(abi, Number::WRITE, plain),
            Arrival::Writev => abi::call(abi, Number::WRITEV, vectors),
            Arrival::Socketcall => socketcall(abi, SYS_SEND, &plain[..4]),
            Arrival::Sendmmsg => {
                let sent = abi::call(abi, Number::SENDMMSG, messages)?;
                Ok(if sent == 1 { bytes.len() } else { 0 })
            }
            _ if is_socket(fd) => abi::call(abi, Number::SENDMSG, message),
            _ => abi::call(abi, Number::WRITE, plain),
        }
    }
}

/// What `sendmsg(2)` sends: to whom, what, and with which control messages.
#[derive(Clone, Debug)]
pub struct Packet {
    /// A `sockaddr`.
    pub address: Vec<u8>,
    /// The bytes.
    pub payload: Vec<u8>,
    /// `msg_control`, as the ABI in force has it.
    pub control: Vec<u8>,
}

/// `sendmsg(2)` or the like of one packet; of several, `sendmmsg(2)`. Returns how
/// many have gone.
pub fn send_packets(fd: BorrowedFd<'_>, packets: &[Packet]) -> io::Result<usize> {
    let Route { abi, arrival } = Route::current();
    let mut kept = Vec::new();
    let mut headers = Vec::new();
    for packet in packets {
        let parts = [&packet.address, &packet.payload, &packet.control];
        let [name, bytes, control] = parts.map(|part| Low::of(part));
        let (name, bytes, control) = (name?, bytes?, control?);
        let vector = words(abi, &[bytes.address(), packet.payload.len()])?;
        let [name_len, control_len] = [packet.address.len(), packet.control.len()];
        // name, namelen, iov, iovlen, control, controllen, flags; and msg_len.
        headers.extend([name.address(), name_len, vector.address(), 1]);
        headers.extend([control.address(), control_len, 0, 0]);
        kept.extend([name, bytes, control, vector]);
    }
    let headers = words(abi, &headers)?;
    let one = [number(fd), headers.address(), 0, 0, 0];
    let several = [number(fd), headers.address(), packets.len(), 0, 0];
    let sent = match arrival {
        Arrival::Socketcall if packets.len() == 1 => socketcall(abi, SYS_SENDMSG, &one[..3]),
        Arrival::Socketcall => return socketcall(abi, SYS_SENDMMSG, &several[..4]),
        arrival if arrival.is_ring() => {
            let entry = Entry::sendmsg(fd.as_raw_fd(), headers.address());
            ring::submit(abi, arrival, entry)
        }
        _ if arrival == Arrival::Sendmmsg || packets.len() > 1 => {
            // SAFETY: the kernel reads the structs, and what they name.
            return unsafe { abi::call(abi, Number::SENDMMSG, several) };
        }
        // SAFETY: likewise.
        _ => unsafe { abi::call(abi, Number::SENDMSG, one) },
    };
    sent.map(|_bytes| 1)
}

fn socketcall(abi: Abi, which: usize, arguments: &[usize]) -> io::Result<usize> {
    let words = Low::of_words(arguments)?;
    let arguments = [which, words.address(), 0, 0, 0];
    // SAFETY: as for the call that the words describe.
    unsafe { abi::call(abi, Number::SOCKETCALL, arguments) }
}

/// Words as long as this ABI's pointers. (In `struct msghdr`, 64-bit code has
/// padding where the others have none, so that each field is a word.)
fn words(abi: Abi, values: &[usize]) -> io::Result<Low> {
    if abi.is_narrow() {
        return Low::of(&narrow(values));
    }
    Low::of(
        &values
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect::<Vec<_>>(),
    )
}

fn splice(to: RawFd, bytes: &[u8]) -> io::Result<usize> {
    use std::io::Write as _;
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(bytes)?;
    let none = std::ptr::null_mut();
    // SAFETY: neither end is at an offset, so no memory is read.
    let moved = unsafe { libc::splice(reader.as_raw_fd(), none, to, none, bytes.len(), 0) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

fn sendfile(to: RawFd, bytes: &[u8]) -> io::Result<usize> {
    use std::io::{Seek as _, Write as _};
    // SAFETY: the name is a zero-terminated string.
    let raw = unsafe { libc::memfd_create(c"attack".as_ptr(), libc::MFD_CLOEXEC) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else owns it.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(raw) });
    file.write_all(bytes)?;
    file.rewind()?;
    // SAFETY: no offset is given, so no memory is read.
    let moved = unsafe { libc::sendfile(to, raw, std::ptr::null_mut(), bytes.len()) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

fn is_socket(fd: BorrowedFd<'_>) -> bool {
    super::sockopt::get_int(fd, libc::SOL_SOCKET, libc::SO_TYPE).is_ok()
}

fn number(fd: BorrowedFd<'_>) -> usize {
    fd.as_raw_fd().cast_unsigned() as usize
}
