//! The devices that a batch begins with, and what can be seen of them at its end.

use std::io;

use netadmin_bypass::attack::kind::{MacvlanMode, bond, macvlan, vlan};
use netadmin_bypass::attack::link::{self, create};
use netadmin_bypass::attack::process::{Ran, shell};
use netadmin_bypass::make;

/// What they are called, in the order of their indexes.
pub const DEVICES: [&str; 6] = [
    "diffup0",
    "diffdown0",
    "diffbr0",
    "diffvlan0",
    "diffbond0",
    "diffmv0",
];
/// The index of the first of them.
pub const FIRST_INDEX: u32 = 1_001;
/// What a request may make, or rename to.
pub const SPARE: [&str; 3] = ["diffnew0", "diffnew1", "diffnew2"];
/// Who is not there.
pub const NOBODY: &str = "diffnone0";

/// Makes them, each with an index of its own that is the same everywhere.
pub fn make() -> io::Result<()> {
    let [up, down, bridge, tagged, team, upper] = DEVICES;
    let messages = [
        create(up, "dummy"),
        create(down, "dummy"),
        create(bridge, "bridge"),
        vlan(tagged, FIRST_INDEX, 7),
        bond(team, 0),
        macvlan(upper, "macvlan", FIRST_INDEX + 1, MacvlanMode::Bridge),
    ];
    for (index, message) in (FIRST_INDEX..).zip(messages) {
        link::request(message.index(index))?;
    }
    [up, bridge, tagged].into_iter().try_for_each(make::up)
}

/// What is left of them, without what differs from run to run (hardware
/// addresses) or comes in its own time (carriers).
pub fn seen() -> io::Result<Ran> {
    shell(
        "ip -o link | sed -e 's/link.*//' -e 's/state [A-Z]* *//' -e 's/,LOWER_UP//' \
         -e 's/NO-CARRIER,//' -e 's/,M-DOWN//'; \
         ip -4 -o addr; ip -4 route show table all | sed 's/ *linkdown//; s/ *dead//'; \
         ip rule; ip nexthop; tc qdisc; ip xfrm policy; ip addrlabel",
    )
}
