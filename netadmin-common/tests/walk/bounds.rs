//! Where a walk ends, and after how many steps.

use netadmin_common::Text;
use netadmin_common::netlink::{
    Bytes, MAX_STEPS, NETLINK_ROUTE, Plain, Step, UNSETTLED_LINKS, Walk, is_change_of_links,
};

use super::{links, walk};

const RTM_SETLINK: u16 = 19;
const RTM_NEWROUTE: u16 = 24;

/// A message with a body of any bytes.
fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(16 + body.len()).expect("short");
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(1u16.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// As many steps as `bpf_loop` makes; whether the end was reached.
fn ends_in_time(datagram: &[u8]) -> bool {
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, u32::try_from(datagram.len()).expect("short"));
    (0..MAX_STEPS).any(|_| walk.step(datagram) == Step::Done)
}

#[test]
fn as_many_headers_as_fit_end_in_time_and_one_more_does_not() {
    // The last step finds the end.
    let most = MAX_STEPS as usize - 1;
    let mut datagram = message(RTM_NEWROUTE, &[]).repeat(most - 1);
    assert!(ends_in_time(&datagram));
    datagram.extend(message(RTM_NEWROUTE, &[]));
    assert!(ends_in_time(&datagram));
    datagram.extend(message(RTM_NEWROUTE, &[]));
    assert!(!ends_in_time(&datagram));
}

#[test]
fn a_request_behind_the_bound_is_not_let_through_as_an_end() {
    let mut datagram = message(RTM_NEWROUTE, &[]).repeat(MAX_STEPS as usize);
    datagram.extend(message(RTM_SETLINK, &[0; 16]));
    assert!(!ends_in_time(&datagram));
    assert_eq!(walk(&datagram).links.len(), 1);
}

#[test]
fn attributes_count_as_headers() {
    let attributes = |count: usize| {
        let body = [vec![0; 16], [4, 0, 99, 0].repeat(count)].concat();
        message(RTM_SETLINK, &body)
    };
    // The message, its end, the datagram's end.
    let most = MAX_STEPS as usize - 3;
    assert!(ends_in_time(&attributes(most - 1)));
    assert!(ends_in_time(&attributes(most)));
    assert!(!ends_in_time(&attributes(most + 1)));
}

#[test]
fn no_bytes_are_the_end_at_once() {
    assert_eq!((walk(&[]).end, walk(&[]).steps), (Step::Done, 1));
}

#[test]
fn what_follows_a_length_that_lies_is_not_read() {
    let request = message(RTM_SETLINK, &[0; 16]);
    for len in [0u32, 15, 1000, u32::MAX] {
        let mut lie = message(RTM_NEWROUTE, &[]);
        lie[..4].copy_from_slice(&len.to_ne_bytes());
        let walked = walk(&[lie, request.clone()].concat());
        assert_eq!((walked.links.len(), walked.end), (0, Step::Done), "{len}");
    }
}

#[test]
fn a_request_at_an_unaligned_length_is_found_after_the_padding() {
    for extra in 1..4 {
        let mut datagram = message(RTM_NEWROUTE, &vec![0xff; extra]);
        datagram.resize(datagram.len().next_multiple_of(4), 0xff);
        datagram.extend(message(RTM_SETLINK, &[0; 16]));
        assert_eq!(walk(&datagram).links.len(), 1, "{extra}");
    }
}

#[test]
fn messages_that_are_no_requests_or_control_are_skipped() {
    let mut silent = message(RTM_SETLINK, &[0; 16]);
    silent[6] = 0;
    let control = message(15, &[0; 16]);
    let request = message(RTM_SETLINK, &[0; 16]);
    assert_eq!(walk(&[silent, control, request].concat()).links.len(), 1);
}

#[test]
fn a_setlink_of_the_bridge_family_is_another_request() {
    let mut bridge = message(RTM_SETLINK, &[0; 16]);
    bridge[16] = 7;
    let found = links(&bridge);
    assert_eq!((found.len(), found[0].of_bridge), (1, 1));
    // The bridge family has no RTM_NEWLINK of its own.
    bridge[4] = 16;
    assert_eq!(walk(&bridge).links.len(), 1);
}

#[test]
fn a_deletion_is_a_request_that_unsettles_what_follows() {
    let found = links(&message(17, &[0; 16]));
    assert_eq!((found.len(), found[0].message_type), (1, 17));
    assert_eq!(found[0].unsettles(), UNSETTLED_LINKS);
    assert!(is_change_of_links(17));
    // Of the bridge's family it takes vlans from a port; and a short one fails.
    let mut bridge = message(17, &[0; 16]);
    bridge[16] = 7;
    assert_eq!(links(&bridge), []);
    assert_eq!(links(&message(17, &[0; 8])), []);
}

#[test]
fn naming_makes_what_follows_unstable() {
    for kind in [108, 109] {
        let datagram = [message(kind, &[0; 16]), message(RTM_SETLINK, &[0; 16])].concat();
        assert!(walk(&datagram).links[0].1, "{kind}");
        assert!(is_change_of_links(kind));
    }
    let datagram = [
        message(RTM_NEWROUTE, &[0; 16]),
        message(RTM_SETLINK, &[0; 16]),
    ]
    .concat();
    assert!(!walk(&datagram).links[0].1);
}

#[test]
fn what_cannot_be_read_is_never_an_end() {
    struct Gone;
    impl Bytes for Gone {
        fn read<T: Plain>(&self, _offset: u32) -> Option<T> {
            None
        }
        fn text(&self, _offset: u32, _len: u32) -> Option<Text> {
            None
        }
    }
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, 16);
    assert_eq!(walk.step(&Gone), Step::Unreadable);
}

/// The index that the walk takes for that of the message's device.
fn index_of(datagram: &[u8]) -> u32 {
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, u32::try_from(datagram.len()).expect("short"));
    loop {
        match walk.step(datagram) {
            Step::More => {}
            Step::Message | Step::Link => return walk.index,
            end => panic!("{end:?}"),
        }
    }
}

#[test]
fn what_a_port_says_of_others_is_not_about_its_own_index() {
    let with = |kind: u8, payload: [u8; 4]| {
        let mut body = vec![7, 0, 0, 0, 3, 0, 0, 0];
        body.extend([0; 8]);
        // IFLA_AF_SPEC, and in it the attribute.
        body.extend([12, 0, 26, 0, 8, 0, kind, 0]);
        body.extend(payload);
        index_of(&message(RTM_SETLINK, &body))
    };
    // IFLA_BRIDGE_VLAN_INFO, of the port and of the bridge.
    assert_eq!([with(2, [0, 0, 9, 0]), with(2, [1, 0, 9, 0])], [3, 0]);
    // IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_MST.
    assert_eq!([with(0, [1, 0, 0, 0]), with(6, [0; 4])], [3, 3]);
    // IFLA_BRIDGE_MRP, IFLA_BRIDGE_CFM, and what is not known.
    assert_eq!([4, 5, 7].map(|kind| with(kind, [0; 4])), [0; 3]);
}

#[test]
fn in_bulk_the_port_is_another_ones() {
    let mut body = vec![7, 0, 0, 0, 3, 0, 0, 0];
    body.extend([0; 4]);
    let mut delete = message(29, &body);
    assert_eq!(index_of(&delete), 3);
    // NLM_F_BULK.
    delete[7] = 2;
    assert_eq!(index_of(&delete), 0);
}
