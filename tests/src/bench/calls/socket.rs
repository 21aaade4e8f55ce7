//! `setsockopt(2)`.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::{DEVICE, Prepared, check};
use netadmin_bypass::attack::SocketOption;
use netadmin_bypass::attack::index_of;
use netadmin_bypass::attack::sockopt::{open_socket, udp_socket};

/// linux/if_packet.h.
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_MR_MULTICAST: u16 = 0;

pub fn receive_buffer() -> io::Result<Prepared> {
    let socket = udp_socket()?;
    let size = 65536i32;
    Ok(Box::new(move || {
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &size)
    }))
}

pub fn priority(value: i32) -> io::Result<Prepared> {
    option(SocketOption::Priority, value)
}

pub fn mark(value: i32) -> io::Result<Prepared> {
    option(SocketOption::Mark, value)
}

pub fn debug() -> io::Result<Prepared> {
    option(SocketOption::Debug, 1)
}

fn option(option: SocketOption, value: i32) -> io::Result<Prepared> {
    let socket = udp_socket()?;
    Ok(Box::new(move || {
        set(&socket, libc::SOL_SOCKET, option.number(), &value)
    }))
}

/// `setsockopt(2)`, and nothing besides.
fn set<T>(socket: &OwnedFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads one `T`.
    check(unsafe {
        let value = std::ptr::from_ref(value).cast();
        libc::setsockopt(socket.as_raw_fd(), level, name, value, len)
    })
}

/// A multicast address, again and again: the kernel counts.
pub fn membership() -> io::Result<Prepared> {
    let socket = open_socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    let request = libc::packet_mreq {
        mr_ifindex: index_of(DEVICE)?.cast_signed(),
        mr_type: PACKET_MR_MULTICAST,
        mr_alen: 6,
        mr_address: [1, 0, 0x5e, 0, 0, 1, 0, 0],
    };
    Ok(Box::new(move || {
        set(&socket, libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)
    }))
}
