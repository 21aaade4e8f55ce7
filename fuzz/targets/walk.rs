//! The walk over a datagram of any bytes sees what the kernel acts on, as
//! `netadmin-common/tests/walk/reference.rs` tells it, and ends in time.

#![no_main]

#[path = "../../netadmin-common/tests/walk/reference.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;
use netadmin_common::netlink::{LinkRequest, NETLINK_ROUTE, Step, Walk};
use reference::{Seen, as_used, netlink_rcv_skb};

fuzz_target!(|datagram: &[u8]| {
    let links = walk(datagram);
    let seen = netlink_rcv_skb(datagram);
    assert_eq!(links.len(), seen.len(), "as many messages");
    for ((link, unstable), (seen, unstable_there)) in links.into_iter().zip(seen) {
        assert_eq!(unstable, unstable_there);
        if let Seen::Acts(acts) = seen {
            assert_eq!(as_used(link), as_used(*acts));
        }
    }
});

fn walk(datagram: &[u8]) -> Vec<(LinkRequest, bool)> {
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, u32::try_from(datagram.len()).expect("short"));
    let mut links = Vec::new();
    // Each step reads at least a header of four bytes, or leaves a level.
    for _ in 0..datagram.len() / 2 + 2 {
        match walk.step(datagram) {
            Step::More | Step::Message => {}
            Step::Link => links.push((walk.link, walk.unstable != 0)),
            Step::Done => return links,
            Step::Unreadable => panic!("a slice can be read"),
        }
    }
    panic!("no end in time");
}
