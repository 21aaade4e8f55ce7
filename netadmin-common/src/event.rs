//! What the programs tell the agent.

use crate::device::IFNAMSIZ;

/// `TASK_COMM_LEN` (include/linux/sched.h), in bytes.
pub const TASK_COMM_LEN: usize = 16;

/// What an [`EventRecord`] tells of.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A refusal, in mode `enforce`.
    Refused = 1,
    /// What would have been refused, in mode `audit`.
    WouldRefuse = 2,
    /// A side effect that the policy allows.
    Allowed = 3,
    /// A device's promiscuity rose; not tied to a policy. (The witness; and a
    /// kernel thread's doing, whose cause is not known.)
    Rise = 4,
    /// A cgroup was made; `cgroup` is its id. For the agent alone.
    CgroupMade = 5,
    /// A cgroup was removed; `cgroup` is its id. For the agent alone.
    CgroupGone = 6,
    /// A guarded task raised the promiscuity of a device against its policy:
    /// something got past what refuses.
    Breach = 7,
}

impl EventKind {
    /// The kind with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        [
            Self::Refused,
            Self::WouldRefuse,
            Self::Allowed,
            Self::Rise,
            Self::CgroupMade,
            Self::CgroupGone,
            Self::Breach,
        ]
        .into_iter()
        .find(|kind| *kind as u16 == number)
    }
}

/// How many bytes an agent has to tell its own history in, as JSON.
pub const HISTORY_LEN: usize = 4096;

/// [`EventRecord::value_state`]: no value belongs to the operation.
pub const VALUE_NONE: u32 = 0;
/// [`EventRecord::value_state`]: `value` is what the kernel would have used.
pub const VALUE_KNOWN: u32 = 1;
/// [`EventRecord::value_state`]: the value could not be known.
pub const VALUE_UNKNOWN: u32 = 2;
/// [`EventRecord::value_state`]: not known, but outside the unprivileged range.
pub const VALUE_PRIVILEGED: u32 = 3;

/// One record of the event ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventRecord {
    /// [`crate::LAYOUT_VERSION`].
    pub layout: u32,
    /// An [`EventKind`].
    pub kind: u16,
    /// A [`crate::Via`].
    pub via: u16,
    /// `CLOCK_BOOTTIME` in nanoseconds.
    pub time: u64,
    /// Id of the task's cgroup (v2), or of the cgroup made or removed.
    pub cgroup: u64,
    /// Process id (thread group) in the initial pid namespace.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Index into the policy map.
    pub policy: u32,
    /// A [`crate::Rule`].
    pub rule: u16,
    /// An [`crate::OperationKind`].
    pub operation: u16,
    /// What the call returns, as a positive errno.
    pub errno: u32,
    /// The option's value, if `value_state` says so.
    pub value: i64,
    /// One of the `VALUE_*` constants.
    pub value_state: u32,
    /// The device's index; 0 if there is none.
    pub ifindex: u32,
    /// A rise or a breach: the promiscuity count before.
    pub promiscuity_before: u32,
    /// A rise or a breach: the promiscuity count after.
    pub promiscuity_after: u32,
    /// A rise or a breach: whether the task is a kernel thread, 0 or 1.
    pub kernel_thread: u32,
    /// A rise or a breach: the number of the device's network namespace
    /// (`ns_common.inum`, the inode of `/proc/PID/ns/net`).
    pub netns: u32,
    /// A breach: the signal that was sent to the task; 0 if none.
    pub signal: u32,
    /// Which set of programs tells, and so whose policies `policy` counts.
    pub generation: u32,
    /// The task's name.
    pub comm: [u8; TASK_COMM_LEN],
    /// The device's name; empty if there is none.
    pub ifname: [u8; IFNAMSIZ],
}

const _: () = assert!(size_of::<EventRecord>() == 88 + TASK_COMM_LEN + IFNAMSIZ);

/// Per-CPU account of the events: `seen = submitted + suppressed + dropped`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventAccount {
    /// Refusals, would-be refusals, allowed side effects and breaches.
    pub seen: u64,
    /// Of these, handed to the ring buffer.
    pub submitted: u64,
    /// Of these, left out on purpose (more than a datagram's bound).
    pub suppressed: u64,
    /// Of these, lost because the ring buffer was full.
    pub dropped: u64,
    /// Breaches, whether or not their events were handed on.
    pub breaches: u64,
}

impl EventAccount {
    /// The sum of two processors' accounts.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            submitted: self.submitted + other.submitted,
            suppressed: self.suppressed + other.suppressed,
            dropped: self.dropped + other.dropped,
            breaches: self.breaches + other.breaches,
        }
    }
}
