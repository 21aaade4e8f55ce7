//! rtnetlink: dumps and changes.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::{DEVICE, Prepared, send};
use netadmin_bypass::attack::link::{self, RTM_NEWLINK, Target};
use netadmin_bypass::attack::netlink::{
    Message, NLM_F_CREATE, datagram, number_at, route_socket, transact,
};
use netadmin_bypass::attack::{IFF_UP, index_of};

const AF_INET: u8 = libc::AF_INET as u8;
/// linux/rtnetlink.h.
const RTM_GETLINK: u16 = 18;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_NH_ID: u16 = 30;
/// linux/nexthop.h.
const RTM_NEWNEXTHOP: u16 = 104;
const NHA_ID: u16 = 1;
const NHA_OIF: u16 = 5;

/// linux/netlink.h.
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_REPLACE: u16 = 0x100;
const NLMSG_ERROR: u32 = 2;
const NLMSG_DONE: u32 = 3;

/// How many routes a dump finds, besides the kernel's own.
const ROUTES: u8 = 10;
/// Where they lead. Routes with a device of their own instead cost as much more as the
/// memory for each processor is fragmented (`fib_nh_common_init`, `pcpu_alloc`), which
/// every program that comes and goes changes.
const NEXT_HOP: u32 = 1;

pub fn links() -> io::Result<Prepared> {
    exchange(&[Message::new(RTM_GETLINK, NLM_F_DUMP, &[0; 16])])
}

pub fn routes() -> io::Result<Prepared> {
    exchange(&[Message::new(RTM_GETROUTE, NLM_F_DUMP, &route(0))])
}

/// A change of what is there already.
pub fn set_link() -> io::Result<Prepared> {
    let target = Target::Index(index_of(DEVICE)?);
    exchange(&[link::change(RTM_NEWLINK, target).flags(IFF_UP, IFF_UP)])
}

pub fn replace_route() -> io::Result<Prepared> {
    replace_routes(1)
}

/// The same route so many times in one datagram; the last is acknowledged.
pub fn replace_routes(number: usize) -> io::Result<Prepared> {
    exchange(&vec![new_route(1); number])
}

pub fn add_routes(device: &str) -> io::Result<()> {
    // struct nhmsg: family, scope, protocol, and more.
    let next_hop = Message::new(
        RTM_NEWNEXTHOP,
        NLM_F_CREATE,
        &[AF_INET, 0, 0, 0, 0, 0, 0, 0],
    )
    .number(NHA_ID, NEXT_HOP)
    .number(NHA_OIF, index_of(device)?);
    transact(&[next_hop])?;
    (1..=ROUTES).try_for_each(|number| transact(&[new_route(number)]))
}

fn new_route(number: u8) -> Message {
    Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route(24))
        .attribute(RTA_DST, &[10, 99, number, 0])
        .number(RTA_NH_ID, NEXT_HOP)
}

/// `struct rtmsg`: family, prefix length, table, protocol, scope and type.
fn route(prefix: u8) -> [u8; 12] {
    let (table, protocol, scope, unicast) = (254, 4, 253, 1);
    let (table, protocol, scope, unicast) = match prefix {
        0 => (0, 0, 0, 0),
        _ => (table, protocol, scope, unicast),
    };
    [
        AF_INET, prefix, 0, 0, table, protocol, scope, unicast, 0, 0, 0, 0,
    ]
}

/// Sends a datagram, and reads until the answer is at its end.
fn exchange(messages: &[Message]) -> io::Result<Prepared> {
    let socket = route_socket()?;
    let request = datagram(messages);
    let mut buffer = vec![0u8; 1 << 16];
    Ok(Box::new(move || {
        send(&socket, &request)?;
        while !is_end(receive(&socket, &mut buffer)?)? {}
        Ok(())
    }))
}

fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let received = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    let len = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    Ok(&buffer[..len])
}

/// Whether a dump is done, or an error or an acknowledgement has come; they
/// stand alone.
fn is_end(answer: &[u8]) -> io::Result<bool> {
    let kind = number_at(answer, 4).unwrap_or_default() & 0xffff;
    let errno = number_at(answer, 16).unwrap_or_default().cast_signed();
    match kind {
        NLMSG_ERROR if errno != 0 => Err(io::Error::from_raw_os_error(-errno)),
        NLMSG_ERROR | NLMSG_DONE => Ok(true),
        _ => Ok(false),
    }
}
