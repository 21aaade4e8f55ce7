//! Where the program that sees option values is attached.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kernel::{KernelError, Programs, ValueLink};

/// A call that has been told that its value will be seen may take this long until
/// it is.
const GRACE: Duration = Duration::from_secs(10);

/// The links of the value program, by cgroup.
#[derive(Debug, Default)]
pub struct Attached {
    links: HashMap<u64, ValueLink>,
    retired: Vec<(Instant, ValueLink)>,
}

impl Attached {
    /// What an earlier set has attached, whose program goes on running there.
    pub fn of_earlier(programs: &Programs) -> Self {
        Self {
            links: programs.pinned_value_links().into_iter().collect(),
            retired: Vec::new(),
        }
    }

    /// From now on it is this set's program that runs there.
    pub fn take_over(&mut self, programs: &mut Programs) -> Result<(), KernelError> {
        for id in self.cgroups() {
            if let Some(link) = self.links.get(&id)
                && !programs.take_over_value_link(link)?
            {
                self.links.remove(&id);
            }
        }
        Ok(())
    }

    /// Whether it is attached nowhere.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether it is attached to this very cgroup.
    pub fn contains(&self, id: u64) -> bool {
        self.links.contains_key(&id)
    }

    /// Those of the guarded cgroups to which it is neither attached nor to any above, as
    /// far up as all are guarded.
    pub fn bare(&self, guarded: &HashMap<u64, String>) -> Vec<u64> {
        let mut ids: Vec<(&str, u64)> = guarded.iter().map(|(id, path)| (&**path, *id)).collect();
        // A path comes after those above it.
        ids.sort_unstable();
        let mut covered: HashSet<&str> = HashSet::new();
        let mut bare = Vec::new();
        for (path, id) in ids {
            let above = path.rsplit_once('/').map(|(above, _)| above);
            let above = above.map(|above| if above.is_empty() { "/" } else { above });
            if self.contains(id) || above.is_some_and(|above| covered.contains(above)) {
                covered.insert(path);
            } else {
                bare.push(id);
            }
        }
        bare
    }

    /// Attaches it to a cgroup.
    pub fn attach(
        &mut self,
        id: u64,
        folder: &Path,
        programs: &mut Programs,
    ) -> Result<(), KernelError> {
        let link = programs.attach_value_program(id, folder)?;
        self.links.insert(id, link);
        Ok(())
    }

    /// A cgroup is gone, and its link is of no use.
    pub fn forget(&mut self, id: u64) {
        if let Some(link) = self.links.remove(&id) {
            link.detach();
        }
    }

    /// A cgroup is no longer guarded: detaches the program when no call can count
    /// on it any more.
    pub fn retire(&mut self, id: u64) {
        if let Some(link) = self.links.remove(&id) {
            self.retired.push((Instant::now(), link));
        }
    }

    /// Whether anything waits to be detached.
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Detaches what was retired long enough ago.
    pub fn detach_retired(&mut self) {
        let (due, waiting) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition::<Vec<_>, _>(|(since, _)| since.elapsed() >= GRACE);
        self.retired = waiting;
        for (_, link) in due {
            link.detach();
        }
    }

    /// The cgroups that it is attached to.
    pub fn cgroups(&self) -> Vec<u64> {
        self.links.keys().copied().collect()
    }
}
