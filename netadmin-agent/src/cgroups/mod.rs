//! Which cgroups are guarded, and by which policy.
//!
//! The kernel side ([`netadmin_common::GuardRecord`]) lets a new cgroup inherit
//! before any task can enter it; this side matches paths. `Tree` knows the file
//! system, `Guards` decides and keeps the map, `Book` knows the policies,
//! `Earlier` what the programs of an agent before this one have to tell.

mod attached;
mod book;
mod deep;
mod earlier;
mod entries;
mod epochs;
mod guards;
mod rewrites;
mod room;
mod takeover;
mod tree;
mod unborn;
mod unentered;

pub use attached::Attached;
pub use book::Book;
pub use earlier::{Earlier, EarlierError, Names, pinned_names, pinned_policy};
pub use entries::Entries;
pub use guards::{GuardError, Guards};
pub use rewrites::Rewrites;
pub use room::Room;
pub use tree::{Tree, TreeError, mount_point, own_cgroup};
pub use unentered::Unentered;
