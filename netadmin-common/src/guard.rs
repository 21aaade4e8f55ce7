//! Which policy a cgroup has, and why.

/// How many sets of policies the maps hold: the one in force, and the one that
/// a reload prepares. Turning from one to the other is one write.
pub const BANKS: usize = 2;

/// [`GuardRecord::policies`]: no policy applies.
pub const NO_POLICY: u32 = u32::MAX;

/// The longest name of a policy, in bytes.
pub const POLICY_NAME_LEN: usize = 64;

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

impl Origin {
    /// The origin with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Matched, Self::Creator, Self::Ancestor]
            .into_iter()
            .find(|origin| *origin as u32 == number)
    }
}

/// The `cgroup/setsockopt` program is in effect for sockets of this cgroup.
pub const SOCKOPT_ATTACHED: u32 = 1;

/// The policies are those of the nearest guarded cgroup above: without the entry
/// they would be no others.
pub const INHERITS: u32 = 2;

/// The value of the guard map; its key is the cgroup v2 id (`kernfs_node.id`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRecord {
    /// Indices into the policy map, one for each bank, or [`NO_POLICY`].
    pub policies: [u32; BANKS],
    /// An [`Origin`].
    pub origin: u32,
    /// Bits such as [`SOCKOPT_ATTACHED`].
    pub flags: u32,
}

impl GuardRecord {
    /// The record of a cgroup that no policy applies to.
    pub const NONE: Self = Self {
        policies: [NO_POLICY; BANKS],
        origin: 0,
        flags: 0,
    };
}

impl GuardRecord {
    /// Whether it says no more than that of the nearest guarded cgroup above.
    pub fn inherits(&self) -> bool {
        self.flags & INHERITS != 0
    }

    /// The same record, said to inherit or not.
    #[must_use]
    pub fn inheriting(self, inherits: bool) -> Self {
        let others = self.flags & !INHERITS;
        let flags = if inherits { others | INHERITS } else { others };
        Self { flags, ..self }
    }
}

/// How many entries of the guard map may be such that inherit ([`INHERITS`]): whoever may make
/// cgroups makes as many of these as he likes, and they must not leave others
/// without a place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Those that the agent has entered, less those that it has removed. (The
    /// programs count theirs apart.)
    pub admitted: i64,
    /// Most of both.
    pub most: i64,
}

impl Room {
    /// Three quarters of the map.
    pub fn of(limit: u32) -> Self {
        Self {
            admitted: 0,
            most: i64::from(limit) * 3 / 4,
        }
    }
}

impl Default for GuardRecord {
    fn default() -> Self {
        Self::NONE
    }
}

/// Which agent's programs have reported what a task does, while two sets of
/// programs are attached: for each task. Never changes its layout, since sets of
/// different versions share it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handover {
    /// The newer set's generation.
    pub generation: u32,
    /// How many of its reports the older set has yet to find out for itself,
    /// and then must not repeat.
    pub ahead: u32,
}

const _: () = assert!(size_of::<GuardRecord>() == 16);
const _: () = assert!(size_of::<Handover>() == 8);
const _: () = assert!(size_of::<Room>() == 16);
