//! What runs inside the virtual machine: attacks, the rig that carries them
//! out, and the tests of each promise.

pub mod bench;
pub mod bypass;
pub mod coverage;
pub mod demo;
pub mod endurance;
pub mod fuzz;
pub mod node;
mod part;
pub mod promise1_promiscuity;
pub mod promise2_arguments;
pub mod promise3_net_admin;
pub mod promise4_nothing_else_changes;
pub mod promise5_always_on;
pub mod promise6_fail_closed;
pub mod promise7_accountable;
pub mod promise9_portability;
pub mod races;
pub mod rig;

pub use netadmin_bypass::attack;
pub use part::Part;

use libtest_mimic::Trial;

/// Every test that runs in the virtual machine.
pub fn trials() -> Vec<Trial> {
    let groups = [
        promise1_promiscuity::trials(),
        promise2_arguments::trials(),
        promise3_net_admin::trials(),
        promise4_nothing_else_changes::trials(),
        promise5_always_on::trials(),
        promise6_fail_closed::trials(),
        promise7_accountable::trials(),
        promise9_portability::trials(),
        bypass::trials(),
        races::trials(),
        fuzz::trials(),
        endurance::trials(),
    ];
    groups.into_iter().flatten().collect()
}
