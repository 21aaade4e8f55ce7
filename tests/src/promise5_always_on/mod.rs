//! Promise 5: always on. From the first instruction, through reloads, crashes
//! and upgrades.

mod before;
mod births;
mod cgroups;
mod deep;
mod entries;
mod exec;
mod outlives;
mod reload;
mod shapes;
mod takeover;

pub use births::{attack_in_new_cgroups, with_names_that_free};
pub use cgroups::enter_new_child;
pub use takeover::OLDER;

use libtest_mimic::Trial;

use crate::rig::Trials;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise5");
    cgroups::add(&mut trials);
    shapes::add(&mut trials);
    cgroups::add_patterns(&mut trials);
    deep::add(&mut trials);
    entries::add(&mut trials);
    births::add(&mut trials);
    outlives::add(&mut trials);
    exec::add(&mut trials);
    before::add(&mut trials);
    reload::add(&mut trials);
    takeover::add(&mut trials);
    trials.finish()
}
