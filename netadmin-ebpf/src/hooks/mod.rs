//! One file a hook, or a pair of hooks that see one call from two places.
//!
//! Every LSM program hands on an earlier refusal unchanged.

pub mod capable;
pub mod cgroups;
pub mod control;
pub mod datagram;
pub mod ethtool;
pub mod family;
pub mod ioctl;
pub mod leaving;
pub mod links;
pub mod pieces;
pub mod setsockopt;
pub mod sysctl;
pub mod sysfs;
pub mod tripwire;
pub mod tun;
pub mod value;
