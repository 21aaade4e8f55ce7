//! Asking the kernel by netlink, and reading its answers.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};

/// linux/netlink.h.
pub const NLMSG_ERROR: u16 = 2;
/// The end of a dump.
pub const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
pub const REQUEST_DUMP: u16 = 0x301;
/// `nlmsghdr`, in bytes.
const HEADER: usize = 16;

/// A message of the kernel's.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// What follows its header.
    pub body: &'a [u8],
}

/// The messages of a datagram, as far as they are whole.
pub fn messages(mut rest: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = u32_at(rest, 0)? as usize;
        let kind = u16_at(rest, 4)?;
        let body = rest.get(HEADER..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, body })
    })
}

/// The attributes in a body, as far as they are whole.
pub fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & 0x3fff, value))
    })
}

/// The number at a place, if it is there.
pub fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    let bytes = bytes.get(place..place + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

/// The number at a place, if it is there.
pub fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place..place + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// One datagram.
pub fn receive(socket: &impl AsRawFd) -> nix::Result<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    buffer.truncate(len);
    Ok(buffer)
}

/// Asks for everything of a kind in the caller's network namespace, and hands on the
/// bodies of the answers.
pub fn dump(
    protocol: SockProtocol,
    kind: u16,
    body: &[u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    let len = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut request = len.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.resize(HEADER, 0);
    request.extend(body);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    loop {
        for message in messages(&receive(&socket)?) {
            match message.kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(error(message.body)),
                _ => take(message.body),
            }
        }
    }
}

fn error(body: &[u8]) -> io::Error {
    let errno = u32_at(body, 0).unwrap_or_default().cast_signed();
    io::Error::from_raw_os_error(errno.saturating_neg())
}
