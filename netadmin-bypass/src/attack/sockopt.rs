//! Attempts through `setsockopt(2)` at level `SOL_SOCKET`.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// The options of the article, and `SO_MARK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `SO_DEBUG`.
    Debug,
    /// `SO_PRIORITY`.
    Priority,
    /// `SO_SNDBUFFORCE`.
    SndBufForce,
    /// `SO_RCVBUFFORCE`.
    RcvBufForce,
    /// `SO_MARK`.
    Mark,
}

impl SocketOption {
    /// The kernel's number.
    pub fn number(self) -> i32 {
        match self {
            Self::Debug => libc::SO_DEBUG,
            Self::Priority => libc::SO_PRIORITY,
            Self::SndBufForce => libc::SO_SNDBUFFORCE,
            Self::RcvBufForce => libc::SO_RCVBUFFORCE,
            Self::Mark => libc::SO_MARK,
        }
    }

    /// The manual page's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "SO_DEBUG",
            Self::Priority => "SO_PRIORITY",
            Self::SndBufForce => "SO_SNDBUFFORCE",
            Self::RcvBufForce => "SO_RCVBUFFORCE",
            Self::Mark => "SO_MARK",
        }
    }

    /// Sets it.
    pub fn set(self, socket: BorrowedFd<'_>, value: i32) -> io::Result<()> {
        set_bytes(
            socket,
            libc::SOL_SOCKET,
            self.number(),
            &value.to_ne_bytes(),
        )
    }

    /// What `getsockopt` says; for a forced buffer size the size in force,
    /// which is twice what was asked for.
    pub fn get(self, socket: BorrowedFd<'_>) -> io::Result<i32> {
        let number = match self {
            Self::SndBufForce => libc::SO_SNDBUF,
            Self::RcvBufForce => libc::SO_RCVBUF,
            other => other.number(),
        };
        get_int(socket, libc::SOL_SOCKET, number)
    }
}

/// `socket(2)`, closed on exec.
pub fn open_socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A UDP socket, as in the article's test program.
pub fn udp_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
}

/// `setsockopt(2)` with any bytes.
pub fn set_bytes(socket: BorrowedFd<'_>, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    super::call::setsockopt(socket, level, name, value)
}

/// `getsockopt(2)` of an `int`.
pub fn get_int(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0i32;
    let mut len = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `len` bytes, which `value` has.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    match result {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
