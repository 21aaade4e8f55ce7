//! Options given as control messages of one `sendmsg`.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd as _, AsRawFd as _};

use super::call::send_with_control;
use super::route::Route;
use super::sockopt::set_bytes;

/// `SO_RCVMARK` (asm-generic/socket.h), from 5.19 on: a packet's mark is handed
/// to its receiver.
const SO_RCVMARK: i32 = 75;
const MARK: u32 = 0xb1;

/// Sends a packet with `SO_MARK`, to itself, and looks whether it bears the mark.
pub fn mark() -> io::Result<()> {
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_nonblocking(true)?;
    Route::USUAL.take(|| {
        let on = 1i32.to_ne_bytes();
        set_bytes(receiver.as_fd(), libc::SOL_SOCKET, SO_RCVMARK, &on)
    })?;
    let port = receiver.local_addr()?.port().to_be_bytes();
    let family = u16::try_from(libc::AF_INET).map_err(io::Error::other)?;
    let mut address = family.to_ne_bytes().to_vec();
    address.extend(port);
    address.extend([127, 0, 0, 1]);
    address.extend([0; 8]);
    let sender = super::sockopt::udp_socket()?;
    send_with_control(
        sender.as_fd(),
        &address,
        &control_message(libc::SO_MARK, MARK),
    )?;
    if received_mark(&receiver)? == Some(MARK) {
        return Ok(());
    }
    Err(io::Error::other("the packet arrives without the mark"))
}

/// `struct cmsghdr`, whose length is as long as the ABI's pointers, and a word.
fn control_message(name: i32, value: u32) -> Vec<u8> {
    let narrow = Route::current().abi.is_narrow();
    let (header, total) = if narrow { (12usize, 16) } else { (16, 24) };
    let mut bytes = (header + 4).to_ne_bytes()[..header - 8].to_vec();
    bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
    bytes.extend(name.to_ne_bytes());
    bytes.extend(value.to_ne_bytes());
    bytes.resize(total, 0);
    bytes
}

/// The `SO_MARK` control message of the next packet.
fn received_mark(socket: &UdpSocket) -> io::Result<Option<u32>> {
    let (mut byte, mut control) = ([0u8; 1], [0u64; 8]);
    let mut vector = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: msghdr is plain data, for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the header names buffers that outlive the call.
    if unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled in the header and its control messages.
    let message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    if message.is_null() {
        return Ok(None);
    }
    // SAFETY: a first message lies wholly in the buffer.
    let (message, data) = unsafe { (&*message, libc::CMSG_DATA(message).cast::<u32>()) };
    if message.cmsg_level != libc::SOL_SOCKET || message.cmsg_type != libc::SO_MARK {
        return Ok(None);
    }
    // SAFETY: SO_MARK's data is one u32.
    Ok(Some(unsafe { data.read_unaligned() }))
}
