//! The walk over a datagram, against a library that builds messages, and
//! against the kernel's C, told again step by step.

mod bounds;
mod bytes;
mod library;
mod reference;

use netadmin_common::netlink::{LinkRequest, NETLINK_ROUTE, Step, Walk};

/// What a walk found, and how it ended.
#[derive(Debug)]
struct Walked {
    /// Each request, and whether the datagram was unstable by then.
    links: Vec<(LinkRequest, bool)>,
    steps: usize,
    end: Step,
}

/// Walks as the program does, but to the end.
fn walk(datagram: &[u8]) -> Walked {
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, u32::try_from(datagram.len()).expect("short"));
    let mut walked = Walked {
        links: Vec::new(),
        steps: 0,
        end: Step::More,
    };
    // Each step reads at least a header of four bytes, or leaves a level.
    let bound = datagram.len() / 2 + 2;
    while walked.steps < bound {
        walked.steps += 1;
        match walk.step(datagram) {
            Step::More | Step::Message => {}
            Step::Link => walked.links.push((walk.link, walk.unstable != 0)),
            end => {
                walked.end = end;
                return walked;
            }
        }
    }
    panic!("no end after {bound} steps");
}

/// The requests alone.
fn links(datagram: &[u8]) -> Vec<LinkRequest> {
    let walked = walk(datagram);
    assert_eq!(walked.end, Step::Done);
    walked.links.into_iter().map(|(link, _)| link).collect()
}
