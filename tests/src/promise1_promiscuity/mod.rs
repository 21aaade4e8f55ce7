//! Promise 1: where the policy denies it, nothing that a guarded task does
//! raises the promiscuity of a device; what does not raise it is not touched.

mod addresses;
mod bonds;
mod datagrams;
mod drivers;
mod ends;
mod exceptions;
mod handed_back;
mod ioctl;
mod masters;
mod membership;
mod names;
mod plain;
mod ports;
mod rtnetlink;
mod search;
mod side_effects;
mod sides;
mod state;
mod tripwire;

use libtest_mimic::Trial;

use crate::rig::{Expected, Trials};

/// The device that attacks are on.
const VICTIM: &str = "victim0";

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise1");
    ioctl::add(&mut trials);
    membership::add(&mut trials);
    rtnetlink::add(&mut trials);
    side_effects::add(&mut trials);
    sides::add(&mut trials);
    state::add(&mut trials);
    search::add(&mut trials);
    handed_back::add(&mut trials);
    masters::add(&mut trials);
    addresses::add(&mut trials);
    ports::add(&mut trials);
    bonds::add(&mut trials);
    ends::add(&mut trials);
    datagrams::add(&mut trials);
    drivers::add(&mut trials);
    exceptions::add(&mut trials);
    tripwire::add(&mut trials);
    let mut plain = Trials::new("promise1::plain");
    plain::add(&mut plain);
    let mut all = trials.finish();
    all.append(&mut plain.finish());
    all
}

/// A refusal of the flag on the victim.
fn flag(via: &'static str) -> Expected {
    Expected {
        operation: "promiscuous.flag",
        via,
        interface: Some(VICTIM),
    }
}
