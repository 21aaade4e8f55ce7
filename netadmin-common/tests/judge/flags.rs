//! IFF_PROMISC by `ifi_flags` and `ifi_change`.

use OperationKind::{PromiscuousFlag as Raise, PromiscuousKeep as Keep};

use super::*;

const ALL: u32 = u32::MAX;

#[test]
fn the_flag_is_raised_kept_or_cleared_as_the_kernel_combines_it() {
    // flags, change, dev->flags, dev->gflags, what it is
    let table = [
        (PROMISC, PROMISC, 0, 0, Some(Raise)),
        (PROMISC, PROMISC, PROMISC, PROMISC, Some(Keep)),
        // Promiscuous, but not by flag: the request adds to the count.
        (PROMISC, PROMISC, PROMISC, 0, Some(Raise)),
        (PROMISC, PROMISC, 0, PROMISC, Some(Keep)),
        // A mask of zero means all.
        (PROMISC, 0, 0, 0, Some(Raise)),
        (PROMISC | UP, 0, PROMISC, PROMISC, Some(Keep)),
        (PROMISC | UP, 0, PROMISC, 0, Some(Raise)),
        (PROMISC, ALL, 0, 0, Some(Raise)),
        (PROMISC, ALL, PROMISC, PROMISC, Some(Keep)),
        // The mask leaves it out.
        (PROMISC | UP, UP, 0, 0, None),
        (PROMISC, !PROMISC, 0, 0, None),
        (PROMISC | UP, UP, PROMISC, PROMISC, None),
        // It is cleared.
        (0, PROMISC, PROMISC, PROMISC, None),
        (UP, 0, PROMISC, PROMISC, None),
        (0, ALL, PROMISC, PROMISC, None),
        // Nothing is asked.
        (0, 0, 0, 0, None),
        (0, 0, PROMISC, PROMISC, None),
        (!PROMISC, 0, 0, 0, None),
    ];
    for (asked, mask, device_flags, gflags, expected) in table {
        let device = Device {
            flags: device_flags,
            gflags,
            ..device(5, "eth0", "")
        };
        for target in [change(5), change_named("eth0")] {
            let found = operations(&flags(target, asked, mask), &view(device));
            let expected: Vec<_> = expected.into_iter().collect();
            assert_eq!(
                found, expected,
                "{asked:#x} {mask:#x} {device_flags:#x} {gflags:#x}"
            );
        }
    }
}

/// A device that has the flag, so that only "which device" is in question.
fn promiscuous() -> LinkView {
    view(Device {
        flags: PROMISC,
        gflags: PROMISC,
        ..device(5, "eth0", "")
    })
}

#[test]
fn keeping_is_believed_of_a_known_device_only() {
    let keep = flags(change(5), PROMISC, PROMISC);
    assert_eq!(operations(&keep, &promiscuous()), [Keep]);
    assert_eq!(operations(&keep, &LinkView::default()), [Raise]);
    let elsewhere = LinkRequest {
        other_namespace: 1,
        ..keep
    };
    assert_eq!(operations(&elsewhere, &promiscuous()), [Raise]);
    let unstable = LinkView {
        unstable: 1,
        ..promiscuous()
    };
    assert_eq!(operations(&keep, &unstable), [Raise]);
}

#[test]
fn a_group_and_an_alternative_name_raise_even_what_has_it() {
    let group = LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        has_group: 1,
        ..flags(change(0), PROMISC, PROMISC)
    };
    assert_eq!(operations(&group, &LinkView::default()), [Raise]);
    let alternative = LinkRequest {
        has_alternative_name: 1,
        ..flags(change(0), PROMISC, PROMISC)
    };
    assert_eq!(operations(&alternative, &LinkView::default()), [Raise]);
}

#[test]
fn an_index_that_is_negative_is_none() {
    for index in [0, 0x8000_0000, u32::MAX] {
        assert!(!change(index).by_index());
    }
    for index in [1, 0x7fff_ffff] {
        assert!(change(index).by_index());
    }
}

#[test]
fn the_second_device_of_a_pair_is_judged_too() {
    // flags, change, raises
    let table = [
        (PROMISC, PROMISC, true),
        (PROMISC, 0, true),
        (PROMISC | UP, UP, false),
        (UP, 0, false),
        (0, PROMISC, false),
    ];
    for (peer_flags, peer_change, raises) in table {
        for kind in ["veth", "vxcan", "netkit", "unheard-of"] {
            let request = LinkRequest {
                has_data: 1,
                peer_flags,
                peer_change,
                ..create("pair0", kind)
            };
            let found = operations(&request, &LinkView::default());
            assert_eq!(found.contains(&Raise), raises, "{kind} {peer_flags:#x}");
        }
    }
}

#[test]
fn a_raise_on_the_second_device_is_not_hidden_by_a_keep_on_the_first() {
    let request = LinkRequest {
        peer_flags: PROMISC,
        ..flags(change(5), PROMISC, PROMISC)
    };
    assert_eq!(operations(&request, &promiscuous()), [Raise]);
}

#[test]
fn the_timing_of_a_can_device_is_no_second_device() {
    let request = LinkRequest {
        has_data: 1,
        peer_flags: PROMISC,
        peer_change: PROMISC,
        ..create("can0", "can")
    };
    assert_eq!(operations(&request, &LinkView::default()), []);
}
