//! Several messages in one datagram: each is judged by the state before them
//! all, so that what an earlier one may have changed is not believed.

use OperationKind::{
    PromiscuousFlag, PromiscuousKeep, PromiscuousUnicastFilter, PromiscuousUnjudged,
};

use netadmin_common::netlink::RTM_NEWNEIGH;

use super::*;

/// The operations of the last request, after the others, all with one view.
fn last(requests: &[LinkRequest], mut view: LinkView) -> Vec<OperationKind> {
    let (last, earlier) = requests.split_last().expect("a request");
    let unsettled = earlier.iter().map(LinkRequest::unsettles);
    view.follow(unsettled.fold(view.unstable, |all, one| all | one));
    operations(last, &view)
}

fn promiscuous() -> LinkView {
    view(Device {
        flags: PROMISC | UP,
        gflags: PROMISC,
        ..device(5, "eth0", "")
    })
}

fn keep() -> LinkRequest {
    flags(change(5), PROMISC, PROMISC)
}

#[test]
fn a_keep_is_a_keep_after_messages_that_change_nothing_of_it() {
    let harmless = flags(change(7), UP, UP);
    assert_eq!(last(&[keep()], promiscuous()), [PromiscuousKeep]);
    assert_eq!(last(&[harmless, keep()], promiscuous()), [PromiscuousKeep]);
}

#[test]
fn a_keep_is_not_believed_after_a_message_that_may_have_changed_its_device() {
    let clear = flags(change(5), 0, PROMISC);
    let clear_all = flags(change(5), UP, 0);
    let rename = LinkRequest {
        index: 7,
        ..change_named("eth0")
    };
    let moved = LinkRequest {
        other_namespace: 1,
        ..change(5)
    };
    for earlier in [clear, clear_all, rename, moved, create("eth0", "dummy")] {
        assert_eq!(
            last(&[earlier, keep()], promiscuous()),
            [PromiscuousFlag],
            "{earlier:?}"
        );
        let by_name = flags(change_named("eth0"), PROMISC, PROMISC);
        assert_eq!(last(&[earlier, by_name], promiscuous()), [PromiscuousFlag]);
    }
}

#[test]
fn a_macvlan_that_an_earlier_message_made_or_took_down_does_not_come_up_unseen() {
    let up = flags(change(5), UP, UP);
    let make = LinkRequest {
        lower: 3,
        index: 5,
        ..create("mv0", "macvlan")
    };
    assert_eq!(
        last(&[make, up], LinkView::default()),
        [PromiscuousUnjudged]
    );
    let mut there = view(Device {
        flags: UP,
        stacked: 1,
        ..device(5, "mv0", "macvlan")
    });
    there.lower = device(3, "veth0", "veth");
    let down = flags(change(5), 0, UP);
    assert_eq!(last(&[up], there), []);
    assert_eq!(last(&[down, up], there), [PromiscuousUnicastFilter]);
}

#[test]
fn nopromisc_is_not_taken_from_a_device_that_an_earlier_message_made() {
    let make = LinkRequest {
        index: 5,
        has_data: 1,
        has_macvlan_mode: 1,
        macvlan_mode: 8,
        has_macvlan_flags: 1,
        macvlan_flags: 1,
        ..create("mv0", "macvlan")
    };
    let take = LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        kind: Text::new(b"macvlan"),
        has_data: 1,
        has_macvlan_flags: 1,
        ..change(5)
    };
    assert_eq!(
        last(&[make, take], LinkView::default()),
        [OperationKind::PromiscuousPassthru]
    );
}

#[test]
fn a_device_below_is_not_believed_to_filter_after_another_took_its_place() {
    let over = LinkRequest {
        lower: 3,
        ..flags(create("mv0", "macvlan"), UP, UP)
    };
    let mut view = LinkView {
        lower: nic(3),
        ..LinkView::default()
    };
    assert_eq!(last(&[over], view), []);
    // [delete 3, create 3, create over 3]
    view.unstable = 1;
    assert_eq!(last(&[over], view), [PromiscuousUnicastFilter]);
    // The index of the new device was another one's.
    view.device = device(5, "eth0", "");
    let there = LinkRequest { index: 5, ..over };
    assert_eq!(last(&[there], view), [PromiscuousUnicastFilter]);
}

#[test]
fn an_excepted_bond_takes_no_port_and_the_flag_in_one_datagram() {
    let policy = denying(&[Exception::kind("bond")]);
    let enslave = LinkRequest {
        has_master: 1,
        master: 9,
        ..change(5)
    };
    let raise = flags(change(9), PROMISC, PROMISC);
    let mut bond = view(device(9, "bond0", "bond"));
    assert!(!is_refused(&raise, &bond, &policy));
    assert!(enslave.unsettles() != 0 && raise.unsettles() != 0);
    bond.unstable = 1;
    assert!(is_refused(&raise, &bond, &policy));
    let mut port = view(device(5, "eth0", ""));
    port.master = device(9, "bond0", "bond");
    assert!(!is_refused(&enslave, &port, &policy));
    port.unstable = 1;
    assert!(is_refused(&enslave, &port, &policy));
}

#[test]
fn a_bond_or_vrf_is_not_believed_to_have_nothing_after_a_message_that_may_give_it_something() {
    let joins = LinkRequest {
        has_master: 1,
        master: 9,
        ..change(5)
    };
    let entry = LinkRequest {
        message_type: u32::from(RTM_NEWNEIGH),
        neighbour_flags: 2,
        ..change(9)
    };
    let up = |index| flags(change(index), UP, UP);
    let to = |master| LinkView {
        master,
        ..view(device(5, "dev0", "dummy"))
    };
    let bond = to(device(9, "bond0", "bond"));
    assert_eq!(last(&[joins], bond), []);
    assert_eq!(last(&[entry, joins], bond), [PromiscuousUnicastFilter]);
    assert_eq!(last(&[up(7), joins], bond), [PromiscuousUnicastFilter]);
    let mut vrf = to(device(9, "vrf0", "vrf"));
    vrf.device.flags = PROMISC;
    assert_eq!(last(&[joins], vrf), []);
    assert_eq!(
        last(&[up(5), joins], vrf),
        [OperationKind::PromiscuousStacked]
    );
    vrf.device.flags = 0;
    assert_eq!(last(&[up(5), joins], vrf), []);
}

#[test]
fn ports_of_a_bridge_are_not_believed_to_be_loud_after_a_message_that_may_quieten_them() {
    let flood = |floods| LinkRequest {
        of_bridge: 1,
        floods,
        ..change(5)
    };
    let port = LinkView {
        master: device(9, "br0", "bridge"),
        ..view(device(5, "dev0", "dummy"))
    };
    assert_eq!(last(&[flood(1)], port), []);
    assert_eq!(
        last(&[flood(0), flood(1)], port),
        [OperationKind::PromiscuousBridgePort]
    );
}
