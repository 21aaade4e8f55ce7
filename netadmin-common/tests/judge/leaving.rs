//! A port leaves its master: by a request of its own, or as a part of another
//! ([`LinkRequest::leave`]).

use OperationKind::{PromiscuousStacked, PromiscuousUnicastFilter, PromiscuousUnjudged};
use netadmin_common::device::{ABOVE_FIXED, ABOVE_LISTENED, ABOVE_MISSED, ABOVE_MISSED_IF_MOVED};
use netadmin_common::netlink::RTM_DELLINK;

use super::*;

fn to(master: u32) -> LinkRequest {
    LinkRequest {
        has_master: 1,
        master,
        ..change(5)
    }
}

fn delete() -> LinkRequest {
    LinkRequest {
        message_type: u32::from(RTM_DELLINK),
        ..change(5)
    }
}

fn move_away() -> LinkRequest {
    LinkRequest {
        other_namespace: 1,
        ..change(5)
    }
}

/// What the leaving that a request brings along comes to.
fn leaving(mut request: LinkRequest, view: &LinkView) -> Vec<OperationKind> {
    assert!(request.leave(), "{request:?}");
    assert!(!request.leave(), "once: {request:?}");
    operations(&request, view)
}

fn port_of(master: Device) -> LinkView {
    LinkView {
        master,
        ..view(device(5, "dev0", "dummy"))
    }
}

#[test]
fn who_goes_elsewhere_or_for_good_leaves() {
    for request in [to(9), delete(), move_away()] {
        assert!({ request }.leave(), "{request:?}");
    }
    let named = flags(change_named("dev0"), UP, UP);
    for request in [to(0), named, create("dev0", "dummy")] {
        let mut asked = request;
        assert!(!asked.leave(), "{request:?}");
        assert_eq!(asked, request);
    }
}

#[test]
fn what_a_master_had_of_its_port_goes_to_another() {
    let promiscuous = Device {
        flags: PROMISC,
        ..device(9, "bond0", "bond")
    };
    let below_a_vlan = |kind| Device {
        above: ABOVE_FIXED,
        ..device(9, "master0", kind)
    };
    for request in [to(7), delete(), move_away()] {
        let table = [
            (promiscuous, Some(PromiscuousStacked)),
            (device(9, "bond0", "bond"), None),
            (below_a_vlan("bond"), Some(PromiscuousUnicastFilter)),
            (below_a_vlan("bridge"), Some(PromiscuousUnicastFilter)),
            (device(9, "br0", "bridge"), None),
            (device(9, "vrf0", "vrf"), None),
            (Device::default(), None),
        ];
        for (master, expected) in table {
            let expected: Vec<_> = expected.into_iter().collect();
            let view = port_of(master);
            assert_eq!(leaving(request, &view), expected, "{request:?} {master:?}");
        }
    }
}

#[test]
fn a_vrf_opens_who_leaves_it_only_if_it_stays_open() {
    let listened = LinkView {
        device: Device {
            flags: PROMISC | UP,
            ..device(5, "dev0", "dummy")
        },
        ..port_of(device(9, "vrf0", "vrf"))
    };
    assert_eq!(leaving(to(7), &listened), [PromiscuousStacked]);
    assert_eq!(leaving(delete(), &listened), []);
    assert_eq!(leaving(move_away(), &listened), []);
}

#[test]
fn a_port_that_is_not_known_for_certain_does_not_leave() {
    let unsettled = LinkView {
        unstable: 1,
        ..port_of(device(9, "br0", "bridge"))
    };
    for request in [delete(), move_away()] {
        assert_eq!(leaving(request, &unsettled), [PromiscuousUnjudged]);
    }
    assert_eq!(operations(&to(0), &unsettled), [PromiscuousUnjudged]);
    let by_group = LinkRequest {
        has_group: 1,
        index: 0,
        ..move_away()
    };
    assert_eq!(
        leaving(by_group, &LinkView::default()),
        [PromiscuousUnjudged]
    );
    // ENODEV.
    assert_eq!(leaving(move_away(), &LinkView::default()), []);
}

#[test]
fn what_lies_above_a_device_goes_with_it() {
    let below_a_port = view(Device {
        above: ABOVE_MISSED,
        ..device(5, "dev0", "dummy")
    });
    assert_eq!(operations(&delete(), &below_a_port), [PromiscuousStacked]);
    assert_eq!(operations(&move_away(), &below_a_port), []);
}

#[test]
fn a_name_that_may_be_anothers_by_now_is_not_deleted() {
    let by_name = LinkRequest {
        index: 0,
        has_name: 1,
        ..delete()
    };
    let seen = view(device(5, "dev0", "dummy"));
    assert_eq!(operations(&by_name, &seen), []);
    let unsettled = LinkView {
        unstable: 1,
        ..seen
    };
    assert_eq!(operations(&by_name, &unsettled), [PromiscuousUnjudged]);
    assert_eq!(operations(&delete(), &unsettled), []);
}

#[test]
fn the_mode_of_ipvlans_is_left_while_somebody_listens_on_one() {
    let over = |above, device| LinkView {
        device,
        lower: Device { above, ..nic(3) },
        ..LinkView::default()
    };
    let mode = LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        kind: Text::new(b"ipvlan"),
        has_data: 1,
        ..change(5)
    };
    let there = device(5, "ipvl0", "ipvlan");
    assert_eq!(
        operations(&mode, &over(ABOVE_LISTENED, there)),
        [PromiscuousStacked]
    );
    assert_eq!(operations(&mode, &over(0, there)), []);
    let make = LinkRequest {
        lower: 3,
        ..create("ipvl1", "ipvlan")
    };
    let none = Device::default();
    assert_eq!(
        operations(&make, &over(ABOVE_LISTENED, none)),
        [PromiscuousStacked]
    );
    assert_eq!(operations(&make, &over(0, none)), []);
    let of_another_kind = LinkRequest {
        kind: Text::new(b"macvlan"),
        ..make
    };
    assert_eq!(
        operations(&of_another_kind, &over(ABOVE_LISTENED, none)),
        []
    );
}

#[test]
fn what_lies_above_a_device_may_go_when_that_moves() {
    let missed = view(Device {
        above: ABOVE_MISSED_IF_MOVED,
        ..device(5, "dev0", "dummy")
    });
    assert_eq!(operations(&move_away(), &missed), [PromiscuousStacked]);
    assert_eq!(operations(&change(5), &missed), []);
}

#[test]
fn a_port_that_is_renamed_may_become_the_primary_one() {
    let bond = |flags| LinkView {
        master: Device {
            flags,
            ..device(9, "bond0", "bond")
        },
        ..view(device(5, "dev0", "dummy"))
    };
    let renamed = LinkRequest {
        has_name: 1,
        name: Text::new(b"eth0"),
        ..change(5)
    };
    assert_eq!(operations(&renamed, &bond(PROMISC)), [PromiscuousStacked]);
    assert_eq!(operations(&renamed, &bond(0)), []);
    // By name, it selects.
    let selected = flags(change_named("dev0"), UP, UP);
    assert_eq!(operations(&selected, &bond(PROMISC)), []);
}
