//! Which cgroups are guarded, and by which policy.
//!
//! The kernel side ([`netadmin_common::GuardRecord`]) lets a new cgroup inherit
//! before any task can enter it; this side matches paths. `Tree` knows the file
//! system, `Guards` decides and keeps the map.

mod guards;
mod tree;

pub use guards::{GuardError, Guards};
pub use tree::{Tree, TreeError, mount_point};
