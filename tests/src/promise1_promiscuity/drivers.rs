//! Drivers that raise others by ways of their own, and stacks of more than two devices.

use std::os::fd::AsFd as _;

use super::VICTIM;
use super::addresses::{Act, prepared};
use crate::attack::ioctl::{Family, bond_release, bond_take_address, change_flags, set_address_on};
use crate::attack::link;
use crate::attack::{IFF_UP, index_of, kind, tun};
use crate::rig::{Attack, Expected, Refusal, Trials};

const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// `BOND_MODE_ALB` (linux/if_bonding.h).
const BOND_MODE_ALB: u8 = 6;

/// A promiscuous bond, whose second port is not the active one.
const PROMISCUOUS_BOND: &str = "ip link add b0 type bond mode active-backup \
    && ip link set b0 up && for port in other0 victim0; do \
        ip link add $port type dummy && ip link set $port master b0 || exit 1; done \
    && ip link set b0 promisc on";

/// A vlan with the bond's address, given to it so that it keeps it.
const VLAN_ON_A_BOND: &str = "ip link add b0 type bond mode active-backup \
    && ip link add other0 type dummy && ip link add victim0 type dummy \
    && ip link set victim0 master b0 && ip link set b0 up && ip link add link b0 name v0 type vlan id 7 \
    && ip link set v0 address $(cat /sys/class/net/b0/address) && ip link set v0 up";

const VLAN_ON_A_TAP: &str = "ip tuntap add victim0 mode tap && ip link set victim0 up \
    && ip link add link victim0 name v0 type vlan id 7 \
    && ip link set v0 address $(cat /sys/class/net/victim0/address) && ip link set v0 up";

/// Stacks over a victim that cannot filter, whose topmost device is `top0`, down: all
/// below it filters, and hands the addresses down.
const STACKS: [(&str, &[&str], &str); 4] = [
    (
        "macsec_over_a_dummy",
        &["macsec"],
        "ip link add link victim0 name top0 type macsec",
    ),
    (
        "macvlan_over_a_vlan_over_a_dummy",
        &["macvlan", "vlan"],
        "ip link add link victim0 name v1 type vlan id 7 && ip link set v1 up \
        && ip link add link v1 name top0 type macvlan mode bridge",
    ),
    (
        "vlan_with_an_address_over_vlans_over_a_dummy",
        &["vlan"],
        "ip link add link victim0 name v1 type vlan id 7 && ip link set v1 up \
        && ip link add link v1 name v2 type vlan id 8 && ip link set v2 up \
        && ip link add link v2 name top0 type vlan id 9 \
        && ip link set top0 address 02:00:00:00:00:09",
    ),
    (
        "macvlan_over_a_bond_over_a_vlan_over_a_dummy",
        &["macvlan", "bond", "vlan"],
        "ip link add link victim0 name v1 type vlan id 7 \
        && ip link add b0 type bond mode active-backup && ip link set v1 master b0 \
        && ip link set b0 up && ip link add link b0 name top0 type macvlan mode bridge",
    ),
];

pub fn add(trials: &mut Trials) {
    stacks(trials);
    let ways: [(&str, &str, &str, &str, Act); 3] = [
        (
            "promiscuous_bond_loses_its_active_port_by_siocbondrelease",
            PROMISCUOUS_BOND,
            "promiscuous.stacked",
            "SIOCBONDRELEASE",
            || bond_release("b0", "other0"),
        ),
        (
            "bond_below_a_vlan_readdressed_by_siocbondsethwaddr",
            VLAN_ON_A_BOND,
            "promiscuous.unicast_filter",
            "SIOCBONDSETHWADDR",
            || bond_take_address("b0", "other0"),
        ),
        (
            "tap_below_a_vlan_readdressed_by_its_file",
            VLAN_ON_A_TAP,
            "promiscuous.unicast_filter",
            "SIOCSIFHWADDR",
            || set_address_on(tun::tap(VICTIM)?.as_fd(), OTHER),
        ),
    ];
    for (name, set_up, operation, via, act) in ways {
        Attack::new(name, VICTIM, Expected::of(operation, via), act)
            .needs(&["bond", "vlan"])
            .on(prepared(set_up))
            .twins(trials);
    }
    // Makes a port promiscuous when another leaves (`rlb_teach_disabled_mac_on_primary`).
    Refusal::new(
        "bond_made_in_mode_balance_alb",
        Expected::of("promiscuous.stacked", "RTM_NEWLINK"),
        || link::request(kind::bond("b0", BOND_MODE_ALB)),
        || Ok(index_of("b0").is_ok()),
    )
    .needs(&["bond"])
    .twins(trials);
}

fn stacks(trials: &mut Trials) {
    for (name, needs, above) in STACKS {
        let address = Expected::of("promiscuous.unicast_filter", "SIOCSIFFLAGS");
        let name = format!("{name}_brought_up");
        Attack::new(name, VICTIM, address, || {
            change_flags(Family::Inet, "top0", IFF_UP, 0)
        })
        .needs(needs)
        .on(move || {
            prepared("ip link add victim0 type dummy && ip link set victim0 up")()?;
            prepared(above)()
        })
        .twins(trials);
    }
}
