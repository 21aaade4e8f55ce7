//! What a bond hands to its ports, and they to it: another address, or those of the
//! devices above it.

use anyhow::ensure;

use super::VICTIM;
use super::addresses::{Act, prepared};
use crate::attack::ioctl::{Family, bond_change_active, change_flags, set_address};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{IFF_UP, Target, index_of, kind};
use crate::rig::{Attack, Expected, Trials, USUAL_POLICY, Watch, errno_of};

const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// Above the port of a bond lies a vlan of its address, which keeps that.
const VLAN_ABOVE_PORT: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add victim0 type dummy && ip link set victim0 master b0 \
    && ip link add link victim0 name v0 type vlan id 7 \
    && ip link set v0 address $(cat /sys/class/net/victim0/address) && ip link set v0 up";

/// The port itself is a vlan, of the address of the device below.
const VLAN_FOR_PORT: &str = "ip link add victim0 type dummy && ip link set victim0 up \
    && ip link add link victim0 name v0 type vlan id 7 \
    && ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link set v0 master b0";

/// Two ports that swap their addresses when another becomes the active one.
const FOLLOWING: &str = "ip link add b0 type bond mode active-backup fail_over_mac follow \
    && ip link set b0 up && for port in other0 victim0; do \
        ip link add $port type dummy && ip link set $port master b0 || exit 1; done \
    && ip link add link victim0 name v0 type vlan id 7 \
    && ip link set v0 address $(cat /sys/class/net/victim0/address) && ip link set v0 up";

/// The bond has the address of its active port, and so has a vlan above it.
const TAKING: &str = "ip link add b0 type bond mode active-backup fail_over_mac active \
    && ip link set b0 up && for port in other0 victim0; do \
        ip link add $port type dummy && ip link set $port master b0 || exit 1; done \
    && ip link add link b0 name v0 type vlan id 7 \
    && ip link set v0 address $(cat /sys/class/net/b0/address) && ip link set v0 up";

/// A bond without ports, which has the address of a vlan above it.
const EMPTY: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add link b0 name v0 address 02:00:00:00:00:07 type vlan id 7 \
    && ip link set v0 up";

/// A vlan that has an address for a macvlan, and is down.
const VLAN_BELOW_MACVLAN: &str = "ip link add victim0 type dummy && ip link set victim0 up \
    && ip link add link victim0 name v0 type vlan id 7 && ip link set v0 up \
    && ip link add link v0 name m0 type macvlan mode bridge && ip link set m0 up \
    && ip link set v0 down";

/// Likewise a bond.
const BOND_BELOW_MACVLAN: &str = "ip link add b0 type bond mode active-backup \
    && ip link set b0 up && ip link add victim0 type dummy && ip link set victim0 master b0 \
    && ip link add link b0 name m0 type macvlan mode bridge && ip link set m0 up \
    && ip link set b0 down";

pub fn add(trials: &mut Trials) {
    let acts: [(&str, &str, &str, &'static str, Act); 9] = [
        (
            "bond_with_a_port_below_a_vlan_readdressed_by_siocsifhwaddr",
            VICTIM,
            "SIOCSIFHWADDR",
            VLAN_ABOVE_PORT,
            || set_address("b0", OTHER),
        ),
        (
            "bond_with_a_vlan_for_a_port_readdressed_by_rtm_setlink",
            VICTIM,
            "RTM_SETLINK",
            VLAN_FOR_PORT,
            || link::request(change(RTM_SETLINK, Target::Name("b0")).address(OTHER)),
        ),
        (
            "bond_whose_ports_swap_addresses_changes_its_port",
            VICTIM,
            "SIOCBONDCHANGEACTIVE",
            FOLLOWING,
            || bond_change_active("b0", VICTIM),
        ),
        (
            "bond_below_a_vlan_of_its_address_changes_its_port",
            VICTIM,
            "RTM_NEWLINK",
            TAKING,
            || {
                let message = change(RTM_NEWLINK, Target::Name("b0"));
                link::request(message.link_info("bond", &kind::active_port(index_of(VICTIM)?)))
            },
        ),
        (
            "bond_below_a_vlan_of_its_address_loses_its_active_port",
            VICTIM,
            "RTM_SETLINK",
            TAKING,
            || link::request(change(RTM_SETLINK, Target::Name("other0")).master(0)),
        ),
        (
            "port_made_for_a_bond_with_an_address",
            VICTIM,
            "RTM_NEWLINK",
            EMPTY,
            || link::request(link::create(VICTIM, "dummy").master(index_of("b0")?)),
        ),
        (
            "vlan_below_a_macvlan_brought_up",
            VICTIM,
            "SIOCSIFFLAGS",
            VLAN_BELOW_MACVLAN,
            || change_flags(Family::Inet, "v0", IFF_UP, 0),
        ),
        (
            "bond_below_a_macvlan_brought_up",
            VICTIM,
            "RTM_SETLINK",
            BOND_BELOW_MACVLAN,
            || link::request(change(RTM_SETLINK, Target::Name("b0")).flags(IFF_UP, IFF_UP)),
        ),
        (
            "bond_whose_ports_swap_addresses_loses_its_active_port",
            VICTIM,
            "RTM_SETLINK",
            FOLLOWING,
            || link::request(change(RTM_SETLINK, Target::Name("other0")).master(0)),
        ),
    ];
    for (name, victim, via, set_up, act) in acts {
        let expected = Expected::of("promiscuous.unicast_filter", via);
        Attack::new(name, victim, expected, act)
            .needs(&["bond", "vlan", "macvlan"])
            .on(prepared(set_up))
            .twins(trials);
    }
    trials.guarded(
        USUAL_POLICY,
        "bonds_below_vlans_that_follow_them_pass",
        |stage| {
            let container = stage.guarded()?;
            let watch = Watch::begin(stage)?;
            container.run(prepared(EVERYDAY))?;
            watch.saw_no_rise()?;
            watch.saw_no_event()
        },
    );
    joins_beside_a_vlan(trials);
}

/// A port that is a vlan, and a device that may join it.
const BESIDE: &str = "ip link add victim0 type dummy && ip link set victim0 up \
    && ip link add link victim0 name v0 type vlan id 7 \
    && ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link set v0 master b0 && ip link add d0 type dummy";

/// Whether the bond's ports would swap their addresses is not seen: what this one's mode
/// would let pass is refused, too.
fn joins_beside_a_vlan(trials: &mut Trials) {
    let join = || link::request(change(RTM_SETLINK, Target::Name("d0")).master(index_of("b0")?));
    let name = |what| format!("bond_with_a_vlan_for_a_port_gets_another_{what}");
    trials.unguarded(USUAL_POLICY, &name("succeeds_unguarded"), move |stage| {
        let container = stage.unguarded()?;
        container.set_up(prepared(BESIDE))?;
        let watch = Watch::begin(stage)?;
        container.run(join)?;
        watch.saw_no_rise()
    });
    trials.guarded(USUAL_POLICY, &name("is_refused"), move |stage| {
        let container = stage.guarded()?;
        container.set_up(prepared(BESIDE))?;
        let watch = Watch::begin(stage)?;
        let errno = errno_of(&container.attempt(join)?);
        ensure!(errno == libc::EPERM, "errno {errno}");
        Expected::of("promiscuous.unicast_filter", "RTM_SETLINK").check(&watch.events()?)
    });
}

/// The other side of each line.
const EVERYDAY: &str = "ip link add b0 type bond mode active-backup fail_over_mac active \
    && ip link set b0 up && for port in d1 d2; do \
        ip link add $port type dummy && ip link set $port master b0 || exit 1; done \
    && ip link add link b0 name v0 type vlan id 7 && ip link set v0 up \
    && ip link set b0 type bond active_slave d2 && ip link set d2 nomaster \
    && ip link add d3 master b0 type dummy \
    && ip link set b0 down && ip link set b0 up \
    && ip link add b1 type bond mode active-backup && ip link set b1 up \
    && ip link set d2 master b1 && ip link set b1 address 02:00:00:00:00:07 \
    && ip link del b1 && ip link del b0";
