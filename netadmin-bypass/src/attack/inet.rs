//! Addresses and routes: what everybody with `CAP_NET_ADMIN` does.

use std::io;
use std::net::Ipv4Addr;

use super::netlink::{Message, NLM_F_CREATE, NLM_F_EXCL, datagram, route_socket, send, transact};

const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_LINK: u8 = 253;
const RTN_UNICAST: u8 = 1;
const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;
const RTM_NEWNEIGH: u16 = 28;
const NUD_PERMANENT: u16 = 0x80;
const NTF_SELF: u8 = 0x02;
const NDA_LLADDR: u16 = 2;

/// `ip address add`.
pub fn add_address(index: u32, address: Ipv4Addr, prefix_len: u8) -> io::Result<()> {
    let mut fixed = vec![AF_INET, prefix_len, 0, 0];
    fixed.extend_from_slice(&index.to_ne_bytes());
    let message = Message::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed);
    transact(&[message.attribute(IFA_LOCAL, &address.octets())])
}

/// The message of `ip route add ADDRESS dev ...`.
pub fn route(index: u32, destination: Ipv4Addr) -> Message {
    let mut fixed = vec![AF_INET, 32, 0, 0];
    fixed.extend_from_slice(&[RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST]);
    fixed.extend_from_slice(&[0; 4]);
    Message::new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &fixed)
        .attribute(RTA_DST, &destination.octets())
        .number(RTA_OIF, index)
}

/// Adds `count` routes below 10.0.0.0/8, `per_datagram` in each datagram, and
/// returns how many datagrams that took.
pub fn add_routes(index: u32, count: u32, per_datagram: usize) -> io::Result<usize> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    let messages: Vec<_> = (first..first + count)
        .map(|address| route(index, address.into()))
        .collect();
    let batches = messages.chunks(per_datagram);
    let datagrams = batches.len();
    for batch in batches {
        transact(batch)?;
    }
    Ok(datagrams)
}

/// `bridge fdb add ... self`: one more unicast address for a device.
pub fn add_forwarding_entry(index: u32, address: [u8; 6]) -> io::Result<()> {
    // struct ndmsg: family, padding, ifindex, state, flags, type.
    let mut fixed = vec![AF_BRIDGE, 0, 0, 0];
    fixed.extend_from_slice(&index.to_ne_bytes());
    fixed.extend_from_slice(&NUD_PERMANENT.to_ne_bytes());
    fixed.extend_from_slice(&[NTF_SELF, 0]);
    let message = Message::new(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &fixed);
    transact(&[message.attribute(NDA_LLADDR, &address)])
}

/// Sends messages as one datagram and waits for nothing.
pub fn post(messages: &[Message]) -> io::Result<()> {
    send(&route_socket()?, &datagram(messages))
}
