//! What outlives the agent: programs, links and maps, pinned in bpffs.
//!
//! ```text
//! /sys/fs/bpf/netadmin-agent/    locked (flock) by the agent that runs
//!     OVERLAP, HANDOVER          shared by all sets, of whatever version
//!     names_of_6                 the names of an earlier set's policies
//!     sysctl_link                the program on writes to /proc/sys/net
//!     value_links/CGROUP-ID      where the program that sees values is attached
//!     set_7_layout_2/            one agent's programs: a set
//!         GUARDS, POLICIES, …    its maps
//!         link_capable, …        its links: removing one detaches the program
//!         complete               a directory: everything before it was done
//! ```

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use netadmin_common::LAYOUT_VERSION;

use super::sys;

/// Where bpffs is mounted.
pub const BPFFS: &str = "/sys/fs/bpf";
/// The agent's directory in it.
const DIRECTORY: &str = "netadmin-agent";
const VALUE_LINKS: &str = "value_links";
const SYSCTL_LINK: &str = "sysctl_link";
const COMPLETE: &str = "complete";
const LINK: &str = "link_";
const NAMES: &str = "names_of_";

/// The kernel may take as long to detach what is unpinned.
const UNLOAD: Duration = Duration::from_secs(10);
const UNLOAD_AS_A_RULE: Duration = Duration::from_secs(2);
/// Of so many sets the names of the policies are kept, for events that were not
/// read in time.
const REMEMBERED: usize = 16;

/// Why nothing can be pinned, or taken over.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no bpffs.
    #[error(
        "bpffs is not mounted at {BPFFS}, so that enforcement could not outlive the agent: \
         mount -t bpf bpf {BPFFS} (in a pod: a hostPath volume), or run with --ephemeral"
    )]
    NoBpffs,
    /// Somebody else has the lock.
    #[error(
        "another netadmin-agent is running (it holds the lock on {BPFFS}/{DIRECTORY}): \
         stop it first; enforcement goes on meanwhile"
    )]
    Locked,
    /// `--ephemeral` beside pinned programs.
    #[error(
        "enforcement by an earlier agent is in force: run without --ephemeral to take it over, \
         or end it first with `netadmin-agent unload`"
    )]
    InForce,
    /// A file operation failed.
    #[error("cannot {act} {path}: {error}")]
    Io {
        /// What failed.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PinError {
    let path = path.to_owned();
    move |error| PinError::Io { act, path, error }
}

/// The agent's directory in bpffs, locked.
#[derive(Debug)]
pub struct Pins {
    root: PathBuf,
    _lock: File,
}

/// One agent's programs, maps and links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinnedSet {
    /// Counts up with every agent that takes over.
    pub generation: u32,
    /// The version of its records.
    pub layout: u32,
    /// Its directory.
    pub path: PathBuf,
}

impl PinnedSet {
    /// Where something of this set is pinned.
    pub fn entry(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the link of a program is pinned.
    pub fn link(&self, program: &str) -> PathBuf {
        self.path.join(format!("{LINK}{program}"))
    }

    /// The programs whose links are pinned.
    pub fn links(&self) -> Vec<String> {
        let names = entries(&self.path).into_iter();
        let mut links: Vec<_> = names
            .filter_map(|name| name.strip_prefix(LINK).map(str::to_owned))
            .collect();
        links.sort_unstable();
        links
    }

    /// Whether its agent came to the end of what it had to do.
    pub fn is_complete(&self) -> bool {
        self.path.join(COMPLETE).is_dir()
    }

    /// Says that it is complete.
    pub fn complete(&self) -> Result<(), PinError> {
        let path = self.path.join(COMPLETE);
        fs::create_dir(&path).map_err(failed("create", &path))
    }

    /// Whether this agent reads its records.
    pub fn has_our_layout(&self) -> bool {
        self.layout == LAYOUT_VERSION
    }

    /// Detaches its programs and forgets its maps, and waits until it is done.
    pub fn remove(&self) -> Result<(), PinError> {
        let programs = self.links();
        let programs: Vec<_> = programs
            .iter()
            .filter_map(|name| self.program(name))
            .collect();
        self.unpin()?;
        wait_until_unloaded(&programs);
        Ok(())
    }

    /// The id of an attached program.
    pub fn program(&self, name: &str) -> Option<u32> {
        let link = sys::open_pinned(&self.link(name)).ok()?;
        sys::program_of_link(link.as_fd()).ok()
    }

    fn unpin(&self) -> Result<(), PinError> {
        // What answers before what judges, so that nobody waits for a judge
        // that is gone: see `ENFORCERS`.
        let is_capable = |name: &String| *name != format!("{LINK}capable");
        let mut names = entries(&self.path);
        names.sort_by_key(|name| (is_capable(name), !name.starts_with(LINK)));
        for name in names {
            let path = self.path.join(&name);
            let removed = if name == COMPLETE {
                fs::remove_dir(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.map_err(failed("remove", &path))?;
        }
        fs::remove_dir(&self.path).map_err(failed("remove", &self.path))
    }

    fn read(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (generation, layout) = name.strip_prefix("set_")?.split_once("_layout_")?;
        Some(Self {
            generation: generation.parse().ok()?,
            layout: layout.parse().ok()?,
            path,
        })
    }
}

/// The kernel detaches what is unpinned later, from a worker (`bpf_free_inode`,
/// `bpf_link_put`), and lets go of the program when that is done.
fn wait_until_unloaded(programs: &[u32]) {
    let start = Instant::now();
    let is_there = |program: &u32| match sys::is_loaded(*program) {
        Ok(loaded) => loaded && start.elapsed() < UNLOAD,
        // Without the right to ask, wait for as long as it takes at most as a rule.
        Err(_) => start.elapsed() < UNLOAD_AS_A_RULE,
    };
    while programs.iter().any(is_there) {
        sleep(Duration::from_millis(10));
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The agent's directory, whether or not it is there.
pub fn root() -> PathBuf {
    Path::new(BPFFS).join(DIRECTORY)
}

/// The sets that are pinned, the newest last.
pub fn sets() -> Vec<PinnedSet> {
    let root = root();
    let names = entries(&root).into_iter();
    let mut sets: Vec<_> = names
        .filter_map(|name| PinnedSet::read(root.join(name)))
        .collect();
    sets.sort_unstable();
    sets
}

/// The cgroups that the value program is attached to, by id.
pub fn value_links() -> Vec<u64> {
    let names = entries(&root().join(VALUE_LINKS)).into_iter();
    names.filter_map(|name| name.parse().ok()).collect()
}

/// The newest set that is complete: the one in force.
pub fn in_force() -> Option<PinnedSet> {
    sets().into_iter().rev().find(PinnedSet::is_complete)
}

/// Whether an agent runs.
pub fn is_locked() -> bool {
    File::open(root()).is_ok_and(|directory| !try_lock(&directory))
}

fn try_lock(directory: &File) -> bool {
    // SAFETY: an open descriptor.
    unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

fn is_bpffs(path: &Path) -> bool {
    nix::sys::statfs::statfs(path)
        .is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::BPF_FS_MAGIC)
}

impl Pins {
    /// Takes the lock that only one agent can have.
    pub fn lock() -> Result<Self, PinError> {
        if !is_bpffs(Path::new(BPFFS)) {
            return Err(PinError::NoBpffs);
        }
        let root = root();
        let directories = [root.clone(), root.join(VALUE_LINKS)];
        for path in directories {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(failed("create", &path))?;
        }
        let lock = File::open(&root).map_err(failed("open", &root))?;
        if !try_lock(&lock) {
            return Err(PinError::Locked);
        }
        Ok(Self { root, _lock: lock })
    }

    /// Takes the lock for an agent that pins nothing; without bpffs there is none.
    pub fn lock_if_there() -> Result<Option<Self>, PinError> {
        match Self::lock() {
            Ok(pins) if sets().is_empty() => Ok(Some(pins)),
            Ok(_) => Err(PinError::InForce),
            Err(PinError::NoBpffs) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where something that all sets share is pinned.
    pub fn shared(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes room for a new set, with a number above all others. What it shares
    /// with `earlier` is linked into it.
    pub fn new_set(
        &self,
        earlier: Option<&PinnedSet>,
        shared: &[&str],
    ) -> Result<PinnedSet, PinError> {
        let generation = 1 + sets().last().map_or(0, |set| set.generation);
        let path = self
            .root
            .join(format!("set_{generation}_layout_{LAYOUT_VERSION}"));
        fs::create_dir(&path).map_err(failed("create", &path))?;
        for name in shared {
            if let Some(earlier) = earlier {
                let path = path.join(name);
                fs::hard_link(earlier.entry(name), &path).map_err(failed("link", &path))?;
            }
        }
        Ok(PinnedSet {
            generation,
            layout: LAYOUT_VERSION,
            path,
        })
    }

    /// Keeps the names of a set's policies when the set is gone.
    pub fn remember_names(&self, set: &PinnedSet) -> Result<(), PinError> {
        let path = self.root.join(format!("{NAMES}{}", set.generation));
        match fs::hard_link(set.entry("NAMES"), &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("link", &path)(error));
            }
            _ => {}
        }
        let mut remembered = self.remembered_names();
        remembered.sort_unstable();
        let old = remembered.len().saturating_sub(REMEMBERED);
        for (_, path) in &remembered[..old] {
            fs::remove_file(path).map_err(failed("remove", path))?;
        }
        Ok(())
    }

    /// Where the names of earlier sets' policies are, by generation.
    pub fn remembered_names(&self) -> Vec<(u32, PathBuf)> {
        let names = entries(&self.root).into_iter();
        names
            .filter_map(|name| {
                let generation = name.strip_prefix(NAMES)?.parse().ok()?;
                Some((generation, self.root.join(name)))
            })
            .collect()
    }

    /// Where the value program's link to a cgroup is pinned.
    pub fn value_link(&self, cgroup: u64) -> PathBuf {
        self.root.join(VALUE_LINKS).join(cgroup.to_string())
    }

    /// Where the link of the program on writes to sysctls is pinned: one for all sets.
    pub fn sysctl_link(&self) -> PathBuf {
        self.root.join(SYSCTL_LINK)
    }

    /// The cgroups that the value program is attached to.
    pub fn value_links(&self) -> Vec<u64> {
        value_links()
    }

    /// Detaches and forgets everything. True if there was anything.
    pub fn remove_all(self) -> Result<bool, PinError> {
        let sets = sets();
        for set in &sets {
            set.remove()?;
        }
        for cgroup in self.value_links() {
            let path = self.value_link(cgroup);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        let links = self.root.join(VALUE_LINKS);
        fs::remove_dir(&links).map_err(failed("remove", &links))?;
        for name in entries(&self.root) {
            let path = self.root.join(name);
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        fs::remove_dir(&self.root).map_err(failed("remove", &self.root))?;
        Ok(!sets.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_known_by_its_name() {
        let set = PinnedSet::read("/x/set_12_layout_3".into()).expect("a set");
        assert_eq!((set.generation, set.layout), (12, 3));
        for other in [
            "/x/set_12",
            "/x/OVERLAP",
            "/x/set_a_layout_3",
            "/x/value_links",
        ] {
            assert_eq!(PinnedSet::read(other.into()), None, "{other}");
        }
    }

    #[test]
    fn the_newest_set_is_the_last_by_number_not_by_name() {
        let read = |name: &str| PinnedSet::read(name.into()).expect("a set");
        assert!(read("/x/set_9_layout_2") < read("/x/set_10_layout_1"));
    }
}
