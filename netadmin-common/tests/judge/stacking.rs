//! Devices over devices: macvlan, macvtap, macsec, vlan.

use OperationKind::{
    PromiscuousPassthru, PromiscuousStacked, PromiscuousUnicastFilter, PromiscuousUnjudged,
};

use super::*;

fn over(kind: &str, lower: Device) -> LinkView {
    LinkView {
        device: Device {
            stacked: 1,
            ..device(5, "upper0", kind)
        },
        lower,
        ..LinkView::default()
    }
}

fn veth() -> Device {
    device(3, "veth0", "veth")
}

/// Filters by itself, and hands down to a device of which nothing is known.
fn vlan_over_something() -> Device {
    Device {
        stacked: 1,
        ..nic(3)
    }
}

fn up(request: LinkRequest) -> LinkRequest {
    flags(request, UP, UP)
}

#[test]
fn bringing_up_raises_what_lies_below_unless_that_filters() {
    for kind in ["macvlan", "macvtap", "macsec"] {
        for (lower, expected) in [
            (veth(), Some(PromiscuousUnicastFilter)),
            (nic(3), None),
            (vlan_over_something(), Some(PromiscuousUnicastFilter)),
            (Device::default(), Some(PromiscuousUnicastFilter)),
        ] {
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(
                operations(&up(change(5)), &over(kind, lower)),
                expected,
                "{kind}"
            );
            assert_eq!(
                operations(&up(change_named("upper0")), &over(kind, lower)),
                expected
            );
            // A mask of zero means all.
            assert_eq!(
                operations(&flags(change(5), UP, 0), &over(kind, lower)),
                expected
            );
        }
    }
}

#[test]
fn other_kinds_come_up_freely() {
    for kind in [
        "", "dummy", "veth", "vlan", "ipvlan", "bond", "bridge", "tun",
    ] {
        let mut view = over(kind, veth());
        // As a vlan does that was given no address.
        view.device.follows_address = 1;
        assert_eq!(operations(&up(change(5)), &view), [], "{kind}");
    }
}

#[test]
fn what_is_up_already_or_is_not_brought_up_raises_nothing() {
    let mut view = over("macvlan", veth());
    assert_eq!(operations(&flags(change(5), UP, PROMISC), &view), []);
    assert_eq!(operations(&flags(change(5), 0, UP), &view), []);
    view.device.flags = UP;
    assert_eq!(operations(&up(change(5)), &view), []);
}

#[test]
fn a_promiscuous_macvlan_hands_it_down_when_it_comes_up() {
    let mut view = over("macvlan", nic(3));
    view.device.flags = PROMISC;
    assert_eq!(operations(&up(change(5)), &view), [PromiscuousStacked]);
}

#[test]
fn a_device_in_another_namespace_is_not_believed_to_filter() {
    let request = LinkRequest {
        other_namespace: 1,
        ..up(change(5))
    };
    assert_eq!(
        operations(&request, &over("macvlan", nic(3))),
        [PromiscuousUnicastFilter]
    );
}

#[test]
fn who_moves_is_closed_and_opened_again() {
    let mut view = over(
        "macvlan",
        Device {
            priv_flags: 0,
            ..nic(3)
        },
    );
    view.device.flags = UP;
    assert_eq!(operations(&up(change(5)), &view), []);
    let moves = LinkRequest {
        other_namespace: 1,
        ..change(5)
    };
    assert_eq!(operations(&moves, &view), []);
    assert_eq!(operations(&up(moves), &view), [PromiscuousUnicastFilter]);
}

#[test]
fn what_goes_by_a_long_alternative_name_or_by_group_is_not_brought_up_unseen() {
    let by_alternative_name = LinkRequest {
        has_alternative_name: 1,
        ..change(0)
    };
    let by_group = LinkRequest {
        has_group: 1,
        message_type: u32::from(RTM_NEWLINK),
        ..change(0)
    };
    // The kind of a request does not say what is there.
    let of_another_kind = LinkRequest {
        kind: Text::new(b"dummy"),
        message_type: u32::from(RTM_NEWLINK),
        message_flags: u32::from(NLM_F_REQUEST | NLM_F_CREATE),
        ..change_named("alt0")
    };
    // RTM_SETLINK makes nothing, whatever its flags.
    let with_flags_of_creation = LinkRequest {
        message_flags: u32::from(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL),
        ..change_named("alt0")
    };
    // The programs look for alternative names too: what is not found is not there.
    for request in [
        change_named("alt0"),
        of_another_kind,
        with_flags_of_creation,
    ] {
        let found = operations(&up(request), &LinkView::default());
        assert_eq!(found, [], "{request:?}");
    }
    for request in [by_alternative_name, by_group] {
        let found = operations(&up(request), &LinkView::default());
        assert_eq!(found, [PromiscuousUnjudged], "{request:?}");
        let readdressed = LinkRequest {
            has_address: 1,
            ..request
        };
        assert_eq!(
            operations(&readdressed, &LinkView::default()),
            [PromiscuousUnjudged]
        );
        assert_eq!(operations(&request, &LinkView::default()), []);
    }
}

#[test]
fn an_index_that_is_not_there_is_let_through_to_fail() {
    assert_eq!(operations(&up(change(5)), &LinkView::default()), []);
}

#[test]
fn a_vlan_with_an_address_of_its_own_adds_it_below() {
    let readdress = LinkRequest {
        has_address: 1,
        ..change(5)
    };
    assert_eq!(
        operations(&readdress, &over("vlan", veth())),
        [PromiscuousUnicastFilter]
    );
    assert_eq!(operations(&readdress, &over("vlan", nic(3))), []);
    assert_eq!(
        operations(&readdress, &over("dummy", Device::default())),
        []
    );
    let new = LinkRequest {
        has_address: 1,
        lower: 3,
        ..create("vlan7", "vlan")
    };
    let lower = LinkView {
        lower: veth(),
        ..LinkView::default()
    };
    assert_eq!(operations(&new, &lower), [PromiscuousUnicastFilter]);
    assert_eq!(
        operations(
            &LinkRequest {
                has_address: 0,
                ..new
            },
            &lower
        ),
        []
    );
}

fn with_data(request: LinkRequest, mode: Option<u32>, flags: Option<u32>) -> LinkRequest {
    LinkRequest {
        kind: Text::new(b"macvlan"),
        has_data: 1,
        has_macvlan_mode: u8::from(mode.is_some()),
        macvlan_mode: mode.unwrap_or(0),
        has_macvlan_flags: u8::from(flags.is_some()),
        macvlan_flags: flags.unwrap_or(0),
        ..request
    }
}

const PASSTHRU: u32 = 8;
const BRIDGE: u32 = 4;
const NOPROMISC: u32 = 1;

#[test]
fn a_passthru_device_may_be_made_only_with_nopromisc() {
    let table = [
        (Some(PASSTHRU), None, true),
        (Some(PASSTHRU), Some(0), true),
        (Some(PASSTHRU), Some(2), true),
        (Some(PASSTHRU), Some(NOPROMISC), false),
        (Some(BRIDGE), None, false),
        (Some(BRIDGE), Some(0), false),
        (None, Some(0), false),
        (None, None, false),
    ];
    let view = LinkView {
        lower: veth(),
        ..LinkView::default()
    };
    for (mode, flags, raises) in table {
        let request = with_data(create("mv0", "macvlan"), mode, flags);
        let found = operations(&request, &view);
        assert_eq!(found == [PromiscuousPassthru], raises, "{mode:?} {flags:?}");
    }
    // It puts no address on the lower device.
    let quiet = with_data(create("mv0", "macvlan"), Some(PASSTHRU), Some(NOPROMISC));
    assert_eq!(operations(&up(quiet), &view), []);
}

#[test]
fn nopromisc_may_not_be_taken_from_a_device_that_may_be_passthru() {
    let table = [
        (None, Some(0), true),
        (Some(PASSTHRU), Some(0), true),
        (None, Some(NOPROMISC), false),
        (Some(PASSTHRU), Some(NOPROMISC), false),
        // EINVAL if it is passthru.
        (Some(BRIDGE), Some(0), false),
        (None, None, false),
    ];
    for (mode, flags, raises) in table {
        for (target, view) in [
            (change(5), over("macvlan", nic(3))),
            (change_named("alt0"), LinkView::default()),
        ] {
            let request = with_data(target, mode, flags);
            let found = operations(&request, &view);
            assert_eq!(
                found == [PromiscuousPassthru],
                raises,
                "{mode:?} {flags:?} {target:?}"
            );
        }
    }
}

#[test]
fn macvtap_is_a_macvlan() {
    let request = LinkRequest {
        kind: Text::new(b"macvtap"),
        ..with_data(create("mv0", "macvtap"), Some(PASSTHRU), None)
    };
    assert_eq!(
        operations(&request, &LinkView::default()),
        [PromiscuousPassthru]
    );
}
