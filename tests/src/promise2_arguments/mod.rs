//! Promise 2: a rule on a value decides on the value that the kernel will use.

mod attached;
mod control;
mod levels;
mod options;
mod values;

use libtest_mimic::Trial;

use crate::rig::Trials;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise2");
    options::add(&mut trials);
    values::add(&mut trials);
    levels::add(&mut trials);
    attached::add(&mut trials);
    control::add(&mut trials);
    trials.finish()
}
