//! Links made by a request.

use OperationKind::{PromiscuousBridgePort, PromiscuousFlag, PromiscuousUnicastFilter};

use super::*;

#[test]
fn creation_with_the_flag_is_a_raise() {
    let request = flags(create("new0", "dummy"), PROMISC, PROMISC);
    assert_eq!(
        operations(&request, &LinkView::default()),
        [PromiscuousFlag]
    );
}

#[test]
fn everyday_creation_is_nothing() {
    for kind in [
        "dummy",
        "veth",
        "bridge",
        "bond",
        "vlan",
        "ipvlan",
        "vxlan",
        "wireguard",
    ] {
        let request = flags(create("new0", kind), UP, UP);
        assert_eq!(operations(&request, &LinkView::default()), [], "{kind}");
        let with_address = LinkRequest {
            has_address: u8::from(kind != "vlan"),
            ..request
        };
        assert_eq!(
            operations(&with_address, &LinkView::default()),
            [],
            "{kind}"
        );
    }
}

#[test]
fn what_is_made_up_over_a_device_is_judged_by_its_kind_and_the_device_below() {
    for kind in ["macvlan", "macvtap", "macsec"] {
        let request = LinkRequest {
            lower: 3,
            ..create("new0", kind)
        };
        let over = |lower| LinkView {
            lower,
            ..LinkView::default()
        };
        let veth = over(device(3, "veth0", "veth"));
        let up = flags(request, UP, UP);
        assert_eq!(operations(&up, &veth), [PromiscuousUnicastFilter], "{kind}");
        assert_eq!(operations(&up, &over(nic(3))), [], "{kind}");
        // macvlan_common_newlink takes the device below a macvlan for its own.
        let macvlan = over(Device {
            stacked: 1,
            ..nic(3)
        });
        assert_eq!(
            operations(&up, &macvlan),
            [PromiscuousUnicastFilter],
            "{kind}"
        );
        assert_eq!(operations(&request, &veth), [], "{kind}");
    }
}

#[test]
fn an_hsr_ring_raises_its_ports() {
    let ring = create("hsr0", "hsr");
    assert_eq!(
        operations(&ring, &LinkView::default()),
        [PromiscuousBridgePort]
    );
    // hsr has no changelink.
    assert_eq!(operations(&change(5), &view(device(5, "hsr0", "hsr"))), []);
}

#[test]
fn an_exception_of_rings_is_none_of_their_ports() {
    let policy = denying(&[Exception::kind("hsr")]);
    assert!(is_refused(
        &create("hsr0", "hsr"),
        &LinkView::default(),
        &policy
    ));
}
