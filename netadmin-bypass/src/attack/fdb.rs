//! Entries of bridges, and flags of their ports.

use std::io;

use super::link::request;
use super::netlink::{Message, NLM_F_CREATE, Nested};

const RTM_SETLINK: u16 = 19;
const RTM_NEWNEIGH: u16 = 28;
const AF_BRIDGE: u8 = 7;
const NUD_PERMANENT: u16 = 0x80;
const NDA_LLADDR: u16 = 2;
const IFLA_PROTINFO: u16 = 12;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_UNICAST_FLOOD: u16 = 9;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const NLA_F_NESTED: u16 = 1 << 15;

/// For the device itself (`NTF_SELF`, linux/neighbour.h).
pub const NTF_SELF: u8 = 2;
/// For its bridge.
pub const NTF_MASTER: u8 = 4;

/// `bridge fdb add ADDRESS dev ...`.
pub fn add(index: u32, flags: u8, address: [u8; 6]) -> io::Result<()> {
    request(entry(index, flags, address))
}

/// The message of [`add`].
pub fn entry(index: u32, flags: u8, address: [u8; 6]) -> Message {
    let mut fixed = vec![AF_BRIDGE, 0, 0, 0];
    fixed.extend_from_slice(&index.to_ne_bytes());
    fixed.extend_from_slice(&NUD_PERMANENT.to_ne_bytes());
    fixed.extend_from_slice(&[flags, 0]);
    let message = Message::new(RTM_NEWNEIGH, NLM_F_CREATE, &fixed);
    message.attribute(NDA_LLADDR, &address)
}

/// `bridge link set dev ... learning ... flood ...`.
pub fn set_port(index: u32, learning: bool, flood: bool) -> io::Result<()> {
    let mut fixed = vec![AF_BRIDGE, 0, 0, 0];
    fixed.extend_from_slice(&index.to_ne_bytes());
    fixed.extend_from_slice(&[0; 8]);
    let message = Message::new(RTM_SETLINK, 0, &fixed);
    let data = port_data(learning, flood);
    request(message.attribute(IFLA_PROTINFO | NLA_F_NESTED, data.bytes()))
}

/// The same as a link's attributes.
pub fn port_data(learning: bool, flood: bool) -> Nested {
    Nested::default()
        .attribute(IFLA_BRPORT_LEARNING, &[u8::from(learning)])
        .attribute(IFLA_BRPORT_UNICAST_FLOOD, &[u8::from(flood)])
}

/// The attributes of a bridge that switch vlan filtering.
pub fn vlan_filtering(on: bool) -> Nested {
    Nested::default().attribute(IFLA_BR_VLAN_FILTERING, &[u8::from(on)])
}
