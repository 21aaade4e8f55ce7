//! Addresses that a device gets, or hands on, and cannot filter.

use OperationKind::{PromiscuousStacked, PromiscuousUnicastFilter, PromiscuousUnjudged};
use netadmin_common::device::{ABOVE_FIXED, ABOVE_OPENED};
use netadmin_common::netlink::RTM_NEWNEIGH;

use super::*;

const NTF_SELF: u8 = 2;
const NTF_MASTER: u8 = 4;

fn neighbour(flags: u8) -> LinkRequest {
    LinkRequest {
        message_type: u32::from(RTM_NEWNEIGH),
        neighbour_flags: flags,
        ..change(5)
    }
}

fn readdress() -> LinkRequest {
    LinkRequest {
        has_address: 1,
        ..change(5)
    }
}

fn enslave(master: u32) -> LinkRequest {
    LinkRequest {
        has_master: 1,
        master,
        ..change(5)
    }
}

fn up() -> LinkRequest {
    flags(change(5), UP, UP)
}

fn below(above: u32) -> LinkView {
    view(Device {
        above,
        ..device(5, "veth0", "veth")
    })
}

/// `cycle_netdev` and `ipvlan_set_port_mode` ask for the flags that they see.
#[test]
fn what_a_packet_socket_made_promiscuous_stays_out_of_a_vrf() {
    let vrf = |gflags| LinkView {
        master: device(7, "vrf0", "vrf"),
        ..view(Device {
            flags: UP | PROMISC,
            gflags,
            ..nic(5)
        })
    };
    let raises = [PromiscuousStacked];
    assert_eq!(operations(&enslave(7), &vrf(0)), raises);
    assert_eq!(operations(&enslave(0), &vrf(0)), raises);
    // By its flag it is kept, as ever.
    assert_eq!(operations(&enslave(7), &vrf(PROMISC)), []);
    let ipvlan = view(Device {
        flags: UP | PROMISC,
        ..device(5, "iv0", "ipvlan")
    });
    let mode = LinkRequest {
        has_data: 1,
        ..change(5)
    };
    assert_eq!(operations(&mode, &ipvlan), raises);
    assert_eq!(operations(&change(5), &ipvlan), []);
}

#[test]
fn an_entry_of_its_own_is_for_a_device_that_filters() {
    let raises = [PromiscuousUnicastFilter];
    let plain = view(device(5, "veth0", "veth"));
    assert_eq!(operations(&neighbour(NTF_SELF), &plain), raises);
    assert_eq!(operations(&neighbour(NTF_SELF), &view(nic(5))), []);
    assert_eq!(
        operations(&neighbour(NTF_SELF), &view(device(5, "vx", "vxlan"))),
        []
    );
    // Without the flag it is for the bridge.
    assert_eq!(operations(&neighbour(NTF_MASTER), &plain), []);
    // One that is not there may come.
    assert_eq!(
        operations(&neighbour(NTF_SELF), &LinkView::default()),
        raises
    );
    let unstable = LinkView {
        unstable: 1,
        ..view(nic(5))
    };
    assert_eq!(
        operations(&neighbour(NTF_SELF), &unstable),
        [PromiscuousUnjudged]
    );
    assert_eq!(operations(&neighbour(NTF_MASTER), &unstable), []);
}

#[test]
fn a_vlan_with_an_address_of_its_own_adds_it_when_it_comes_up() {
    let vlan = |inherits_address, follows_address, lower| LinkView {
        device: Device {
            stacked: 1,
            inherits_address,
            follows_address,
            ..device(5, "v0", "vlan")
        },
        lower,
        ..LinkView::default()
    };
    let veth = || device(3, "veth0", "veth");
    assert_eq!(
        operations(&up(), &vlan(0, 0, veth())),
        [PromiscuousUnicastFilter]
    );
    assert_eq!(operations(&up(), &vlan(1, 0, veth())), []);
    assert_eq!(operations(&up(), &vlan(0, 1, veth())), []);
    assert_eq!(operations(&up(), &vlan(0, 0, nic(3))), []);
    // An earlier message may have changed either address.
    let unstable = LinkView {
        unstable: readdress().unsettles(),
        ..vlan(1, 0, veth())
    };
    assert_eq!(operations(&up(), &unstable), [PromiscuousUnicastFilter]);
}

#[test]
fn a_device_that_comes_up_brings_its_vlans_up() {
    assert_eq!(
        operations(&up(), &below(ABOVE_OPENED | ABOVE_FIXED)),
        [PromiscuousUnicastFilter]
    );
    assert_eq!(operations(&up(), &below(ABOVE_FIXED)), []);
    let filters = view(Device {
        above: ABOVE_OPENED,
        ..nic(5)
    });
    assert_eq!(operations(&up(), &filters), []);
}

#[test]
fn vlans_that_do_not_follow_add_their_address_when_that_below_changes() {
    assert_eq!(
        operations(&readdress(), &below(ABOVE_FIXED)),
        [PromiscuousUnicastFilter]
    );
    assert_eq!(operations(&readdress(), &below(0)), []);
    let port = LinkView {
        master: Device {
            above: ABOVE_FIXED,
            ..device(9, "br0", "bridge")
        },
        ..below(0)
    };
    assert_eq!(operations(&readdress(), &port), [PromiscuousUnicastFilter]);
}

#[test]
fn addresses_that_a_device_has_are_uploaded_when_it_comes_up() {
    let waiting = Device {
        has_addresses: 1,
        ..device(5, "veth0", "veth")
    };
    assert_eq!(
        operations(&up(), &view(waiting)),
        [PromiscuousUnicastFilter]
    );
    let already = Device {
        promiscuous_for_addresses: 1,
        ..waiting
    };
    assert_eq!(operations(&up(), &view(already)), []);
}

#[test]
fn a_bond_hands_its_addresses_to_who_joins_and_to_a_new_active_port() {
    let bond = |flags, has_addresses| Device {
        flags,
        has_addresses,
        ..device(9, "bond0", "bond")
    };
    let joining = |master| LinkView {
        master,
        ..view(device(5, "dev0", "dummy"))
    };
    assert_eq!(operations(&enslave(9), &joining(bond(0, 0))), []);
    assert_eq!(
        operations(&enslave(9), &joining(bond(0, 1))),
        [PromiscuousUnicastFilter]
    );
    let options = LinkRequest {
        has_data: 1,
        index: 9,
        ..change(9)
    };
    assert_eq!(operations(&options, &view(bond(0, 0))), []);
    assert_eq!(
        operations(&options, &view(bond(PROMISC, 0))),
        [PromiscuousStacked]
    );
    assert_eq!(
        operations(&options, &view(bond(0, 1))),
        [PromiscuousUnicastFilter]
    );
    // The active one leaves.
    assert_eq!(
        operations(&enslave(0), &joining(bond(PROMISC, 0))),
        [PromiscuousStacked]
    );
    assert_eq!(operations(&enslave(0), &joining(bond(0, 0))), []);
}

#[test]
fn who_joins_or_leaves_a_vrf_is_closed_and_opened() {
    let macvlan = |flags| LinkView {
        device: Device {
            flags,
            stacked: 1,
            ..device(5, "mv0", "macvlan")
        },
        lower: device(3, "veth0", "veth"),
        master: device(9, "vrf0", "vrf"),
        ..LinkView::default()
    };
    let raises = [PromiscuousUnicastFilter];
    assert_eq!(operations(&enslave(9), &macvlan(UP)), raises);
    assert_eq!(operations(&enslave(0), &macvlan(UP)), raises);
    assert_eq!(operations(&enslave(9), &macvlan(0)), []);
}
