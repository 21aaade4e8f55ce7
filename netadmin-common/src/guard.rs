//! Which policy a cgroup has, and why.

/// Why a cgroup is guarded.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A policy's `match.cgroups` names its path.
    Matched = 1,
    /// It was made by a guarded task, whose policy it has; never matched by path.
    Creator = 2,
    /// Nothing matches it; its nearest guarded ancestor's policy holds.
    Ancestor = 3,
}

/// The `cgroup/setsockopt` program is in effect for sockets of this cgroup.
pub const SOCKOPT_ATTACHED: u32 = 1;

/// The value of the guard map; its key is the cgroup v2 id (`kernfs_node.id`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardRecord {
    /// Index into the policy map.
    pub policy: u32,
    /// An [`Origin`].
    pub origin: u32,
    /// Bits such as [`SOCKOPT_ATTACHED`].
    pub flags: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<GuardRecord>() == 16);
