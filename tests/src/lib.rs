//! What runs inside the virtual machine: attacks, the rig that carries them
//! out, and the tests of each promise.

pub mod demo;
pub mod node;
pub mod promise1_promiscuity;
pub mod promise2_arguments;
pub mod promise3_net_admin;
pub mod promise4_nothing_else_changes;
pub mod promise5_always_on;
pub mod promise6_fail_closed;
pub mod promise7_accountable;
pub mod promise9_portability;
pub mod rig;

pub use netadmin_bypass::attack;
