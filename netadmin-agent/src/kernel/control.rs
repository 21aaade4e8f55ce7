//! One control message, sent so that the programs learn where the kernel handles
//! them (`netadmin-ebpf/src/hooks/control.rs`): /proc/kallsyms tells that only
//! with `CAP_SYSLOG`.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, SockaddrIn, sendmsg, socket,
};

/// The discard port; nothing comes to it.
const DISCARD: u16 = 9;

/// Has `__sock_cmsg_send` called. It refuses the message, because the socket was
/// not made for send times; so nothing is sent.
pub fn provoke() -> nix::Result<()> {
    let (family, flags) = (AddressFamily::Inet, SockFlag::SOCK_CLOEXEC);
    let socket = socket(family, SockType::Datagram, flags, None)?;
    let address = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, DISCARD));
    let message = [ControlMessage::TxTime(&0)];
    let flags = MsgFlags::MSG_DONTWAIT;
    // Whatever comes of it: the programs have seen it, or the caller finds out.
    let _ = sendmsg(socket.as_raw_fd(), &[], &message, flags, Some(&address));
    Ok(())
}
