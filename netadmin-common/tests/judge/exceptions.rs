//! `promiscuous.allow`: who is excepted, and who may be called so.

use netadmin_common::device::{ABOVE_FIXED, ABOVE_LISTENED, ABOVE_MISSED};
use netadmin_common::netlink::RTM_DELLINK;
use netadmin_common::policy::{EXCEPTION_KIND, EXCEPTION_NAME, EXCEPTION_PREFIX, MAX_EXCEPTIONS};
use proptest::prelude::*;

use super::*;

fn raise(request: LinkRequest) -> LinkRequest {
    flags(request, PROMISC, PROMISC)
}

#[test]
fn an_exception_matches_by_name_prefix_or_kind() {
    let table = [
        (Exception::name("tap0"), "tap0", "tun", true),
        (Exception::name("tap0"), "tap00", "tun", false),
        (Exception::name("tap0"), "tap", "tun", false),
        (
            Exception::name("fifteen-letters"),
            "fifteen-letters",
            "",
            true,
        ),
        (Exception::prefix("tap"), "tap0", "tun", true),
        (Exception::prefix("tap"), "tap", "tun", true),
        (Exception::prefix("tap"), "ta", "tun", false),
        (Exception::prefix(""), "eth0", "", true),
        (Exception::kind("tun"), "eth0", "tun", true),
        (Exception::kind("tun"), "tun", "veth", false),
        (Exception::kind("tun"), "eth0", "tunnel", false),
    ];
    for (exception, name, kind, excepted) in table {
        let policy = denying(&[exception]);
        let view = view(device(5, name, kind));
        assert_eq!(
            !is_refused(&raise(change(5)), &view, &policy),
            excepted,
            "{name} {kind}"
        );
    }
}

#[test]
fn entries_that_are_not_in_use_except_nobody() {
    let mut policy = denying(&[Exception::name("tap0")]);
    policy.promiscuous.len = 0;
    assert!(is_refused(
        &raise(change(5)),
        &view(device(5, "tap0", "tun")),
        &policy
    ));
    let full = denying(&[Exception::name("tap0"); MAX_EXCEPTIONS]);
    let mut too_long = full;
    too_long.promiscuous.len = u32::MAX;
    assert!(is_refused(
        &raise(change(5)),
        &view(device(5, "eth0", "")),
        &too_long
    ));
}

#[test]
fn an_exception_holds_only_if_what_is_below_is_excepted_too() {
    let policy = denying(&[Exception::kind("vlan"), Exception::name("eth0")]);
    let vlan = Device {
        stacked: 1,
        ..device(5, "vlan7", "vlan")
    };
    let over = |lower| LinkView {
        lower,
        ..view(vlan)
    };
    assert!(!is_refused(
        &raise(change(5)),
        &over(device(3, "eth0", "")),
        &policy
    ));
    assert!(is_refused(
        &raise(change(5)),
        &over(device(3, "eth1", "")),
        &policy
    ));
    // Several below, or more than one level: not seen.
    assert!(is_refused(&raise(change(5)), &view(vlan), &policy));
    let taller = Device {
        stacked: 1,
        ..device(3, "eth0", "")
    };
    assert!(is_refused(&raise(change(5)), &over(taller), &policy));
}

#[test]
fn a_new_device_is_excepted_by_its_kind_if_what_is_below_is() {
    let policy = denying(&[Exception::kind("dummy"), Exception::kind("macvlan")]);
    let nothing = LinkView::default();
    assert!(!is_refused(
        &raise(create("new0", "dummy")),
        &nothing,
        &policy
    ));
    let over = LinkRequest {
        lower: 3,
        ..raise(create("new0", "macvlan"))
    };
    let lower = |kind| LinkView {
        lower: device(3, "lower0", kind),
        ..nothing
    };
    assert!(is_refused(&over, &lower("veth"), &policy));
    assert!(!is_refused(&over, &lower("dummy"), &policy));
    assert!(is_refused(&over, &nothing, &policy));
}

#[test]
fn the_kind_of_a_request_excepts_nothing_that_is_there_already() {
    let policy = denying(&[Exception::kind("dummy")]);
    let newlink = |message_flags| LinkRequest {
        message_flags: u32::from(message_flags),
        ..raise(create("alt0", "dummy"))
    };
    let nothing = LinkView::default();
    // By an alternative name, which is not found.
    assert!(is_refused(&newlink(NLM_F_REQUEST), &nothing, &policy));
    assert!(is_refused(
        &newlink(NLM_F_REQUEST | NLM_F_CREATE),
        &nothing,
        &policy
    ));
    let mut by_group = newlink(NLM_F_REQUEST);
    (by_group.has_name, by_group.has_group) = (0, 1);
    assert!(is_refused(&by_group, &nothing, &policy));
    let setlink = LinkRequest {
        message_type: u32::from(RTM_SETLINK),
        ..raise(create("alt0", "dummy"))
    };
    assert!(is_refused(&setlink, &nothing, &policy));
    assert!(!is_refused(
        &newlink(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL),
        &nothing,
        &policy
    ));
}

#[test]
fn elsewhere_and_in_an_unstable_datagram_nothing_is_excepted() {
    let policy = denying(&[Exception::kind("tun")]);
    let tap = view(device(5, "tap0", "tun"));
    assert!(!is_refused(&raise(change(5)), &tap, &policy));
    let unstable = LinkView { unstable: 1, ..tap };
    assert!(is_refused(&raise(change(5)), &unstable, &policy));
    let elsewhere = LinkRequest {
        other_namespace: 1,
        ..raise(change(5))
    };
    assert!(is_refused(&elsewhere, &tap, &policy));
}

#[test]
fn an_exception_of_a_port_is_none_of_others() {
    let policy = denying(&[Exception::kind("tun")]);
    let tap = view(device(5, "tap0", "tun"));
    let of = |master| LinkView { master, ..tap };
    let bridge = device(9, "br0", "bridge");
    let joins = LinkRequest {
        has_master: 1,
        master: 9,
        ..change(5)
    };
    assert!(!is_refused(&joins, &of(bridge), &policy));
    let quiet = LinkView {
        quiet_ports: 1,
        ..of(bridge)
    };
    assert!(is_refused(&joins, &quiet, &policy));
    // Its own flag is its own, whatever the other ports are.
    assert!(!is_refused(&raise(change(5)), &quiet, &policy));
    let readdressed = LinkRequest {
        has_address: 1,
        ..change(5)
    };
    let below_a_vlan = Device {
        above: ABOVE_FIXED,
        ..bridge
    };
    assert!(!is_refused(&readdressed, &of(bridge), &policy));
    assert!(is_refused(&readdressed, &of(below_a_vlan), &policy));
    let leaves = LinkRequest { master: 0, ..joins };
    let bond = Device {
        flags: PROMISC,
        ..device(9, "bond0", "bond")
    };
    assert!(is_refused(&leaves, &of(bond), &policy));
    let renamed = LinkRequest {
        has_name: 1,
        name: Text::new(b"tap1"),
        ..change(5)
    };
    assert!(is_refused(&renamed, &of(bond), &policy));
    assert!(!is_refused(&renamed, &of(bridge), &policy));
    let deleted = LinkRequest {
        message_type: u32::from(RTM_DELLINK),
        ..change(5)
    };
    let missed = LinkView {
        device: Device {
            above: ABOVE_MISSED,
            ..tap.device
        },
        ..tap
    };
    assert!(!is_refused(&deleted, &tap, &policy));
    assert!(is_refused(&deleted, &missed, &policy));
}

#[test]
fn an_exception_of_a_bond_is_none_of_ports_that_it_raises_later() {
    let policy = denying(&[Exception::kind("bond")]);
    let balancing = LinkRequest {
        has_data: 1,
        bond_mode: 6,
        ..create("bond0", "bond")
    };
    assert!(is_refused(&balancing, &LinkView::default(), &policy));
}

#[test]
fn an_exception_of_an_ipvlan_is_none_of_others_on_the_device() {
    let policy = denying(&[Exception::kind("ipvlan"), Exception::name("eth0")]);
    let shifts = LinkRequest {
        has_data: 1,
        kind: Text::new(b"ipvlan"),
        ..change(5)
    };
    let over = |above| LinkView {
        lower: Device {
            above,
            ..device(3, "eth0", "")
        },
        ..view(Device {
            stacked: 1,
            ..device(5, "ipvl1", "ipvlan")
        })
    };
    assert!(!is_refused(&shifts, &over(0), &policy));
    assert!(is_refused(&shifts, &over(ABOVE_LISTENED), &policy));
}

/// Whether a name is taken that the policy excepts.
fn takes(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    let kinds = judge(request, view, policy).kinds;
    kinds.contains(&Some(OperationKind::PromiscuousExceptedName))
}

#[test]
fn an_excepted_name_is_not_taken_by_creation_renaming_or_moving() {
    let policy = denying(&[
        Exception::name("tap0"),
        Exception::prefix("dp"),
        Exception::kind("tun"),
    ]);
    let (there, nothing) = (view(device(5, "eth0", "")), LinkView::default());
    for name in ["tap0", "dp", "dp7"] {
        let rename = LinkRequest {
            index: 5,
            ..change_named(name)
        };
        assert!(takes(&create(name, "veth"), &nothing, &policy), "{name}");
        assert!(takes(&rename, &there, &policy), "{name}");
        let elsewhere = LinkRequest {
            other_namespace: 1,
            ..change_named(name)
        };
        assert!(
            takes(&elsewhere, &view(device(5, name, "")), &policy),
            "{name}"
        );
        assert!(is_refused(&rename, &there, &policy), "{name}");
    }
    for name in ["tap", "tap00", "d", "tun", "eth1"] {
        assert!(!takes(&create(name, "veth"), &nothing, &policy), "{name}");
    }
}

#[test]
fn selecting_a_device_by_its_excepted_name_takes_nothing() {
    let policy = denying(&[Exception::name("tap0")]);
    let tap = view(device(5, "tap0", "tun"));
    assert!(!takes(&change_named("tap0"), &tap, &policy));
    assert!(!is_refused(&raise(change_named("tap0")), &tap, &policy));
    // Unless an earlier message may have renamed it.
    let unstable = LinkView { unstable: 1, ..tap };
    assert!(takes(&create("tap0", "veth"), &unstable, &policy));
}

#[test]
fn a_number_that_the_kernel_fills_in_does_not_hide_an_excepted_name() {
    let policy = denying(&[Exception::name("tap0"), Exception::prefix("dp1")]);
    let nothing = LinkView::default();
    for name in ["tap%d", "t%d", "%d", "dp%d", "dp1%d"] {
        assert!(takes(&create(name, "veth"), &nothing, &policy), "{name}");
    }
    for name in ["tun%d", "tapp%d", "eth%d", "tap1"] {
        assert!(!takes(&create(name, "veth"), &nothing, &policy), "{name}");
    }
}

#[test]
fn a_device_without_a_name_is_called_by_its_kind() {
    let nothing = LinkView::default();
    let unnamed = |kind| LinkRequest {
        has_name: 0,
        name: Text::EMPTY,
        ..create("", kind)
    };
    let policy = denying(&[Exception::name("veth0"), Exception::name("nk1")]);
    assert!(takes(&unnamed("veth"), &nothing, &policy));
    assert!(takes(&unnamed("netkit"), &nothing, &policy));
    assert!(!takes(&unnamed("dummy"), &nothing, &policy));
    assert!(!takes(
        &unnamed("vet"),
        &nothing,
        &denying(&[Exception::name("eth0")])
    ));
    // So is the second device of a pair.
    assert!(takes(&create("a", "veth"), &nothing, &policy));
    let both_named = LinkRequest {
        has_peer_name: 1,
        peer_name: Text::new(b"b"),
        ..create("a", "veth")
    };
    assert!(!takes(&both_named, &nothing, &policy));
    let peer = LinkRequest {
        peer_name: Text::new(b"veth0"),
        ..both_named
    };
    assert!(takes(&peer, &nothing, &policy));
}

#[test]
fn names_are_free_where_none_is_excepted() {
    let mut policy = denying(&[Exception::kind("tun")]);
    assert!(!takes(
        &create("tun", "veth"),
        &LinkView::default(),
        &policy
    ));
    policy.promiscuous.flags = PROMISCUOUS_DENY;
    assert!(!takes(
        &create("tun", "veth"),
        &LinkView::default(),
        &policy
    ));
}

fn is_matched(exception: &Exception, text: &str, device: &Device) -> bool {
    let bytes = |text: &Text| text.bytes();
    let prefix = &bytes(&device.name)[..text.len()] == text.as_bytes();
    match exception.by {
        EXCEPTION_NAME => bytes(&device.name) == bytes(&Text::new(text.as_bytes())),
        EXCEPTION_PREFIX => prefix,
        EXCEPTION_KIND => bytes(&device.kind) == bytes(&Text::new(text.as_bytes())),
        _ => false,
    }
}

proptest! {
    #[test]
    fn exceptions_agree_with_a_naive_model(
        texts in prop::collection::vec(("[ab]{0,3}", 0..3), 0..MAX_EXCEPTIONS),
        name in "[ab]{1,4}",
        kind in "[ab]{0,4}",
    ) {
        let exceptions: Vec<Exception> = texts
            .iter()
            .map(|(text, by)| match by {
                0 => Exception::name(text),
                1 => Exception::prefix(text),
                _ => Exception::kind(text),
            })
            .collect();
        let device = device(5, &name, &kind);
        let expected = exceptions
            .iter()
            .zip(&texts)
            .any(|(exception, (text, _))| is_matched(exception, text, &device));
        prop_assert_eq!(denying(&exceptions).excepts(&device), expected);
    }
}
