//! The map of guarded cgroups, and why each is in it.

use std::collections::{HashMap as Paths, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{HashMap, MapData, MapError};
use aya::programs::cgroup_sockopt::CgroupSockoptLink;
use netadmin_common::guard::SOCKOPT_ATTACHED;
use netadmin_common::{GuardRecord, Origin};

use super::tree::Tree;
use crate::kernel::{KernelError, Programs};
use crate::policy::PolicySet;
use crate::records::Record;

/// How many removed cgroups keep their path, for events that come late.
const REMEMBERED: usize = 4096;

/// Why a cgroup cannot be guarded.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The map refused it.
    #[error("cannot guard cgroup {path}: {source}; at most 32768 cgroups can be guarded at a time")]
    Map {
        /// The cgroup.
        path: String,
        /// The kernel's answer.
        source: MapError,
    },
    /// It is there, but its path cannot be had.
    #[error(
        "cannot find the path of cgroup {id}: {error}; \
         the agent needs CAP_DAC_READ_SEARCH to match new cgroups"
    )]
    Path {
        /// The cgroup.
        id: u64,
        /// What the system says.
        error: io::Error,
    },
    /// The program that sees option values could not be attached.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Keeps the map of guarded cgroups.
pub struct Guards {
    tree: Tree,
    map: HashMap<MapData, u64, Record<GuardRecord>>,
    policies: PolicySet,
    paths: Paths<u64, String>,
    gone: VecDeque<(u64, String)>,
    attached: Paths<u64, CgroupSockoptLink>,
}

impl Guards {
    /// Nothing guarded yet.
    pub fn new(
        tree: Tree,
        map: HashMap<MapData, u64, Record<GuardRecord>>,
        policies: PolicySet,
    ) -> Self {
        Self {
            tree,
            map,
            policies,
            paths: Paths::new(),
            gone: VecDeque::new(),
            attached: Paths::new(),
        }
    }

    /// The policies that are in force.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// How many cgroups are guarded, as far as has been told.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// Policies that guard nothing (yet).
    pub fn idle_policies(&self) -> Vec<&str> {
        let mut used = vec![false; self.policies.policies.len()];
        for id in self.paths.keys() {
            if let Some(record) = self.record(*id)
                && let Some(used) = used.get_mut(record.policy as usize)
            {
                *used = true;
            }
        }
        let named = self.policies.policies.iter().zip(used);
        named
            .filter(|(_, used)| !used)
            .map(|(policy, _)| policy.name.as_str())
            .collect()
    }

    /// Guards what there is: every cgroup that a policy matches, and all below.
    pub fn scan(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        let mut waiting = vec![PathBuf::from("/")];
        while let Some(path) = waiting.pop() {
            // Removed meanwhile: the next event says so too.
            let Ok(id) = self.tree.id(&path) else {
                continue;
            };
            self.admit_if_there(id, &path, programs)?;
            waiting.extend(self.tree.children(&path).unwrap_or_default());
        }
        Ok(())
    }

    /// A cgroup was made: match its path, unless a guarded task made it.
    pub fn made(&mut self, id: u64, programs: &mut Programs) -> Result<(), GuardError> {
        match self.tree.path(id) {
            Ok(path) => self.admit_if_there(id, &path, programs),
            // Removed meanwhile: `gone` follows.
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(GuardError::Path { id, error }),
        }
    }

    /// A cgroup was removed; the kernel has forgotten it already.
    pub fn gone(&mut self, id: u64) {
        self.attached.remove(&id);
        // Also what came to be guarded while it went.
        let _absent = self.map.remove(&id);
        if let Some(path) = self.paths.remove(&id) {
            if self.gone.len() == REMEMBERED {
                self.gone.pop_front();
            }
            self.gone.push_back((id, path));
        }
    }

    /// The path of a guarded cgroup, also of one that was removed lately.
    pub fn path(&self, id: u64) -> Option<String> {
        let late = || {
            self.gone
                .iter()
                .rev()
                .find(|(gone, _)| *gone == id)
                .map(|(_, path)| path)
        };
        let known = self.paths.get(&id).or_else(late).cloned();
        known.or_else(|| {
            self.tree
                .path(id)
                .ok()
                .map(|path| path.to_string_lossy().into_owned())
        })
    }

    /// A cgroup that goes meanwhile is no fault.
    fn admit_if_there(
        &mut self,
        id: u64,
        path: &Path,
        programs: &mut Programs,
    ) -> Result<(), GuardError> {
        let outcome = self.admit(id, path, programs);
        match self.tree.id(path) {
            Ok(now) if now == id => outcome,
            Err(error) if !is_gone(&error) => outcome,
            _ => {
                self.gone(id);
                Ok(())
            }
        }
    }

    fn admit(&mut self, id: u64, folder: &Path, programs: &mut Programs) -> Result<(), GuardError> {
        let path = &*folder.to_string_lossy();
        let inherited = self.record(id);
        if inherited.is_some_and(|record| record.origin == Origin::Creator as u32) {
            self.paths.insert(id, path.to_owned());
            return Ok(());
        }
        let above = inherited.or_else(|| self.parent_record(folder));
        let matched = self
            .policies
            .policy_for(path)
            .and_then(|index| u32::try_from(index).ok());
        let (policy, origin) = match (matched, above) {
            (Some(policy), _) => (policy, Origin::Matched),
            (None, Some(above)) => (above.policy, Origin::Ancestor),
            (None, None) => return Ok(()),
        };
        let flags = self.cover(id, folder, policy, above, programs)?;
        let record = GuardRecord {
            policy,
            origin: origin as u32,
            flags,
            reserved: 0,
        };
        self.map
            .insert(id, Record(record), 0)
            .map_err(|source| GuardError::Map {
                path: path.to_owned(),
                source,
            })?;
        self.paths.insert(id, path.to_owned());
        Ok(())
    }

    /// Attaches the program that sees option values, if the policy needs it and
    /// no cgroup above has it. Before the record says so, never after.
    fn cover(
        &mut self,
        id: u64,
        path: &Path,
        policy: u32,
        above: Option<GuardRecord>,
        programs: &mut Programs,
    ) -> Result<u32, GuardError> {
        let flags = above.map_or(0, |record| record.flags);
        let policy = self.policies.policies.get(policy as usize);
        let needed = policy.is_some_and(crate::policy::CompiledPolicy::needs_value_program);
        if !needed || flags & SOCKOPT_ATTACHED != 0 {
            return Ok(flags);
        }
        let link = programs.attach_value_program(&self.tree.folder(path))?;
        self.attached.insert(id, link);
        Ok(flags | SOCKOPT_ATTACHED)
    }

    fn record(&self, id: u64) -> Option<GuardRecord> {
        self.map.get(&id, 0).ok().map(|record| record.0)
    }

    fn parent_record(&self, path: &Path) -> Option<GuardRecord> {
        self.record(self.tree.id(path.parent()?).ok()?)
    }
}

/// Whether an error says that a cgroup is no longer there.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESTALE)
}
