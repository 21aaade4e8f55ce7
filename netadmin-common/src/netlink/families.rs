//! The operation of a generic netlink family, by its name: a message carries an id,
//! which the kernel gives out when the family registers.

use crate::catalogue::OperationKind as Op;
use crate::text::Text;

/// Beside the operation in an entry of the map of families: what such a family makes
/// anew is promiscuous (`ovs_netdev_link`, `internal_dev_create`).
pub const FAMILY_RAISES: u32 = 1 << 16;
/// Likewise: it removes devices, which may be ports ([`removes_devices`]).
pub const FAMILY_REMOVES: u32 = 1 << 17;
/// `OVS_DP_CMD_NEW`, `OVS_VPORT_CMD_NEW` (linux/openvswitch.h).
pub const OVS_CMD_NEW: u8 = 1;

/// Whether this command of a [`FAMILY_REMOVES`] family removes devices:
/// `OVS_DP_CMD_DEL`, `OVS_VPORT_CMD_DEL`, `L2TP_CMD_TUNNEL_DELETE`;
/// `L2TP_CMD_SESSION_DELETE` (linux/l2tp.h).
#[inline(always)]
pub fn removes_devices(command: u8) -> bool {
    matches!(command, 2 | 6)
}

/// The entries of families by name.
const FAMILIES: [(Text, u32); 21] = [
    entry("wireguard", Op::GenlWireguard, 0),
    entry("ethtool", Op::GenlEthtool, 0),
    entry("devlink", Op::GenlDevlink, 0),
    entry("nl80211", Op::GenlNl80211, 0),
    entry("macsec", Op::GenlMacsec, 0),
    entry("l2tp", Op::GenlL2tp, FAMILY_REMOVES),
    entry("team", Op::GenlTeam, 0),
    entry("mptcp_pm", Op::GenlMptcp, 0),
    entry("tcp_metrics", Op::GenlTcpMetrics, 0),
    entry("IPVS", Op::GenlIpvs, 0),
    entry("fou", Op::GenlFou, 0),
    entry("SEG6", Op::GenlSegmentRouting, 0),
    entry("IOAM6", Op::GenlSegmentRouting, 0),
    entry("ila", Op::GenlSegmentRouting, 0),
    entry("gtp", Op::GenlGtp, 0),
    entry("netdev", Op::GenlNetdev, 0),
    entry("net-shaper", Op::GenlNetdev, 0),
    entry("TIPCv2", Op::GenlTipc, 0),
    entry("TIPC", Op::GenlTipc, 0),
    entry(
        "ovs_datapath",
        Op::GenlOpenvswitch,
        FAMILY_RAISES | FAMILY_REMOVES,
    ),
    entry(
        "ovs_vport",
        Op::GenlOpenvswitch,
        FAMILY_RAISES | FAMILY_REMOVES,
    ),
];

/// What the names of Open vSwitch's other families begin with.
const OVS: Text = Text::new(b"ovs_");

const fn entry(name: &str, kind: Op, flags: u32) -> (Text, u32) {
    (Text::new(name.as_bytes()), kind as u32 | flags)
}

/// The entry of a family in the map of families.
#[inline(always)]
pub fn family_entry(name: &Text) -> u32 {
    let mut index = 0;
    while index < FAMILIES.len() {
        if *name == FAMILIES[index].0 {
            return FAMILIES[index].1;
        }
        index += 1;
    }
    if name.first(4) == OVS {
        Op::GenlOpenvswitch as u32
    } else {
        Op::GenlOther as u32
    }
}

/// The operation of a family.
pub fn family(name: &str) -> Op {
    let entry = family_entry(&Text::new(name.as_bytes()));
    Op::from_number(entry as u16).unwrap_or(Op::GenlOther)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_its_whole_name() {
        assert_eq!(family("wireguard"), Op::GenlWireguard);
        assert_eq!(family("net-shaper"), Op::GenlNetdev);
        assert_eq!(family("ovs_flow"), Op::GenlOpenvswitch);
        assert_eq!(family("wireguard2"), Op::GenlOther);
        assert_eq!(family("fo"), Op::GenlOther);
        assert_eq!(family(""), Op::GenlOther);
    }

    #[test]
    fn what_makes_ports_is_told_from_the_rest_of_open_vswitch() {
        let raises = |name: &str| family_entry(&Text::new(name.as_bytes())) & FAMILY_RAISES != 0;
        assert!(raises("ovs_datapath") && raises("ovs_vport"));
        assert!(!raises("ovs_flow") && !raises("wireguard") && !raises("l2tp"));
    }

    #[test]
    fn what_removes_devices_is_known_by_family_and_command() {
        let removes = |name: &str| family_entry(&Text::new(name.as_bytes())) & FAMILY_REMOVES != 0;
        assert!(removes("l2tp") && removes("ovs_vport") && !removes("wireguard"));
        assert!(removes_devices(2) && removes_devices(6) && !removes_devices(OVS_CMD_NEW));
    }
}
