//! What the programs know of a network device.

use crate::text::Text;

/// Longest interface name with its terminating zero, in bytes (linux/if.h).
pub const IFNAMSIZ: usize = 16;
/// The device receives all packets (linux/if.h).
pub const IFF_PROMISC: u32 = 0x100;
/// The device is up (linux/if.h).
pub const IFF_UP: u32 = 0x1;
/// The device does no ARP (linux/if.h).
pub const IFF_NOARP: u32 = 0x80;
/// The device receives all multicast packets (linux/if.h).
pub const IFF_ALLMULTI: u32 = 0x200;
/// The device can do multicast (linux/if.h).
pub const IFF_MULTICAST: u32 = 0x1000;
/// The device filters unicast addresses in hardware
/// (`enum netdev_priv_flags`, include/linux/netdevice.h).
pub const IFF_UNICAST_FLT: u32 = 1 << 12;

/// [`Device::above`]: a vlan that comes up with the device adds an address.
pub const ABOVE_OPENED: u32 = 1;
/// [`Device::above`]: a vlan that does not follow the device's address may add
/// its own when that changes.
pub const ABOVE_FIXED: u32 = 2;

/// [`Device::above`]: a vlan or another device above, or else what is deleted together
/// with it, is the port of a master that would hand on what it has, or change its
/// address, if the port left.
pub const ABOVE_MISSED: u32 = 4;
/// [`Device::above`]: somebody listens on an ipvlan above, and nobody had asked for its
/// flag ([`Device::is_promiscuous_for_others`]).
pub const ABOVE_LISTENED: u32 = 8;
/// [`Device::above`]: like [`ABOVE_MISSED`], of what goes as well when the device moves to
/// another network namespace ([`kind::goes_when_lower_moves`]).
pub const ABOVE_MISSED_IF_MOVED: u32 = 16;

/// A snapshot of a `struct net_device`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `ifindex`; 0 stands for a device that is not there (yet).
    pub index: u32,
    /// `flags`: `IFF_PROMISC` here means that anyone made it promiscuous.
    pub flags: u32,
    /// `gflags`: `IFF_PROMISC` here means that it was asked for by flag.
    pub gflags: u32,
    /// `priv_flags`, as far as it is in the first 32 bits.
    pub priv_flags: u32,
    /// Whether another device lies below it: 0 or 1 (`adj_list.lower`).
    pub stacked: u32,
    /// Whether its hardware address is that of the one device below it: 0 or 1.
    pub inherits_address: u32,
    /// Whether it takes over the address of the device below when it is opened,
    /// and whenever that changes (`NET_ADDR_STOLEN`): 0 or 1.
    pub follows_address: u32,
    /// Whether it has unicast addresses besides its own (`uc`): 0 or 1.
    pub has_addresses: u32,
    /// Whether it is promiscuous already, for want of a filter for them
    /// (`uc_promisc`): 0 or 1.
    pub promiscuous_for_addresses: u32,
    /// What the devices above it would do to it, or to others: `ABOVE_*` bits. Only
    /// of the device itself, of its master, and of the device below ipvlans.
    pub above: u32,
    /// `name`.
    pub name: Text,
    /// `rtnl_link_ops->kind` (such as `bridge`), cut at 15 bytes; empty for
    /// devices that no link type made.
    pub kind: Text,
}

const _: () = assert!(size_of::<Device>() == 40 + 2 * IFNAMSIZ);

impl Device {
    /// Whether a request that carries `IFF_PROMISC` keeps what the device has,
    /// rather than raise its count (`__dev_change_flags` compares with `gflags`).
    pub fn keeps_promiscuous(&self) -> bool {
        self.gflags & IFF_PROMISC != 0
    }

    /// Whether somebody made it promiscuous otherwise than by its flag, such as a
    /// packet socket. Who hands its `flags` back to `dev_change_flags` then asks
    /// for what nobody had asked for.
    #[inline(always)]
    pub fn is_promiscuous_for_others(&self) -> bool {
        (self.flags & IFF_PROMISC != 0) & (self.gflags & IFF_PROMISC == 0)
    }

    /// Whether one more unicast address leaves promiscuity alone, its own
    /// (`__dev_set_rx_mode`) and that of the devices below, to which a vlan, a
    /// macvlan or a bond hands the address down (`dev_uc_sync`). Not so for a
    /// device that is not known. (A bond without ports keeps it, and hands it to
    /// who joins: that is judged then.)
    #[inline(always)]
    pub fn filters_unicast(&self) -> bool {
        self.index != 0 && self.priv_flags & IFF_UNICAST_FLT != 0 && self.stacked == 0
    }

    /// Whether opening it adds an address of its own to the device below
    /// (`macvlan_open`, `macsec_dev_open`, `vlan_dev_open`).
    #[inline(always)]
    pub fn adds_address(&self) -> bool {
        let own = (self.inherits_address == 0) & (self.follows_address == 0);
        kind::adds_address(&self.kind) || self.kind == kind::VLAN && own
    }

    /// Whether it hands addresses to its ports: a bond or a team.
    #[inline(always)]
    pub fn has_members(&self) -> bool {
        self.kind.is(&kind::BOND) | self.kind.is(&kind::TEAM) != 0
    }
}

/// The link kinds that the programs know (`rtnl_link_ops->kind`).
pub mod kind {
    use super::Text;

    /// drivers/net/amt.c.
    pub const AMT: Text = Text::new(b"amt");
    /// drivers/net/bonding.
    pub const BOND: Text = Text::new(b"bond");
    /// net/bridge.
    pub const BRIDGE: Text = Text::new(b"bridge");
    /// drivers/net/can.
    pub const CAN: Text = Text::new(b"can");
    /// net/hsr.
    pub const HSR: Text = Text::new(b"hsr");
    /// drivers/net/ipvlan.
    pub const IPVLAN: Text = Text::new(b"ipvlan");
    /// drivers/net/ipvlan/ipvtap.c.
    pub const IPVTAP: Text = Text::new(b"ipvtap");
    /// drivers/net/macsec.c.
    pub const MACSEC: Text = Text::new(b"macsec");
    /// drivers/net/macvlan.c.
    pub const MACVLAN: Text = Text::new(b"macvlan");
    /// drivers/net/macvtap.c.
    pub const MACVTAP: Text = Text::new(b"macvtap");
    /// drivers/net/netkit.c.
    pub const NETKIT: Text = Text::new(b"netkit");
    /// drivers/net/team.
    pub const TEAM: Text = Text::new(b"team");
    /// drivers/net/veth.c.
    pub const VETH: Text = Text::new(b"veth");
    /// net/8021q.
    pub const VLAN: Text = Text::new(b"vlan");
    /// drivers/net/tun.c.
    pub const TUN: Text = Text::new(b"tun");
    /// drivers/net/vxlan.
    pub const VXLAN: Text = Text::new(b"vxlan");
    /// drivers/net/vrf.c.
    pub const VRF: Text = Text::new(b"vrf");
    /// drivers/net/can/vxcan.c.
    pub const VXCAN: Text = Text::new(b"vxcan");

    /// Whether devices of this kind are ipvlans.
    #[inline(always)]
    pub fn is_ipvlan(kind: &Text) -> bool {
        kind.is(&IPVLAN) | kind.is(&IPVTAP) != 0
    }

    /// Whether devices of this kind come, and go, in pairs.
    #[inline(always)]
    pub fn is_of_pair(kind: &Text) -> bool {
        kind.is(&VETH) | kind.is(&NETKIT) | kind.is(&VXCAN) != 0
    }

    /// Whether devices of this kind are removed when the one below moves to another
    /// network namespace: their drivers take that for its end (`macsec_notify`,
    /// `vxlan_netdevice_event`, `amt_device_event`, `hsr_netdev_notify`).
    #[inline(always)]
    pub fn goes_when_lower_moves(kind: &Text) -> bool {
        kind.is(&MACSEC) | kind.is(&VXLAN) | kind.is(&AMT) | kind.is(&HSR) != 0
    }

    /// Whether devices of this kind are macvlans.
    #[inline(always)]
    pub fn is_macvlan(kind: &Text) -> bool {
        *kind == MACVLAN || *kind == MACVTAP
    }

    /// Whether devices of this kind add their address to the device below
    /// whenever they are opened. A vlan does so only with one of its own.
    #[inline(always)]
    pub fn adds_address(kind: &Text) -> bool {
        is_macvlan(kind) || *kind == MACSEC
    }
}
