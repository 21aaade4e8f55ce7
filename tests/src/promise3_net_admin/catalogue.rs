//! Every operation of the catalogue has a tool (area.rs), another test, or a reason
//! why there is none.

use netadmin_common::OperationKind;

use super::area::{AREAS, names};
use super::plain;

/// What no area has: by what it is shown, or why it is not.
///
/// *Made up* is what `differential` makes up: refused where the core says so, and with
/// the same errno elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("setsockopt.*", "options.rs and ulp.rs; made up"),
    ("rtnetlink.other", "made up; what no tool sends"),
    ("netlink.groups", "options.rs; `bind` is made up"),
    (
        "nfqueue.use",
        "crafted.rs; Debian's programs for it are servers",
    ),
    ("nflog.use", "as nfqueue.use"),
    ("socket.create", "`pf_key_socket_is_refused`; made up"),
    (
        "read.details",
        "`dumps_are_as_without_the_capability`; made up",
    ),
    ("connector.use", "no tool: listeners of process events"),
    ("crypto.use", "made up; no tool"),
    ("genl.openvswitch", "promise 1: `openvswitch_*`"),
    ("genl.gtp", "no tool in Debian"),
    ("genl.netdev", "no tool in Debian"),
    ("genl.other", "made up, for each family of the guest"),
    ("ioctl.mii", "made up; no card of the guest has it"),
    ("ioctl.hwtstamp", "as ioctl.mii"),
    (
        "ioctl.bond",
        "promise 1: `siocbondenslave_*`; made up; Debian's ifenslave uses sysfs",
    ),
    (
        "ioctl.bridge",
        "promise 1: `siocdevprivate_brctl_*`; made up",
    ),
    ("ioctl.namespace", "made up; no tool"),
    ("sysfs.write", "places.rs, arrivals.rs; made up"),
    ("sysctl.write", "sysctls.rs, arrivals.rs; made up"),
    (
        "ppp.use",
        "ppp.rs, where the kernel has PPP; Debian's pppd wants a line",
    ),
    ("bpf.use", "crafted.rs; bpftool wants an object file"),
    ("unclassified", "places.rs; made up"),
];

fn pieces() -> impl Iterator<Item = &'static str> {
    let all = OperationKind::ALL.iter().filter(|kind| kind.is_piece());
    all.map(|kind| kind.name())
}

fn has_area(name: &str) -> bool {
    let mut areas = AREAS.iter().chain(plain::AREAS);
    areas.any(|area| area.has(name))
}

#[test]
fn every_operation_has_an_area_or_a_reason() {
    for name in pieces() {
        let told = ELSEWHERE.iter().any(|(pattern, _)| names(pattern, name));
        assert!(has_area(name) || told, "{name} has neither area nor reason");
    }
}

#[test]
fn a_reason_is_of_operations_that_have_no_area() {
    for (pattern, _) in ELSEWHERE {
        let without = |name: &&str| names(pattern, name) && !has_area(name);
        assert!(pieces().any(|name| without(&name)), "{pattern}");
    }
}
