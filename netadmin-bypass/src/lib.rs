//! What an attacker with `CAP_NET_ADMIN` and `CAP_NET_RAW` would do. The program
//! `netadmin-bypass` tries it, and the tests of the promises are built on it.

pub mod attack;
mod device;
pub mod fuzz;
mod ground;
pub mod make;
pub mod race;
pub mod report;
pub mod trial;
pub mod ways;

pub use device::{DeviceState, promiscuity};
pub use ground::Ground;
