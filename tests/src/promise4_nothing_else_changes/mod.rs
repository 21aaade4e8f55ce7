//! Promise 4: what the policy allows has the same result as without the agent.

mod bounds;
mod everyday;
mod narrow;
mod netlink;
mod routes;
mod sysfs;

use libtest_mimic::Trial;

use crate::rig::Trials;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise4");
    bounds::add(&mut trials);
    everyday::add(&mut trials);
    narrow::add(&mut trials);
    netlink::add(&mut trials);
    routes::add(&mut trials);
    sysfs::add(&mut trials);
    trials.finish()
}
