//! Links of the types that stand on another device, or gather others.

use super::link::create_with;
use super::netlink::{Message, Nested};

const IFLA_IFNAME: u16 = 3;
const NLA_F_NESTED: u16 = 1 << 15;
/// `VETH_INFO_PEER`, `VXCAN_INFO_PEER`, `IFLA_NETKIT_PEER_INFO`.
const INFO_PEER: u16 = 1;
const IFLA_BOND_MODE: u16 = 1;
const IFLA_BOND_ACTIVE_SLAVE: u16 = 2;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_MACVLAN_FLAGS: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;

/// Leave the lower device as it is (linux/if_link.h).
pub const MACVLAN_FLAG_NOPROMISC: u16 = 1;

/// `enum macvlan_mode` (linux/if_link.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacvlanMode {
    /// Devices on one lower device do not see each other.
    Private = 1,
    /// They are bridged.
    Bridge = 4,
    /// One device takes over the lower one, which turns promiscuous.
    Passthru = 8,
}

/// Makes a vlan.
pub fn vlan(name: &str, lower: u32, id: u16) -> Message {
    let data = Nested::default().attribute(IFLA_VLAN_ID, &id.to_ne_bytes());
    create_with(name, "vlan", &data).lower(lower)
}

/// Makes a macvlan, or with `link_type` a macvtap.
pub fn macvlan(name: &str, link_type: &str, lower: u32, mode: MacvlanMode) -> Message {
    create_with(name, link_type, &macvlan_data(mode, None)).lower(lower)
}

/// Makes a macvlan with `IFLA_MACVLAN_FLAGS`.
pub fn macvlan_with_flags(name: &str, lower: u32, mode: MacvlanMode, flags: u16) -> Message {
    create_with(name, "macvlan", &macvlan_data(mode, Some(flags))).lower(lower)
}

/// The type's attributes of a macvlan, as for a change of one.
pub fn macvlan_data(mode: MacvlanMode, flags: Option<u16>) -> Nested {
    let data = Nested::default().attribute(IFLA_MACVLAN_MODE, &(mode as u32).to_ne_bytes());
    match flags {
        Some(flags) => data.attribute(IFLA_MACVLAN_FLAGS, &flags.to_ne_bytes()),
        None => data,
    }
}

/// Makes an ipvlan in layer-2 mode.
pub fn ipvlan(name: &str, lower: u32) -> Message {
    let data = Nested::default().attribute(IFLA_IPVLAN_MODE, &0u16.to_ne_bytes());
    create_with(name, "ipvlan", &data).lower(lower)
}

/// The type's attributes that change an ipvlan to layer-3 mode.
pub fn ipvlan_mode_l3() -> Nested {
    Nested::default().attribute(IFLA_IPVLAN_MODE, &1u16.to_ne_bytes())
}

/// Makes a pair of devices; the second one with these flags.
pub fn pair(name: &str, link_type: &str, peer: &str, peer_flags: u32) -> Message {
    // struct ifinfomsg: flags, and a mask of them, behind the index.
    let mut header = vec![0; 8];
    header.extend_from_slice(&peer_flags.to_ne_bytes());
    header.extend_from_slice(&peer_flags.to_ne_bytes());
    let named = Nested::default().attribute(IFLA_IFNAME, format!("{peer}\0").as_bytes());
    header.extend_from_slice(named.bytes());
    let data = Nested::default().attribute(INFO_PEER | NLA_F_NESTED, &header);
    create_with(name, link_type, &data)
}

/// Makes a bond in this mode (`BOND_MODE_*`).
pub fn bond(name: &str, mode: u8) -> Message {
    create_with(
        name,
        "bond",
        &Nested::default().attribute(IFLA_BOND_MODE, &[mode]),
    )
}

/// The attributes of a bond that choose its active port.
pub fn active_port(index: u32) -> Nested {
    Nested::default().attribute(IFLA_BOND_ACTIVE_SLAVE, &index.to_ne_bytes())
}

/// Makes a vrf master.
pub fn vrf(name: &str, table: u32) -> Message {
    let data = Nested::default().attribute(IFLA_VRF_TABLE, &table.to_ne_bytes());
    create_with(name, "vrf", &data)
}
