//! Ports of bridges that are not promiscuous, and ports of promiscuous bonds.

use anyhow::ensure;

use super::VICTIM;
use super::addresses::{Act, prepared};
use crate::attack::ioctl::{bond_change_active, bond_change_active_of_old, bond_release_of_old};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{Target, fdb, index_of, kind, openvswitch, sysfs};
use crate::rig::{Attack, Expected, Trials, USUAL_POLICY, Watch, errno_of, make};

/// A port that filters unicast addresses (a vlan does), and neither learns nor
/// floods, on a bridge that filters vlans, is left alone. So is its neighbour.
const QUIET: &str = "ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up \
    && for port in victim0 other0; do \
        ip link add d$port type dummy && ip link set d$port up \
        && ip link add link d$port name $port type vlan id 7 && ip link set $port up \
        && ip link set $port master br0 \
        && bridge link set dev $port learning off flood off || exit 1; done \
    && ! ip -d link show victim0 | grep -q 'promiscuity [1-9]'";

/// A promiscuous bond, whose second port is not the active one.
const BOND: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && for port in other0 victim0; do \
        ip link add $port type dummy && ip link set $port master b0 || exit 1; done \
    && ip link set b0 promisc on";

pub fn add(trials: &mut Trials) {
    bridges(trials);
    files(trials);
    datapaths(trials);
    bonds(trials);
}

/// The other side of the line: files of bridges and ports that raise nothing.
fn files(trials: &mut Trials) {
    trials.guarded(
        USUAL_POLICY,
        "files_of_bridges_and_ports_in_sysfs_pass",
        |stage| {
            let container = stage.guarded()?;
            container.set_up(prepared(QUIET))?;
            let watch = Watch::begin(stage)?;
            let written = container.run(|| {
                sysfs::write("br0", "bridge/vlan_filtering", "1")?;
                sysfs::write("br0", "bridge/stp_state", "1")?;
                sysfs::write("br0", "bridge/forward_delay", "300")?;
                sysfs::write("other0", "brport/learning", "0")?;
                sysfs::write("other0", "brport/multicast_flood", "0")?;
                sysfs::write("other0", "brport/path_cost", "7")?;
                sysfs::write("other0", "mtu", "1400")?;
                let nonsense = sysfs::write("br0", "bridge/stp_state", "none");
                Ok((
                    std::fs::read_to_string("/sys/class/net/other0/brport/path_cost")?,
                    errno_of(&nonsense),
                ))
            })?;
            ensure!(written == ("7\n".to_owned(), libc::EINVAL), "{written:?}");
            watch.saw_no_rise()?;
            watch.saw_no_event()
        },
    );
}

fn bridges(trials: &mut Trials) {
    let ways: [(&str, &str, Act); 7] = [
        ("bridge_port_learns_by_rtm_setlink", "RTM_SETLINK", || {
            fdb::set_port(index_of("other0")?, true, false)
        }),
        ("bridge_port_floods_by_rtm_newlink", "RTM_NEWLINK", || {
            let message = change(RTM_NEWLINK, Target::Name("other0"));
            link::request(message.port_info("bridge", &fdb::port_data(false, true)))
        }),
        ("bridge_stops_filtering_vlans", "RTM_NEWLINK", || {
            let message = change(RTM_NEWLINK, Target::Name("br0"));
            link::request(message.link_info("bridge", &fdb::vlan_filtering(false)))
        }),
        ("bridge_port_learns_by_sysfs", "sysfs", || {
            sysfs::write("other0", "brport/learning", "1")
        }),
        // simple_strtoul takes what begins like a number for one.
        ("bridge_port_floods_by_sysfs", "sysfs", || {
            sysfs::write("other0", "brport/unicast_flood", "1x")
        }),
        ("bridge_stops_filtering_vlans_by_sysfs", "sysfs", || {
            sysfs::write("br0", "bridge/vlan_filtering", "0\n")
        }),
        // kstrtoul takes a sign, too.
        (
            "bridge_stops_filtering_vlans_by_sysfs_with_a_plus",
            "sysfs",
            || sysfs::write("br0", "bridge/vlan_filtering", "+0"),
        ),
    ];
    for (name, via, act) in ways {
        Attack::new(
            name,
            VICTIM,
            Expected::of("promiscuous.bridge_port", via),
            act,
        )
        .needs(&["bridge", "vlan"])
        .on(prepared(QUIET))
        .twins(trials);
    }
}

/// By generic netlink; `bypass` has it on the other ABIs.
fn datapaths(trials: &mut Trials) {
    let port = Expected::of("promiscuous.bridge_port", "netlink");
    Attack::new("openvswitch_gets_a_port", VICTIM, port, || {
        openvswitch::add_port("ovs0", VICTIM)
    })
    .needs(&["openvswitch"])
    .on(|| {
        make::dummy(VICTIM)?;
        openvswitch::add_datapath("ovs0")
    })
    .twins(trials);
    Attack::new("openvswitch_datapath_made", VICTIM, port, || {
        openvswitch::add_datapath(VICTIM)
    })
    .needs(&["openvswitch"])
    .twins(trials);
}

fn bonds(trials: &mut Trials) {
    let ways: [(&str, &str, Act); 5] = [
        (
            "promiscuous_bond_changes_its_port_by_rtm_newlink",
            "RTM_NEWLINK",
            || {
                let message = change(RTM_NEWLINK, Target::Name("b0"));
                link::request(message.link_info("bond", &kind::active_port(index_of(VICTIM)?)))
            },
        ),
        (
            "promiscuous_bond_changes_its_port_by_siocbondchangeactive",
            "SIOCBONDCHANGEACTIVE",
            || bond_change_active("b0", VICTIM),
        ),
        (
            "promiscuous_bond_loses_its_active_port",
            "RTM_SETLINK",
            || link::request(change(RTM_SETLINK, Target::Name("other0")).master(0)),
        ),
        // bond_siocdevprivate: the same by other numbers.
        (
            "promiscuous_bond_changes_its_port_by_bond_change_active_old",
            "SIOCBONDCHANGEACTIVE",
            || bond_change_active_of_old("b0", VICTIM),
        ),
        (
            "promiscuous_bond_loses_its_active_port_by_bond_release_old",
            "SIOCBONDRELEASE",
            || bond_release_of_old("b0", "other0"),
        ),
    ];
    for (name, via, act) in ways {
        Attack::new(name, VICTIM, Expected::of("promiscuous.stacked", via), act)
            .needs(&["bond"])
            .on(prepared(BOND))
            .twins(trials);
    }
}
