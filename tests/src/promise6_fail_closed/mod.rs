//! Promise 6: fail closed, loudly. What the agent says to bad input, and how
//! it ends.

mod beyond;
mod blocked;
mod flags;
mod limits;
mod many;
mod policies;
mod refusals;
mod signals;
mod silence;

use libtest_mimic::Trial;

use crate::rig::Trials;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise6");
    blocked::add(&mut trials);
    flags::add(&mut trials);
    limits::add(&mut trials);
    many::add(&mut trials);
    policies::add(&mut trials);
    refusals::add(&mut trials);
    signals::add(&mut trials);
    silence::add(&mut trials);
    trials.finish()
}
