//! The program on writes to /proc/sys/net: one link to the root of the cgroup tree,
//! which each set of programs takes over from the one before.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use aya::programs::{CgroupSysctl, ProgramError};

use super::error::KernelError;
use super::programs::{Programs, program};
use super::sys;

const PROGRAM: &str = "sysctl_write";

impl Programs {
    /// Attaches it to the root of the tree, `root`, or puts it in the place of an
    /// earlier set's in one step.
    pub fn watch_sysctls(&mut self, root: &Path) -> Result<(), KernelError> {
        let failed = |act| {
            move |source| KernelError::Program {
                act,
                program: PROGRAM,
                source,
            }
        };
        let pin = self.pins.as_ref().map(|pins| pins.sysctl_link());
        let loaded: Result<&mut CgroupSysctl, ProgramError> =
            program(&mut self.ebpf, PROGRAM)?.try_into();
        let loaded = loaded.map_err(failed("load"))?;
        loaded.load().map_err(failed("load"))?;
        let program = loaded.fd().map_err(failed("attach"))?.as_fd();
        let attached = match &pin {
            Some(pin) if pin.exists() => replace(program, pin),
            Some(pin) => attach(program, root).and_then(|link| sys::pin(link.as_fd(), pin)),
            None => attach(program, root).map(|link| self.sysctl_link = Some(link)),
        };
        attached.map_err(|error| KernelError::Link {
            program: PROGRAM.to_owned(),
            source: error.into(),
        })
    }
}

fn attach(program: BorrowedFd<'_>, root: &Path) -> io::Result<OwnedFd> {
    let root = File::open(root)?;
    sys::attach_to_cgroup(program, root.as_fd(), sys::BPF_CGROUP_SYSCTL)
}

fn replace(program: BorrowedFd<'_>, pin: &Path) -> io::Result<()> {
    let link = sys::open_pinned(pin)?;
    sys::replace_program(link.as_fd(), program)
}
