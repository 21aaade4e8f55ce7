//! Control groups (version 2).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::poll;

const ROOT: &str = "/sys/fs/cgroup";

/// A control group below `/netadmin-test`.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: String,
}

impl Cgroup {
    /// Where the usual policy applies.
    pub const GUARDED: &str = "/netadmin-test/guarded/pod";
    /// Where no policy applies.
    pub const FREE: &str = "/netadmin-test/free/pod";
    /// Where the policy applies that the rig adds to find the end of the events.
    pub const SENTINEL: &str = "/netadmin-test/sentinel";

    /// Makes the control group and those above it, unless they are there.
    pub fn make(path: &str) -> io::Result<Self> {
        let group = Self {
            path: path.to_owned(),
        };
        fs::create_dir_all(group.directory())?;
        Ok(group)
    }

    /// Makes the control groups of every test.
    pub fn make_usual() -> io::Result<()> {
        for path in [Self::GUARDED, Self::FREE, Self::SENTINEL] {
            Self::make(path)?;
        }
        Ok(())
    }

    /// Its path below the root of the hierarchy, as in policies and events.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its directory.
    pub fn directory(&self) -> PathBuf {
        Path::new(ROOT).join(self.path.trim_start_matches('/'))
    }

    /// Its id, which events carry.
    pub fn id(&self) -> io::Result<u64> {
        use std::os::unix::fs::MetadataExt as _;
        Ok(fs::metadata(self.directory())?.ino())
    }

    /// Its list of processes, open for [`Entrance::enter`].
    pub fn entrance(&self) -> io::Result<Entrance> {
        let path = self.directory().join("cgroup.procs");
        Ok(Entrance(OpenOptions::new().write(true).open(path)?))
    }

    /// Removes it, waiting a little for processes that are about to end.
    pub fn remove(&self) -> io::Result<()> {
        let mut last = Ok(());
        poll(Duration::from_secs(20), || {
            last = fs::remove_dir(self.directory());
            last.is_ok().then_some(())
        });
        last
    }
}

/// A way into a control group, kept open across changes of namespaces.
#[derive(Debug)]
pub struct Entrance(File);

impl Entrance {
    /// Moves the calling process in.
    pub fn enter(&self) -> io::Result<()> {
        (&self.0).write_all(b"0")
    }
}
