//! Who may make cgroups can nest them deeper than any call's path reaches.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::reload::{lenient, mark_becomes};
use crate::rig::{Cgroup, Container, Standing, Trials, USUAL_POLICY, Way, errno_of};

/// As many names as a path of `PATH_MAX` (4096) bytes does not hold.
const DEPTH: usize = 20;
/// A component of as many bytes as one may have.
const NAME: [u8; 255] = [b'x'; 255];

pub fn add(trials: &mut Trials) {
    trials.alone(
        "a_cgroup_too_deep_for_a_path_stays_guarded_through_reload_and_take_over",
        stays_guarded,
    );
}

fn stays_guarded() -> Result<()> {
    let mut standing = Standing::start(USUAL_POLICY)?;
    let top = File::open(Cgroup::make(Cgroup::GUARDED)?.directory()).context("open the cgroup")?;
    Container::guarded()?.run(|| descend(&top, true).map(drop))?;
    let outcome = (|| {
        ensure!(promisc_within(&top)? == libc::EPERM, "before");
        standing.write_policy(&lenient())?;
        mark_becomes(0)?;
        let errno = promisc_within(&top)?;
        ensure!(
            errno == libc::EPERM,
            "after a reload: {errno} {}",
            standing.agent()?.stderr()
        );
        standing.end_agent(Signal::SIGTERM)?;
        standing.start_agent()?;
        ensure!(promisc_within(&top)? == libc::EPERM, "after a take-over");
        standing.unload()?;
        ensure!(promisc_within(&top)? == 0, "unguarded, and refused");
        // What is there at the first start is found, too.
        standing.start_agent()?;
        ensure!(
            promisc_within(&top)? == libc::EPERM,
            "after the first start"
        );
        standing.unload()
    })();
    remove(&top).context("remove the cgroups")?;
    outcome
}

/// Errno of a task in the deepest that asks for `IFF_PROMISC`.
fn promisc_within(top: &File) -> Result<i32> {
    let deepest = descend(top, false)?;
    let entrance = open_at(&deepest, b"cgroup.procs", libc::O_WRONLY)?;
    let attempt = Container::guarded()?.attempt(|| {
        (&entrance).write_all(b"0")?;
        Way::Ioctl.attempt()
    })?;
    Ok(errno_of(&attempt))
}

fn descend(top: &File, make: bool) -> io::Result<File> {
    let name = CString::new(NAME)?;
    let mut folder = top.try_clone()?;
    for _ in 0..DEPTH {
        // SAFETY: an open descriptor and a terminated name.
        if make && unsafe { libc::mkdirat(folder.as_raw_fd(), name.as_ptr(), 0o755) } != 0 {
            return Err(io::Error::last_os_error());
        }
        folder = open_at(&folder, &NAME, libc::O_DIRECTORY)?;
    }
    Ok(folder)
}

fn open_at(folder: &File, name: &[u8], flags: i32) -> io::Result<File> {
    let name = CString::new(name)?;
    // SAFETY: an open descriptor and a terminated name.
    match unsafe { libc::openat(folder.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor was just made, and nobody else owns it.
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

/// The deepest first.
fn remove(top: &File) -> io::Result<()> {
    let name = CString::new(NAME)?;
    let mut folders = vec![top.try_clone()?];
    while let Some(last) = folders.last() {
        match open_at(last, &NAME, libc::O_DIRECTORY) {
            Ok(next) => folders.push(next),
            Err(_) => break,
        }
    }
    folders.pop();
    for above in folders.iter().rev() {
        // SAFETY: as above.
        if unsafe { libc::unlinkat(above.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
