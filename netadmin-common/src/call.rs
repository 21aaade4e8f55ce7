//! A call that is under way, recorded by its first hook and looked up by the
//! capability question that follows it.

/// Begun: nothing has judged it yet. Still so when the capability question
/// comes means that the program that judges did not run: refuse.
pub const CALL_BEGUN: u32 = 0;
/// Judged on the kernel's own copy: it may pass.
pub const CALL_ALLOWED: u32 = 1;
/// Judged on the kernel's own copy: refused, and reported.
pub const CALL_REFUSED: u32 = 2;

/// [`CallRecord::command`]: no ioctl, but a write to a file of sysfs.
pub const COMMAND_SYSFS: u32 = 1;

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
    /// What an older version may have had.
    #[cfg(feature = "older-layout")]
    pub older: u32,
}

#[cfg(not(feature = "older-layout"))]
const _: () = assert!(size_of::<CallRecord>() == 48);
