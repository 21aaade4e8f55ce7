//! The capabilities of a container's root.

use std::io;

const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_BPF: u32 = 39;
/// More than any kernel has; those it has not are refused with EINVAL.
const CAP_LAST: u32 = 63;
const LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// What root may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capabilities {
    /// Exactly `CAP_NET_ADMIN` and `CAP_NET_RAW`.
    #[default]
    Network,
    /// `CAP_NET_ADMIN` alone.
    NetAdmin,
    /// `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_BPF`.
    NetworkAndBpf,
    /// Everything.
    All,
    /// Exactly `CAP_NET_RAW`.
    Raw,
    /// Nothing.
    Nothing,
}

impl Capabilities {
    /// Gives up, for this process and what it executes, all that is not in here.
    pub fn enter(self) -> io::Result<()> {
        if self == Self::All {
            return Ok(());
        }
        // Of what stays here, root's programs get all back when they are executed.
        let stays: &[u32] = match self {
            Self::Raw => &[CAP_NET_RAW],
            Self::NetworkAndBpf => &[CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF],
            _ => &[CAP_NET_ADMIN, CAP_NET_RAW],
        };
        for capability in 0..=CAP_LAST {
            if !stays.contains(&capability) {
                drop_from_bounding_set(capability)?;
            }
        }
        set_exactly(match self {
            Self::Nothing => 0,
            Self::NetAdmin => 1 << CAP_NET_ADMIN,
            Self::Raw => 1 << CAP_NET_RAW,
            Self::NetworkAndBpf => 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW | 1 << CAP_BPF,
            _ => 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW,
        })
    }
}

fn drop_from_bounding_set(capability: u32) -> io::Result<()> {
    // SAFETY: PR_CAPBSET_DROP takes a number and no pointers.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability)) };
    let error = io::Error::last_os_error();
    match result {
        0 => Ok(()),
        _ if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        _ => Err(error),
    }
}

/// Runs `work` with none in effect, and puts those of [`Capabilities::Network`] into
/// effect again.
pub fn with_none_in_effect<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    with(0, work)
}

/// The same with `CAP_NET_ADMIN` alone.
pub fn with_net_admin_in_effect<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    with(1 << CAP_NET_ADMIN, work)
}

fn with<T>(effective: u64, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let both = 1u64 << CAP_NET_ADMIN | 1 << CAP_NET_RAW;
    set(effective, both)?;
    let result = work();
    set(both, both)?;
    result
}

/// Permitted, effective and inheritable alike.
fn set_exactly(capabilities: u64) -> io::Result<()> {
    set(capabilities, capabilities)
}

/// `capset(2)`.
fn set(effective: u64, permitted: u64) -> io::Result<()> {
    let header = [LINUX_CAPABILITY_VERSION_3, 0];
    let words = |shift: u32| [effective, permitted, permitted].map(|set| (set >> shift) as u32);
    let data = [words(0), words(32)];
    // SAFETY: the kernel reads two words of header and six of data.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
