//! Options given as control messages of one `sendmsg`.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use super::call::{Packet, send_packets};
use super::index_of;
use super::route::Route;
use super::sockopt::{SocketOption, open_socket, set_bytes};

/// asm-generic/socket.h: what a packet bears is handed to its receiver; from 5.19
/// and from 6.15 on.
const SO_RCVMARK: i32 = 75;
const SO_RCVPRIORITY: i32 = 82;
/// linux/if_ether.h.
const ETH_P_ALL: u16 = 3;
const ETH_P_IP: u16 = 0x0800;
/// Where nobody listens. The capture sees what comes there all the same.
const PORT: u16 = 9;
/// An ICMP echo request, whose checksum is the kernel's affair or nobody's.
const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 1, 0, 1];

/// The socket that a packet is sent on; all reach `__sock_cmsg_send`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// UDP over IPv4 (`ip_cmsg_send`).
    Udp,
    /// UDP over IPv6 (`ip6_datagram_send_ctl`).
    Udp6,
    /// An ICMP socket that asks for no capability (`ping_group_range`).
    Ping,
    /// A raw socket.
    Raw,
    /// A packet socket (`sock_cmsg_send`).
    Packet,
}

impl Sender {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Udp6, Self::Ping, Self::Raw, Self::Packet];

    /// A socket of this kind.
    pub fn socket(self) -> io::Result<OwnedFd> {
        match self {
            Self::Udp => open_socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
            Self::Udp6 => open_socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
            Self::Ping => open_socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
            Self::Raw => open_socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
            Self::Packet => open_socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0),
        }
    }

    /// A packet to this host, over `lo`.
    pub fn packet(self, control: Vec<u8>) -> io::Result<Packet> {
        let address = match self {
            Self::Udp6 => {
                let mut bytes = sockaddr(libc::AF_INET6, &PORT.to_be_bytes());
                bytes.extend([0; 4 + 15]);
                bytes.extend([1, 0, 0, 0, 0]);
                bytes
            }
            Self::Packet => link_layer(ETH_P_IP)?,
            _ => {
                let mut bytes = sockaddr(libc::AF_INET, &PORT.to_be_bytes());
                bytes.extend([127, 0, 0, 1]);
                bytes.extend([0; 8]);
                bytes
            }
        };
        Ok(Packet {
            address,
            payload: ECHO.to_vec(),
            control,
        })
    }
}

/// The beginning of a `sockaddr`.
fn sockaddr(family: i32, rest: &[u8]) -> Vec<u8> {
    let mut bytes = family.to_ne_bytes()[..2].to_vec();
    bytes.extend(rest);
    bytes
}

/// `struct sockaddr_ll` of `lo`.
fn link_layer(protocol: u16) -> io::Result<Vec<u8>> {
    let mut bytes = sockaddr(libc::AF_PACKET, &protocol.to_be_bytes());
    bytes.extend(index_of("lo")?.to_ne_bytes());
    bytes.extend([0; 12]);
    Ok(bytes)
}

/// `struct cmsghdr`, whose length is as long as the ABI's pointers, and a word.
pub fn message(option: SocketOption, value: i32) -> Vec<u8> {
    let narrow = Route::current().abi.is_narrow();
    let (header, total) = if narrow { (12usize, 16) } else { (16, 24) };
    let mut bytes = (header + 4).to_ne_bytes()[..header - 8].to_vec();
    bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
    bytes.extend(option.number().to_ne_bytes());
    bytes.extend(value.to_ne_bytes());
    bytes.resize(total, 0);
    bytes
}

/// Sends a packet with the option on a new socket, and looks whether it bears it.
pub fn arrives(sender: Sender, option: SocketOption, value: i32) -> io::Result<()> {
    arrive(sender, option, &[value]).map(drop)
}

/// Sends a packet for each value in one call, and looks whether each that has gone
/// bears its own; returns how many that are.
pub fn arrive(sender: Sender, option: SocketOption, values: &[i32]) -> io::Result<usize> {
    let capture = Route::USUAL.take(|| Capture::new(option))?;
    let packets: io::Result<Vec<_>> = values
        .iter()
        .map(|value| sender.packet(message(option, *value)))
        .collect();
    let sent = send_packets(sender.socket()?.as_fd(), &packets?)?;
    for value in &values[..sent] {
        if !capture.sees(*value)? {
            return Err(io::Error::other("the packet arrives without it"));
        }
    }
    Ok(sent)
}

/// Sends a packet with the option, and looks no further.
pub fn send(sender: Sender, option: SocketOption, value: i32) -> io::Result<()> {
    let packet = sender.packet(message(option, value))?;
    send_packets(sender.socket()?.as_fd(), &[packet]).map(drop)
}

/// Fails with `EOPNOTSUPP` if this kernel takes no such control message.
pub fn is_there(option: SocketOption) -> io::Result<()> {
    match send(Sender::Udp, option, 0) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
        }
        sent => sent,
    }
}

/// Sees what passes over `lo`, with what it bears.
struct Capture {
    socket: OwnedFd,
    option: SocketOption,
}

impl Capture {
    fn new(option: SocketOption) -> io::Result<Self> {
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK;
        let socket = open_socket(libc::AF_PACKET, kind, 0)?;
        let asked = match option {
            SocketOption::Priority => SO_RCVPRIORITY,
            _ => SO_RCVMARK,
        };
        set_bytes(socket.as_fd(), libc::SOL_SOCKET, asked, &1i32.to_ne_bytes())?;
        let address = link_layer(ETH_P_ALL)?;
        let len = address.len() as libc::socklen_t;
        // SAFETY: the kernel reads one sockaddr_ll of this length.
        match unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), len) } {
            0 => Ok(Self { socket, option }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Whether one of the packets so far bears the value.
    fn sees(&self, value: i32) -> io::Result<bool> {
        loop {
            match next_control(self.socket.as_fd(), self.option.number()) {
                Ok(Some(seen)) if seen == value => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                seen => seen?,
            };
        }
    }
}

/// This control message of the next packet, if it has it.
fn next_control(socket: BorrowedFd<'_>, name: i32) -> io::Result<Option<i32>> {
    let (mut byte, mut control) = ([0u8; 1], [0u64; 16]);
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
    let mut message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !message.is_null() {
        // SAFETY: a message that is there lies wholly in the buffer.
        let (head, data) = unsafe { (&*message, libc::CMSG_DATA(message).cast::<i32>()) };
        if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == name {
            // SAFETY: the data of these options is one word.
            return Ok(Some(unsafe { data.read_unaligned() }));
        }
        // SAFETY: as for the first.
        message = unsafe { libc::CMSG_NXTHDR(&raw const header, message) };
    }
    Ok(None)
}
