//! A new cgroup that is guarded because somebody said so, whatever its path.
//!
//! It is two cgroups. The outer one's guard is written into the maps as if a
//! guarded task had made it; the inner one, in which the command runs, inherits
//! it in the kernel like any other child, is told to the agent like any other
//! birth, and survives reloads and take-overs like any other.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use netadmin_common::guard::SOCKOPT_ATTACHED;

use crate::cgroups::{Earlier, Tree, mount_point, own_cgroup};
use crate::exit::CannotEnforce;
use crate::kernel::pins;
use crate::output;

/// An agent that looks at the outer cgroup's path at the wrong moment takes its
/// guard away again.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// How long the agent may take to attach the program that sees values.
const ATTACHED: Duration = Duration::from_secs(5);
/// How long killed processes may take to be gone.
const EMPTIED: Duration = Duration::from_secs(5);

/// A guarded cgroup of our own. Dropping it ends all that runs in it.
#[derive(Debug)]
pub struct Enclosure {
    outer: PathBuf,
    inner: PathBuf,
    policy: String,
}

impl Enclosure {
    /// Makes one under this policy, below the caller's own cgroup.
    pub fn make(policy: &str) -> anyhow::Result<Self> {
        require(policy)?;
        let tree = Tree::open(mount_point()?)?;
        let name = format!("netadmin-exec-{}", std::process::id());
        let outer = tree.folder(&own_cgroup()?.join(name));
        let enclosure = Self {
            inner: outer.join("command"),
            outer,
            policy: policy.to_owned(),
        };
        make_directory(&enclosure.outer)?;
        for _ in 0..ATTEMPTS {
            appoint(&enclosure.outer, policy)?;
            make_directory(&enclosure.inner)?;
            if enclosure.is_guarded()? {
                return Ok(enclosure);
            }
            fs::remove_dir(&enclosure.inner).context("cannot remove a cgroup")?;
            sleep(PAUSE);
        }
        Err(CannotEnforce(format!(
            "cgroup {} does not come under policy `{policy}`, because policies or agents change \
             all the time, or because the map of guarded cgroups is full (see \
             `netadmin-agent status`): try again",
            enclosure.inner.display()
        ))
        .into())
    }

    /// The file by which a process enters.
    pub fn entrance(&self) -> anyhow::Result<File> {
        let path = self.inner.join("cgroup.procs");
        let opened = OpenOptions::new().write(true).open(&path);
        opened.with_context(|| format!("cannot open {}", path.display()))
    }

    /// Waits until options whose values are ruled on can be judged by their value;
    /// before that they are refused.
    pub fn wait_for_value_program(&self) {
        let start = Instant::now();
        while !self.sees_values().unwrap_or(true) {
            if start.elapsed() > ATTACHED || !pins::is_locked() {
                output::complain(
                    "netadmin-agent: warning: no agent has attached the program that sees the \
                     values of socket options: until one does, what is ruled on by value is \
                     refused whatever the value\n",
                );
                return;
            }
            sleep(PAUSE);
        }
    }

    /// Ends what still runs in it, and removes it.
    pub fn remove(self) -> anyhow::Result<()> {
        // Dropping it a second time does nothing.
        self.take_down()
            .with_context(|| format!("cannot remove cgroup {}", self.outer.display()))
    }

    fn is_guarded(&self) -> anyhow::Result<bool> {
        let Some(set) = pins::in_force() else {
            return Ok(false);
        };
        let guards = Earlier::open(&set)?;
        let guard = guards.guard(id(&self.inner)?);
        let name = guard.and_then(|(_, policy)| guards.name(policy));
        Ok(name.as_deref() == Some(&self.policy))
    }

    fn sees_values(&self) -> anyhow::Result<bool> {
        let set = pins::in_force().context("nothing is in force")?;
        let guards = Earlier::open(&set)?;
        let (record, policy) = guards.guard(id(&self.inner)?).context("no guard")?;
        let attached = record.flags & SOCKOPT_ATTACHED != 0;
        Ok(attached || !crate::cgroups::pinned_policy(&set, policy)?.needs_value_program())
    }

    fn take_down(&self) -> io::Result<()> {
        if !self.outer.exists() {
            return Ok(());
        }
        fs::write(self.outer.join("cgroup.kill"), "1")?;
        let start = Instant::now();
        loop {
            match remove_tree(&self.outer) {
                // Its processes are about to end.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    if start.elapsed() > EMPTIED {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Enclosure {
    fn drop(&mut self) {
        // After an error, which has been told.
        let _ = self.take_down();
    }
}

/// Something must be in force, and know the policy.
fn require(policy: &str) -> anyhow::Result<()> {
    let set = pins::in_force().ok_or_else(|| {
        CannotEnforce(
            "nothing is in force here (an --ephemeral agent does not count): start \
             `netadmin-agent --policy FILE` first"
                .to_owned(),
        )
    })?;
    let names = Earlier::open(&set)?.in_force();
    if names.iter().any(|name| name == policy) {
        return Ok(());
    }
    let names = names.join(", ");
    let unknown = format!("no policy `{policy}` is in force; there are: {names}");
    Err(CannotEnforce(unknown).into())
}

/// Writes the guard into every set: also into one that is about to take over.
fn appoint(outer: &Path, policy: &str) -> anyhow::Result<()> {
    let id = id(outer)?;
    for set in pins::sets() {
        let Ok(mut guards) = Earlier::open(&set) else {
            // One that is being made or removed.
            continue;
        };
        let written = guards.appoint(id, policy);
        written.with_context(|| format!("cannot guard cgroup {}", outer.display()))?;
    }
    Ok(())
}

fn make_directory(path: &Path) -> anyhow::Result<()> {
    fs::create_dir(path).with_context(|| format!("cannot make cgroup {}", path.display()))
}

fn id(path: &Path) -> anyhow::Result<u64> {
    let metadata = fs::metadata(path);
    let metadata = metadata.with_context(|| format!("cannot look at cgroup {}", path.display()))?;
    Ok(metadata.ino())
}

/// Removes a cgroup and those below it, which the command may have made.
fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}
