//! What runs inside the virtual machine: attacks, the rig that carries them
//! out, and the tests of each promise.

pub mod attack;
pub mod promise1_promiscuity;
pub mod rig;
