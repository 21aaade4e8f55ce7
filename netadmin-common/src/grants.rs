//! What is granted on some interfaces alone.
//!
//! A grant holds for a device that the programs have found, in the network namespace
//! of the request's socket, and that it names. Where the device is not known, it does
//! not hold, and `default` stands.

use crate::catalogue::OperationKind;
use crate::device::Device;
use crate::pieces::{LinkPieces, PieceSet, link_piece};
use crate::policy::Exception;

/// How many grants one policy holds.
pub const MAX_GRANTS: usize = 8;

/// What a device may do to the one below it rather than to itself: the address of a
/// macvlan in passthru mode is that of the device below (`macvlan_set_mac_address`),
/// and vlans, macvlans and bridges hand down these flags (`ndo_change_rx_flags`).
const HANDED_DOWN: LinkPieces = link_piece(OperationKind::LinkAddress)
    | link_piece(OperationKind::LinkPromisc)
    | link_piece(OperationKind::LinkAllMulti);

/// An entry of `net_admin.allow` that has a condition.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What is granted.
    pub pieces: PieceSet,
    /// On which devices.
    pub on: Exception,
}

/// All of a policy.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// How many of `list` are in use.
    pub len: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// The grants.
    pub list: [Grant; MAX_GRANTS],
}

const _: () = assert!(size_of::<Grants>() == 8 + MAX_GRANTS * (32 + size_of::<Exception>()));

impl Grants {
    /// None.
    pub const EMPTY: Self = Self {
        len: 0,
        reserved: 0,
        list: [Grant {
            pieces: PieceSet::EMPTY,
            on: Exception::UNUSED,
        }; MAX_GRANTS],
    };

    /// Which operations on links are granted on this device, above `lower` if it is
    /// above just one.
    #[inline(always)]
    pub fn links_on(&self, device: &Device, lower: &Device) -> LinkPieces {
        let (mut granted, mut below) = (0, 0);
        let mut index = 0;
        while index < MAX_GRANTS {
            if index as u32 >= self.len {
                break;
            }
            let grant = &self.list[index];
            if grant.on.matches(device) {
                granted |= grant.pieces.links();
            }
            if grant.on.matches(lower) {
                below |= grant.pieces.links();
            }
            index += 1;
        }
        if device.index == 0 {
            return 0;
        }
        // Of a taller stack, or of several devices below, not all are seen.
        let lowest = (lower.index != 0) & (lower.stacked == 0);
        if device.stacked == 0 {
            granted
        } else if lowest {
            granted & (!HANDED_DOWN | below)
        } else {
            granted & !HANDED_DOWN
        }
    }

    /// Whether an operation is granted on this device.
    #[inline(always)]
    pub fn hold(&self, kind: OperationKind, device: &Device) -> bool {
        let mut granted = false;
        let mut index = 0;
        while index < MAX_GRANTS {
            if index as u32 >= self.len {
                break;
            }
            let grant = &self.list[index];
            granted |= grant.pieces.contains(kind) & grant.on.matches(device);
            index += 1;
        }
        granted & (device.index != 0)
    }
}

/// Whether an operation can be granted on a condition: where it comes by
/// rtnetlink (flags also by ioctl and sysfs), the programs see the device that
/// the kernel will act on. Making, renaming, moving and removing a device are
/// left out, since they change which device has which name or index; alternative
/// names, since the message that gives them unsettles its own device.
pub fn can_be_conditional(kind: OperationKind) -> bool {
    use OperationKind as Op;
    match kind {
        Op::LinkRename
        | Op::LinkAltname
        | Op::LinkNamespace
        | Op::LinkDelete
        | Op::LinkMulticastAddress => false,
        Op::AddrAdd
        | Op::AddrDelete
        | Op::NeighAdd
        | Op::NeighDelete
        | Op::FdbAdd
        | Op::FdbDelete
        | Op::MdbAdd
        | Op::MdbDelete
        | Op::BridgePort
        | Op::TcQdisc
        | Op::TcClass
        | Op::TcFilter => true,
        _ => (Op::LinkUp as u16..=Op::LinkOther as u16).contains(&(kind as u16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    fn grants(entries: &[(OperationKind, Exception)]) -> Grants {
        let mut grants = Grants::EMPTY;
        for (slot, (kind, on)) in grants.list.iter_mut().zip(entries) {
            slot.pieces.insert(*kind);
            slot.on = *on;
            grants.len += 1;
        }
        grants
    }

    fn device(index: u32, name: &str) -> Device {
        Device {
            index,
            name: Text::new(name.as_bytes()),
            kind: Text::new(b"veth"),
            ..Device::default()
        }
    }

    #[test]
    fn a_grant_holds_for_what_it_names_on_the_devices_it_names() {
        use OperationKind::{AddrAdd, LinkMtu, LinkUp};
        let grants = grants(&[
            (LinkMtu, Exception::prefix("tap")),
            (AddrAdd, Exception::name("eth1")),
            (LinkUp, Exception::kind("veth")),
        ]);
        let tap = device(3, "tap7");
        assert!(grants.hold(LinkMtu, &tap) && !grants.hold(AddrAdd, &tap));
        assert!(grants.hold(AddrAdd, &device(3, "eth1")));
        assert!(!grants.hold(AddrAdd, &device(3, "eth10")));
        let both = link_piece(LinkMtu) | link_piece(LinkUp);
        assert_eq!(grants.links_on(&tap, &Device::default()), both);
        assert_eq!(
            grants.links_on(&device(3, "eth0"), &Device::default()),
            link_piece(LinkUp)
        );
    }

    #[test]
    fn without_a_device_no_grant_holds() {
        let grants = grants(&[(OperationKind::LinkMtu, Exception::prefix("tap"))]);
        let nobody = device(0, "tap7");
        assert!(!grants.hold(OperationKind::LinkMtu, &nobody));
        assert_eq!(grants.links_on(&nobody, &Device::default()), 0);
        let unused = Grants::EMPTY;
        assert!(!unused.hold(OperationKind::LinkMtu, &device(3, "")));
    }

    #[test]
    fn what_is_handed_down_is_granted_where_the_device_below_is_named_too() {
        use OperationKind::{LinkAddress, LinkMtu};
        let tap = Exception::prefix("tap");
        let grants = grants(&[(LinkMtu, tap), (LinkAddress, tap)]);
        let (mtu, both) = (
            link_piece(LinkMtu),
            link_piece(LinkMtu) | link_piece(LinkAddress),
        );
        let stacked = |name| Device {
            stacked: 1,
            ..device(3, name)
        };
        let on = |lower: &Device| grants.links_on(&stacked("tap7"), lower);
        assert_eq!(on(&device(2, "eth0")), mtu);
        assert_eq!(on(&device(2, "tap0")), both);
        // Several below it, or more below that.
        assert_eq!(on(&Device::default()), mtu);
        assert_eq!(on(&stacked("tap0")), mtu);
        // What lies below grants nothing above.
        assert_eq!(grants.links_on(&stacked("eth1"), &device(2, "tap0")), 0);
        assert_eq!(
            grants.links_on(&device(3, "tap7"), &Device::default()),
            both
        );
    }

    #[test]
    fn as_many_grants_as_fit_cost_what_one_does_and_the_last_counts() {
        let mut entries = [(OperationKind::LinkMtu, Exception::name("a")); MAX_GRANTS];
        entries[MAX_GRANTS - 1] = (OperationKind::TcQdisc, Exception::name("b"));
        assert!(grants(&entries).hold(OperationKind::TcQdisc, &device(2, "b")));
    }
}
