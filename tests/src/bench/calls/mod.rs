//! The calls that are measured.

mod device;
mod netlink;
mod nftables;
mod plain;
mod socket;

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::sample::Prepared;

/// A call, by name.
pub struct Call {
    /// Its name, in tables and reports.
    pub name: &'static str,
    /// How often it is made in one batch.
    pub batch: u32,
    /// Opens what it needs, once.
    pub prepare: fn() -> io::Result<Prepared>,
}

const fn call(name: &'static str, batch: u32, prepare: fn() -> io::Result<Prepared>) -> Call {
    Call {
        name,
        batch,
        prepare,
    }
}

/// Names that targets speak of.
pub mod name {
    pub const GETPPID: &str = "getppid";
    pub const READ: &str = "read";
    pub const WRITE: &str = "write";
    pub const OPENAT: &str = "openat, close";
    pub const FORK: &str = "fork, exit";
    pub const EXEC: &str = "fork, exec, exit";
    pub const RCVBUF: &str = "setsockopt SO_RCVBUF";
    pub const PRIORITY_2: &str = "setsockopt SO_PRIORITY=2";
    pub const PRIORITY_9: &str = "setsockopt SO_PRIORITY=9";
    pub const MARK_7: &str = "setsockopt SO_MARK=7";
    pub const MEMBERSHIP: &str = "setsockopt PACKET_ADD_MEMBERSHIP";
    pub const FIONREAD: &str = "ioctl FIONREAD";
    pub const TIOCGWINSZ: &str = "ioctl TIOCGWINSZ";
    pub const GET_FLAGS: &str = "ioctl SIOCGIFFLAGS";
    pub const SET_FLAGS: &str = "ioctl SIOCSIFFLAGS, no change";
    pub const GET_LINK: &str = "RTM_GETLINK dump";
    pub const GET_ROUTE: &str = "RTM_GETROUTE dump";
    pub const NEW_LINK: &str = "RTM_NEWLINK, no change";
    pub const NEW_ROUTE: &str = "RTM_NEWROUTE, replace";
    pub const ROUTES_10: &str = "RTM_NEWROUTE, 10 in a datagram";
    pub const ROUTES_30: &str = "RTM_NEWROUTE, 30 in a datagram";
    pub const NFT_10: &str = "nft batch, 10 rules";
    pub const NFT_1000: &str = "nft batch, 1000 rules";
    pub const DEBUG: &str = "setsockopt SO_DEBUG=1";
    pub const PROMISC: &str = "ioctl SIOCSIFFLAGS, IFF_PROMISC";
    pub const DEBUG_UNTOLD: &str = "setsockopt SO_DEBUG=1, no event";
    pub const PROMISC_UNTOLD: &str = "ioctl SIOCSIFFLAGS, IFF_PROMISC, no event";
}

/// Calls with one effect however often they are made.
pub const ORDINARY: &[Call] = &[
    call(name::GETPPID, 200, plain::getppid),
    call(name::READ, 200, plain::read),
    call(name::WRITE, 200, plain::write),
    call(name::OPENAT, 50, plain::openat),
    call(name::FORK, 1, plain::fork),
    call(name::EXEC, 1, plain::exec),
    call(name::RCVBUF, 200, socket::receive_buffer),
    call(name::PRIORITY_2, 200, || socket::priority(2)),
    call(name::PRIORITY_9, 100, || socket::priority(9)),
    call(name::MARK_7, 200, || socket::mark(7)),
    call(name::MEMBERSHIP, 50, socket::membership),
    call(name::FIONREAD, 200, device::unread),
    call(name::TIOCGWINSZ, 200, device::window_size),
    call(name::GET_FLAGS, 100, device::get_flags),
    call(name::SET_FLAGS, 100, device::set_flags),
    call(name::GET_LINK, 3, netlink::links),
    call(name::GET_ROUTE, 3, netlink::routes),
    call(name::NEW_LINK, 30, netlink::set_link),
    call(name::NEW_ROUTE, 20, netlink::replace_route),
    call(name::ROUTES_10, 3, || netlink::replace_routes(10)),
    call(name::ROUTES_30, 1, || netlink::replace_routes(30)),
    call(name::NFT_10, 1, || nftables::batch(10)),
    call(name::NFT_1000, 1, || nftables::batch(1000)),
];

/// Calls that the example policy refuses, each with an event.
pub const REFUSED: &[Call] = &[
    call(name::DEBUG, 30, socket::debug),
    call(name::PROMISC, 30, device::promiscuous),
];

/// The same once the buffer of events is full: no event is written any more.
pub const UNTOLD: &[Call] = &[
    call(name::DEBUG_UNTOLD, 30, socket::debug),
    call(name::PROMISC_UNTOLD, 30, device::promiscuous),
];

/// More refusals than the buffer of events holds.
pub fn fill_events() -> io::Result<()> {
    const MORE_THAN_FIT: u32 = 12_000;
    let mut refused = socket::debug()?;
    for _ in 0..MORE_THAN_FIT {
        // Unguarded it succeeds, and fills nothing.
        let _ = refused();
    }
    Ok(())
}

/// The devices and routes that the calls are about, in a network namespace of
/// their own; made from outside.
pub fn set_up() -> io::Result<()> {
    crate::rig::make::dummy(DEVICE)?;
    crate::rig::make::dummy("bench1")?;
    netlink::add_routes(DEVICE)
}

/// The device that calls are about.
const DEVICE: &str = "bench0";

/// Sends a datagram. (The attacks' own `send` copies it to where 32-bit code could
/// name it, which costs more than what is measured.)
fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as there are.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    check(i64::try_from(sent).unwrap_or(-1))
}

/// Turns a system call's result into ours.
#[inline]
fn check(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
