//! `IFLA_MASTER`: `do_set_master`.

use OperationKind::{
    PromiscuousBridgePort, PromiscuousStacked, PromiscuousUnicastFilter, PromiscuousUnjudged,
};

use super::*;

fn enslave(master: u32) -> LinkRequest {
    LinkRequest {
        has_master: 1,
        master,
        ..change(5)
    }
}

fn under(kind: &str, flags: u32) -> LinkView {
    LinkView {
        master: Device {
            flags,
            ..device(9, "master0", kind)
        },
        ..view(device(5, "eth0", ""))
    }
}

#[test]
fn each_kind_of_master_does_to_its_port_what_its_driver_does() {
    let table = [
        ("bridge", 0, Some(PromiscuousBridgePort)),
        ("bridge", PROMISC, Some(PromiscuousBridgePort)),
        ("bond", 0, None),
        ("bond", PROMISC, Some(PromiscuousStacked)),
        ("team", 0, None),
        ("team", PROMISC, Some(PromiscuousStacked)),
        ("vrf", 0, None),
        ("vrf", PROMISC, None),
        ("batadv", 0, Some(PromiscuousUnjudged)),
        ("", 0, Some(PromiscuousUnjudged)),
        ("bridges", 0, Some(PromiscuousUnjudged)),
    ];
    for (kind, flags, expected) in table {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(
            operations(&enslave(9), &under(kind, flags)),
            expected,
            "{kind} {flags:#x}"
        );
    }
}

#[test]
fn a_new_device_is_enslaved_like_an_old_one() {
    let request = LinkRequest {
        has_master: 1,
        master: 9,
        ..create("new0", "dummy")
    };
    let view = LinkView {
        device: Device::default(),
        ..under("bridge", 0)
    };
    assert_eq!(operations(&request, &view), [PromiscuousBridgePort]);
}

#[test]
fn releasing_raises_nothing() {
    assert_eq!(operations(&enslave(0), &under("bridge", PROMISC)), []);
}

#[test]
fn a_master_that_is_not_known_for_certain_is_refused() {
    let missing = LinkView {
        master: Device::default(),
        ..under("vrf", 0)
    };
    assert_eq!(operations(&enslave(9), &missing), [PromiscuousUnjudged]);
    let elsewhere = LinkRequest {
        other_namespace: 1,
        ..enslave(9)
    };
    assert_eq!(
        operations(&elsewhere, &under("vrf", 0)),
        [PromiscuousUnjudged]
    );
    let unstable = LinkView {
        unstable: 1,
        ..under("vrf", 0)
    };
    assert_eq!(operations(&enslave(9), &unstable), [PromiscuousUnjudged]);
}

#[test]
fn a_bond_opens_the_macvlan_that_it_takes() {
    let over = |lower| LinkView {
        device: Device {
            stacked: 1,
            ..device(5, "mv0", "macvlan")
        },
        lower,
        ..under("bond", 0)
    };
    assert_eq!(
        operations(&enslave(9), &over(device(3, "veth0", "veth"))),
        [PromiscuousUnicastFilter]
    );
    assert_eq!(operations(&enslave(9), &over(nic(3))), []);
    let vrf = LinkView {
        master: device(9, "vrf0", "vrf"),
        ..over(device(3, "veth0", "veth"))
    };
    assert_eq!(operations(&enslave(9), &vrf), []);
}

#[test]
fn a_vrf_with_restless_ports_is_not_deleted() {
    let delete = |request: LinkRequest| LinkRequest {
        message_type: 17,
        ..request
    };
    let restless = |kind: &str| LinkView {
        restless_ports: 1,
        ..view(device(5, "r0", kind))
    };
    let by_index = delete(change(5));
    assert_eq!(
        operations(&by_index, &restless("vrf")),
        [PromiscuousStacked]
    );
    assert_eq!(operations(&by_index, &restless("dummy")), []);
    assert_eq!(operations(&by_index, &view(device(5, "r0", "vrf"))), []);
    // ENODEV; but not known, if by another name, by group, or elsewhere.
    assert_eq!(operations(&by_index, &LinkView::default()), []);
    assert_eq!(
        operations(&delete(change_named("r0")), &LinkView::default()),
        []
    );
    let group = delete(LinkRequest {
        has_group: 1,
        ..change(0)
    });
    assert_eq!(
        operations(&group, &LinkView::default()),
        [PromiscuousUnjudged]
    );
    let elsewhere = delete(LinkRequest {
        other_namespace: 1,
        ..change(5)
    });
    assert_eq!(
        operations(&elsewhere, &restless("dummy")),
        [PromiscuousUnjudged]
    );
}
