//! One idea: an operation, a policy, a verdict.
//!
//! A hook turns what it sees into an [`Operation`], the caller's cgroup names
//! the [`PolicyRecord`], and [`decide`] gives the [`Verdict`]. This crate is
//! compiled twice: into the kernel, and on the host, where tests, fuzzers and
//! `check` run the very code that the kernel runs.

#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod birth;
pub mod bits;
pub mod call;
pub mod catalogue;
pub mod decide;
pub mod device;
pub mod ethtool;
pub mod event;
pub mod glob;
pub mod grants;
pub mod guard;
pub mod ioctl;
pub mod netlink;
pub mod operation;
pub mod pieces;
pub mod policy;
pub mod sockopt;
pub mod text;
pub mod unentered;
pub mod value;
pub mod watched;

pub use catalogue::OperationKind;
pub use decide::{Rule, Verdict, decide, is_breach};
pub use device::Device;
pub use event::{EventKind, EventRecord};
pub use guard::{GuardEntry, GuardRecord, Origin};
pub use operation::{Operation, SocketOption, Value, Via};
pub use pieces::PieceSet;
pub use policy::{Exception, PolicyRecord};
pub use text::Text;
pub use value::{Range, ValueSet};

/// Version of every record that crosses the border to the kernel or is pinned.
/// Raised by any change of a `repr(C)` type in this crate.
///
/// (With the feature `older-layout` it is the one before, and [`call::CallRecord`] has
/// another size: for a build from which the tests take over.)
pub const LAYOUT_VERSION: u32 = if cfg!(feature = "older-layout") {
    NEWEST - 1
} else {
    NEWEST
};
const NEWEST: u32 = 9;
