//! What a bond or a team does to its ports, and a port to the bond, besides being
//! promiscuous.

use OperationKind::PromiscuousUnicastFilter;
use netadmin_common::device::ABOVE_FIXED;

use super::*;

const RAISES: [OperationKind; 1] = [PromiscuousUnicastFilter];

fn to(master: u32) -> LinkRequest {
    LinkRequest {
        has_master: 1,
        master,
        ..change(5)
    }
}

fn readdress() -> LinkRequest {
    LinkRequest {
        has_address: 1,
        ..change(5)
    }
}

fn options() -> LinkRequest {
    LinkRequest {
        has_data: 1,
        ..change(5)
    }
}

fn restless(view: LinkView) -> LinkView {
    LinkView {
        restless_ports: 1,
        ..view
    }
}

#[test]
fn the_address_of_a_bond_or_team_is_that_of_its_ports() {
    for kind in ["bond", "team"] {
        let master = view(device(5, "master0", kind));
        assert_eq!(operations(&readdress(), &master), [], "{kind}");
        assert_eq!(operations(&readdress(), &restless(master)), RAISES);
    }
    // The ports of a vrf keep theirs.
    let vrf = restless(view(device(5, "vrf0", "vrf")));
    assert_eq!(operations(&readdress(), &vrf), []);
}

#[test]
fn another_active_port_may_swap_addresses_or_give_the_bond_its_own() {
    let bond = device(5, "bond0", "bond");
    let below_a_vlan = Device {
        above: ABOVE_FIXED,
        ..bond
    };
    assert_eq!(operations(&options(), &view(bond)), []);
    assert_eq!(operations(&options(), &restless(view(bond))), RAISES);
    assert_eq!(operations(&options(), &view(below_a_vlan)), RAISES);
    let port = LinkView {
        master: device(9, "bond0", "bond"),
        ..view(device(5, "dev0", "dummy"))
    };
    for master in [0, 9] {
        assert_eq!(operations(&to(master), &port), [], "{master}");
        assert_eq!(operations(&to(master), &restless(port)), RAISES, "{master}");
    }
}

#[test]
fn a_port_that_is_made_gets_what_the_bond_has() {
    let made = LinkRequest {
        has_master: 1,
        master: 9,
        ..create("new0", "dummy")
    };
    let of = |master| LinkView {
        master,
        ..LinkView::default()
    };
    let bond = device(9, "bond0", "bond");
    assert_eq!(operations(&made, &of(bond)), []);
    let addressed = Device {
        has_addresses: 1,
        ..bond
    };
    assert_eq!(operations(&made, &of(addressed)), RAISES);
    let below_a_vlan = Device {
        above: ABOVE_FIXED,
        ..bond
    };
    assert_eq!(operations(&made, &of(below_a_vlan)), RAISES);
    assert_eq!(operations(&made, &restless(of(bond))), RAISES);
}

#[test]
fn what_is_brought_up_hands_its_addresses_down_again() {
    let up = flags(change(5), UP, UP);
    let waiting = |kind| Device {
        has_addresses: 1,
        stacked: 1,
        follows_address: 1,
        kind: Text::new(kind),
        ..nic(5)
    };
    let over = |lower| LinkView {
        lower,
        ..view(waiting(b"vlan"))
    };
    assert_eq!(operations(&up, &over(device(3, "veth0", "veth"))), RAISES);
    assert_eq!(operations(&up, &over(nic(3))), []);
    let bond = view(waiting(b"bond"));
    assert_eq!(operations(&up, &bond), []);
    let unfiltered = LinkView {
        unfiltered_ports: 1,
        ..bond
    };
    assert_eq!(operations(&up, &unfiltered), RAISES);
}
