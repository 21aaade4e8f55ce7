//! What a task asks for, in one small typed value.

use crate::catalogue::OperationKind;

/// The socket options that a policy can rule on (all of level `SOL_SOCKET`).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `SO_DEBUG`: read as `int`.
    Debug = 0,
    /// `SO_PRIORITY`: read as `int`.
    Priority = 1,
    /// `SO_SNDBUFFORCE`: read as `int`.
    SndBufForce = 2,
    /// `SO_RCVBUFFORCE`: read as `int`.
    RcvBufForce = 3,
    /// `SO_MARK`: read as `u32`.
    Mark = 4,
}

/// How many options [`SocketOption`] has.
pub const SOCKET_OPTIONS: usize = 5;

/// `SOL_SOCKET` (asm-generic/socket.h).
pub const SOL_SOCKET: i32 = 1;
const SO_DEBUG: i32 = 1;
const SO_PRIORITY: i32 = 12;
const SO_SNDBUFFORCE: i32 = 32;
const SO_RCVBUFFORCE: i32 = 33;
const SO_MARK: i32 = 36;

impl SocketOption {
    /// All options, in the order of their discriminants.
    pub const ALL: [Self; SOCKET_OPTIONS] = [
        Self::Debug,
        Self::Priority,
        Self::SndBufForce,
        Self::RcvBufForce,
        Self::Mark,
    ];

    /// The option that `level` and `optname` name together, if a policy can
    /// rule on it. (The number alone means nothing: 12 is also `TCP_QUICKACK`.)
    #[inline(always)]
    pub fn from_level_and_name(level: i32, optname: i32) -> Option<Self> {
        if level != SOL_SOCKET {
            return None;
        }
        match optname {
            SO_DEBUG => Some(Self::Debug),
            SO_PRIORITY => Some(Self::Priority),
            SO_SNDBUFFORCE => Some(Self::SndBufForce),
            SO_RCVBUFFORCE => Some(Self::RcvBufForce),
            SO_MARK => Some(Self::Mark),
            _ => None,
        }
    }

    /// Its number, as `optname`.
    pub fn number(self) -> i32 {
        match self {
            Self::Debug => SO_DEBUG,
            Self::Priority => SO_PRIORITY,
            Self::SndBufForce => SO_SNDBUFFORCE,
            Self::RcvBufForce => SO_RCVBUFFORCE,
            Self::Mark => SO_MARK,
        }
    }

    /// The manual page's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "SO_DEBUG",
            Self::Priority => "SO_PRIORITY",
            Self::SndBufForce => "SO_SNDBUFFORCE",
            Self::RcvBufForce => "SO_RCVBUFFORCE",
            Self::Mark => "SO_MARK",
        }
    }

    /// The operation of setting it.
    #[inline(always)]
    pub fn operation(self) -> OperationKind {
        match self {
            Self::Debug => OperationKind::SetDebug,
            Self::Priority => OperationKind::SetPriority,
            Self::SndBufForce => OperationKind::SetSndBufForce,
            Self::RcvBufForce => OperationKind::SetRcvBufForce,
            Self::Mark => OperationKind::SetMark,
        }
    }

    /// The option that an operation sets.
    #[inline(always)]
    pub fn of_operation(kind: OperationKind) -> Option<Self> {
        match kind {
            OperationKind::SetDebug => Some(Self::Debug),
            OperationKind::SetPriority => Some(Self::Priority),
            OperationKind::SetSndBufForce => Some(Self::SndBufForce),
            OperationKind::SetRcvBufForce => Some(Self::RcvBufForce),
            OperationKind::SetMark => Some(Self::Mark),
            _ => None,
        }
    }

    /// The 32 bits of an option value on the axis that rules use.
    #[inline(always)]
    pub fn widen(self, raw: u32) -> i64 {
        match self {
            Self::Mark => i64::from(raw),
            _ => i64::from(raw.cast_signed()),
        }
    }
}

/// Defines [`Via`] with its number and the kernel's name for it.
macro_rules! vias {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal;)+) => {
        /// The way on which an operation came.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Via {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl Via {
            /// The kernel's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The way with this number, from an event record.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

vias! {
    /// `setsockopt(2)`, on any ABI.
    Setsockopt = 1, "setsockopt";
    /// `ioctl(SIOCSIFFLAGS)`.
    SetIfFlags = 2, "SIOCSIFFLAGS";
    /// `ioctl(SIOCBRADDIF)`.
    BridgeAddIf = 3, "SIOCBRADDIF";
    /// `ioctl(SIOCDEVPRIVATE)`, the old bridge interface.
    DevPrivate = 4, "SIOCDEVPRIVATE";
    /// An rtnetlink `RTM_NEWLINK` message.
    NewLink = 5, "RTM_NEWLINK";
    /// An rtnetlink `RTM_SETLINK` message.
    SetLink = 6, "RTM_SETLINK";
    /// `ioctl(SIOCSIFNAME)`.
    SetIfName = 7, "SIOCSIFNAME";
    /// `ioctl(SIOCBONDENSLAVE)`.
    BondEnslave = 8, "SIOCBONDENSLAVE";
    /// A write to an interface's file in sysfs.
    Sysfs = 9, "sysfs";
    /// An rtnetlink message of any other type.
    Rtnetlink = 10, "rtnetlink";
    /// `setsockopt(PACKET_ADD_MEMBERSHIP)`, its arguments seen.
    AddMembership = 11, "PACKET_ADD_MEMBERSHIP";
    /// `ioctl(SIOCBRADDBR)`.
    BridgeAdd = 12, "SIOCBRADDBR";
    /// `ioctl(SIOCADDTUNNEL)`.
    AddTunnel = 13, "SIOCADDTUNNEL";
    /// `ioctl(TUNSETIFF)` that makes a device.
    TunSetIff = 14, "TUNSETIFF";
    /// `ioctl(SIOCSIFHWADDR)`.
    SetIfHwAddr = 15, "SIOCSIFHWADDR";
    /// `ioctl(SIOCBONDRELEASE)`.
    BondRelease = 16, "SIOCBONDRELEASE";
    /// `ioctl(SIOCBONDSETHWADDR)`.
    BondSetHwAddr = 17, "SIOCBONDSETHWADDR";
    /// `ioctl(SIOCBONDCHANGEACTIVE)`.
    BondChangeActive = 18, "SIOCBONDCHANGEACTIVE";
    /// `ioctl(SIOCSIFVLAN)`.
    SetIfVlan = 19, "SIOCSIFVLAN";
    /// `ioctl(SIOCBRDELIF)`.
    BridgeDelIf = 20, "SIOCBRDELIF";
    /// `ioctl(SIOCBRDELBR)`.
    BridgeDel = 21, "SIOCBRDELBR";
    /// `ioctl(SIOCDELTUNNEL)`.
    DelTunnel = 22, "SIOCDELTUNNEL";
    /// A message of another netlink family.
    Netlink = 32, "netlink";
    /// Any other ioctl.
    Ioctl = 33, "ioctl";
    /// The capability was asked for in any other call.
    Capable = 34, "capable";
    /// `getsockopt(2)`.
    Getsockopt = 35, "getsockopt";
    /// A control message of `sendmsg(2)`, or of `sendmmsg(2)` or io_uring.
    Sendmsg = 36, "sendmsg";
    /// A write to a file of /proc/sys/net.
    Sysctl = 37, "sysctl";
}

/// What is known of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The kernel's own copy.
    Known(i64),
    /// Not known, but the kernel asked for the capability, so it lies outside
    /// what an unprivileged caller may set (`sk_setsockopt`).
    Privileged,
    /// Not known at all.
    Unknown,
    /// None belongs to it, or only the capability is asked for.
    None,
}

/// A small typed value: what a task asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What kind.
    pub kind: OperationKind,
    /// The value of an option.
    pub value: Value,
    /// Whether the device, and every device below it, is one that the policy
    /// excepts (see [`crate::PolicyRecord::excepts`]).
    pub excepted: bool,
}

impl Operation {
    /// An operation on a device.
    #[inline(always)]
    pub fn on_device(kind: OperationKind, excepted: bool) -> Self {
        Self {
            kind,
            value: Value::None,
            excepted,
        }
    }

    /// Using a piece of the capability.
    #[inline(always)]
    pub fn piece(kind: OperationKind) -> Self {
        Self::on_device(kind, false)
    }

    /// Setting a socket option.
    #[inline(always)]
    pub fn set(option: SocketOption, value: Value) -> Self {
        Self {
            kind: option.operation(),
            value,
            excepted: false,
        }
    }
}
