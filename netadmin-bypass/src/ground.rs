//! Where the devices are made.

use std::io;

use crate::attack::IFF_UP;
use crate::attack::ioctl::{Family, change_flags};

/// The network namespace that the attempts are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// One of the program's own, which ends with it.
    Own,
    /// The one that it was started in, where it may make none: as a rule, a pod's.
    Given,
}

impl Ground {
    /// Makes a namespace if that is allowed. Call it before anything else.
    pub fn prepare() -> io::Result<Self> {
        if unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS).is_err() {
            return Ok(Self::Given);
        }
        mount_sysfs()?;
        change_flags(Family::Inet, "lo", IFF_UP, 0)?;
        Ok(Self::Own)
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "a network namespace of its own",
            Self::Given => "the network namespace that it was started in",
        }
    }
}

/// Moves this process into a user namespace and a network namespace that belongs
/// to it.
pub fn with_user_namespace() -> io::Result<()> {
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWNS)?;
    mount_sysfs()?;
    change_flags(Family::Inet, "lo", IFF_UP, 0)
}

fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: unshare takes no pointers, and this process has one thread.
    match unsafe { libc::unshare(flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The files of this network namespace's devices, for this process alone.
fn mount_sysfs() -> io::Result<()> {
    let sysfs = c"sysfs".as_ptr();
    let private = libc::MS_REC | libc::MS_PRIVATE;
    let null = std::ptr::null();
    // SAFETY: the arguments are zero-terminated strings or null.
    let mounted = unsafe {
        libc::mount(null, c"/".as_ptr(), null, private, null.cast()) == 0
            && libc::mount(sysfs, c"/sys".as_ptr(), sysfs, 0, null.cast()) == 0
    };
    if mounted {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}
