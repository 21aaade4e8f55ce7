//! Requests, and making them.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use netadmin_bypass::attack::netlink::{first_error, send};
use netadmin_bypass::attack::sockopt::{open_socket, set_bytes};
use netadmin_bypass::attack::{sysfs, tun};

use crate::rig::errno_of;

/// As long as any struct that these commands read or write.
pub const ARGUMENT: usize = 256;

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Request {
    /// A datagram.
    Netlink { protocol: u16, bytes: Vec<u8> },
    /// An ioctl on a socket of this address family.
    Ioctl {
        domain: i32,
        command: u32,
        bytes: Vec<u8>,
    },
    /// A tap device.
    Tun(&'static str),
    /// `setsockopt(2)`.
    SetOption {
        socket: (i32, i32, i32),
        level: i32,
        name: i32,
        value: Vec<u8>,
    },
    /// `getsockopt(2)`.
    GetOption {
        socket: (i32, i32, i32),
        level: i32,
        name: i32,
    },
    /// `socket(2)`.
    Socket { socket: (i32, i32, i32) },
    /// `bind(2)` of a netlink socket to groups.
    Bind { protocol: i32, groups: u32 },
    /// A write to a device's file in sysfs.
    Sysfs {
        device: &'static str,
        file: &'static str,
        text: &'static str,
    },
    /// A write below /proc/sys/net.
    Sysctl { path: String, text: &'static str },
}

impl Request {
    /// Asks, and returns the errno; of a datagram, that of its first message that
    /// failed.
    pub fn make(&self) -> i32 {
        errno_of(&self.ask())
    }

    fn ask(&self) -> io::Result<()> {
        match self {
            Self::Netlink { protocol, bytes } => {
                let protocol = i32::from(*protocol);
                let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
                send(&socket, bytes)?;
                first_error(&socket)
            }
            Self::Ioctl {
                domain,
                command,
                bytes,
            } => ioctl(*domain, *command, bytes),
            Self::Tun(name) => tun::tap(name).map(drop),
            Self::SetOption {
                socket,
                level,
                name,
                value,
            } => set_bytes(open(*socket)?.as_fd(), *level, *name, value),
            Self::GetOption {
                socket,
                level,
                name,
            } => get(*socket, *level, *name),
            Self::Socket { socket } => open(*socket).map(drop),
            Self::Bind { protocol, groups } => bind(*protocol, *groups),
            Self::Sysfs { device, file, text } => sysfs::write(device, file, text),
            Self::Sysctl { path, text } => std::fs::write(path, text),
        }
    }
}

fn open((domain, kind, protocol): (i32, i32, i32)) -> io::Result<OwnedFd> {
    open_socket(domain, kind, protocol)
}

fn result(returned: i32) -> io::Result<i32> {
    match returned {
        -1 => Err(io::Error::last_os_error()),
        other => Ok(other),
    }
}

fn ioctl(domain: i32, command: u32, bytes: &[u8]) -> io::Result<()> {
    let mut bytes = bytes.to_vec();
    let kind = match domain {
        libc::AF_PACKET => libc::SOCK_RAW,
        _ => libc::SOCK_DGRAM,
    };
    let socket = open_socket(domain, kind, 0)?;
    // SAFETY: the kernel reads and writes less than the argument's length; where
    // its bytes are taken for a pointer, that leads nowhere.
    let made = unsafe { libc::ioctl(socket.as_raw_fd(), command.into(), bytes.as_mut_ptr()) };
    result(made).map(drop)
}

fn get(socket: (i32, i32, i32), level: i32, name: i32) -> io::Result<()> {
    let socket = open(socket)?;
    let mut value = [0u8; ARGUMENT];
    let mut len = ARGUMENT as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, which `value` has.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    result(got).map(drop)
}

fn bind(protocol: i32, groups: u32) -> io::Result<()> {
    use nix::sys::socket::{NetlinkAddr, bind};
    let socket = open((libc::AF_NETLINK, libc::SOCK_RAW, protocol))?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(io::Error::from)
}
