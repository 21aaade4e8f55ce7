//! A call that is under way, recorded by its first hook and looked up by the
//! capability question that follows it.

/// Begun: nothing has judged it yet. Still so when the capability question
/// comes means that the program that judges did not run: refuse.
pub const CALL_BEGUN: u32 = 0;
/// Judged on the kernel's own copy: it may pass.
pub const CALL_ALLOWED: u32 = 1;
/// Judged on the kernel's own copy: refused, and reported.
pub const CALL_REFUSED: u32 = 2;
/// A port may go that would be missed: whether that is refused is asked, and reported,
/// when the kernel asks, which for questions it does not.
pub const CALL_MISSED: u32 = 3;

/// [`CallRecord::command`]: no ioctl, but a write to a file of sysfs.
pub const COMMAND_SYSFS: u32 = 1;

/// [`CallRecord::seen`]: nothing lies anywhere to be judged.
pub const SEEN_NOTHING: u32 = 0;
/// The kernel's copy of a `struct ifreq`, and the network namespace.
pub const SEEN_IFREQ: u32 = 1;
/// The same, and the name is an address's label, which had a colon.
pub const SEEN_LABEL: u32 = 2;
/// The kernel's copy of the text that is written to a device's `flags`, and the
/// `struct net_device`.
pub const SEEN_FLAGS: u32 = 3;
/// The same of a bridge's `vlan_filtering`.
pub const SEEN_VLAN_FILTERING: u32 = 4;
/// The same of a file of a bridge's port.
pub const SEEN_PORT: u32 = 5;

/// What is kept with each guarded task.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// The command of the ioctl that the task is in, or was in last.
    pub command: u32,
    /// One of the `CALL_*` constants.
    pub state: u32,
    /// 1 + the [`crate::SocketOption`] whose first capability question (for
    /// `CAP_NET_RAW`) was refused and reported; 0 if none.
    pub reported_option: u32,
    /// 1 + the [`crate::SocketOption`] whose value is judged in this call; 0 if
    /// none. The capability question must find it: the rule on the value may have
    /// come into force in the middle of the call.
    pub seen_option: u32,
    /// The ioctl's piece that was refused and reported, an
    /// [`crate::OperationKind`]; 0 if none. Some ask twice.
    pub reported_piece: u32,
    /// Of the netlink datagram that was sent last: the piece that is refused
    /// if the capability is asked for, an [`crate::OperationKind`]; 0 if none.
    pub asked: u32,
    /// Whether that has been reported, 0 or 1: some questions are asked twice.
    pub asked_reported: u32,
    /// The socket option that is being set where the registers do not say:
    /// level and name.
    pub level: i32,
    /// See `level`.
    pub optname: i32,
    /// 1 + the [`crate::SocketOption`] that the control message at hand gives
    /// (`__sock_cmsg_send`); 0 if none is at hand.
    pub control: u32,
    /// Its value, from the kernel's own copy.
    pub control_value: u32,
    /// Whether the message is as long as it must be, 0 or 1: else the kernel sets
    /// nothing.
    pub control_valid: u32,
    /// One of the `SEEN_*` constants: what lies at `subject` and `copy` while the call
    /// is under way. Whoever begins another call sets it anew.
    pub seen: u32,
    /// Whose verdict `state` is, if something was seen: the number of a set of programs.
    pub judged_by: u32,
    /// The kernel's address of what the call is about.
    pub subject: u64,
    /// The kernel's address of its copy of the argument.
    pub copy: u64,
    /// What an older version may have had.
    #[cfg(feature = "older-layout")]
    pub older: u32,
}

#[cfg(not(feature = "older-layout"))]
const _: () = assert!(size_of::<CallRecord>() == 72);

impl CallRecord {
    /// A call begins, or is over: what was seen before is gone from the kernel.
    #[inline(always)]
    pub fn begin(&mut self, command: u32, state: u32) {
        self.command = command;
        self.state = state;
        self.seen = SEEN_NOTHING;
    }

    /// Where the kernel has what is to be judged when it asks.
    #[inline(always)]
    pub fn see(&mut self, command: u32, seen: u32, subject: u64, copy: u64) {
        self.begin(command, CALL_BEGUN);
        self.subject = subject;
        self.copy = copy;
        self.seen = seen;
    }

    /// Whether something was seen that this set of programs has not judged yet.
    #[inline(always)]
    pub fn awaits(&self, generation: u32) -> bool {
        self.seen != SEEN_NOTHING && (self.state == CALL_BEGUN || self.judged_by != generation)
    }

    /// The verdict of this set of programs.
    #[inline(always)]
    pub fn settle(&mut self, refused: bool, generation: u32) {
        self.state = if refused { CALL_REFUSED } else { CALL_ALLOWED };
        self.judged_by = generation;
    }
}
