//! Cgroups that are nested too deep for their paths.
//!
//! Who may make cgroups can nest them deeper than any call's path reaches
//! (`PATH_MAX`). Such a one is known by its id alone. No pattern matches it: it
//! has its creator's policy, or that of the cgroup above.

use std::io;
use std::path::Path;

use netadmin_common::Origin;
use netadmin_common::guard::{NO_POLICY, SOCKOPT_ATTACHED};

use super::guards::{GuardError, Guards, is_gone};

/// The longest path that is matched, in bytes: half of `PATH_MAX`.
const MATCHED: usize = 2048;

/// What stands for the rest of a path.
const REST: &str = "...";

/// Whether a path is too long to be matched.
pub fn is_too_deep(path: &Path) -> bool {
    path.as_os_str().len() > MATCHED
}

impl Guards {
    /// The cgroup with this id, and all below.
    pub(super) fn admit_deep(&mut self, id: u64, bank: usize) -> Result<(), GuardError> {
        let above = match self.tree.above(id) {
            Ok(above) => above,
            // Removed meanwhile: the next event says so too.
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(GuardError::Path { id, error }),
        };
        let path = self.path_below(above);
        let mut waiting = vec![(id, self.policy_in(bank, above))];
        while let Some((id, above)) = waiting.pop() {
            let policy = self.admit_by_id(id, &path, bank, above)?;
            match self.tree.below(id) {
                Ok(below) => waiting.extend(below.into_iter().map(|id| (id, policy))),
                Err(error) if is_gone(&error) => self.gone(id),
                Err(error) => return Err(GuardError::Path { id, error }),
            }
        }
        Ok(())
    }

    /// What stands for the path of all that is nested too deep below a cgroup.
    fn path_below(&self, id: u64) -> String {
        match self.paths.get(&id) {
            Some(path) if path.ends_with(REST) => path.clone(),
            Some(path) => format!("{path}/{REST}"),
            None => format!("/{REST}"),
        }
    }

    /// `above` is the policy of the cgroup above. Returns its own.
    fn admit_by_id(
        &mut self,
        id: u64,
        path: &str,
        bank: usize,
        above: Option<u32>,
    ) -> Result<Option<u32>, GuardError> {
        let known = self.record(id);
        let (policy, origin) = match self.creators_policy(id, known) {
            Some(name) => (
                self.book.index_of_name(bank, &name).or(above),
                Origin::Creator,
            ),
            None => (above, Origin::Ancestor),
        };
        if policy.is_none() && known.is_none() {
            return Ok(None);
        }
        let mut record = known.unwrap_or_else(|| self.book.blank());
        record.policies[bank] = self.book.assigned(bank, policy.unwrap_or(NO_POLICY));
        if policy.is_some() {
            record.origin = origin as u32;
            record = record.inheriting(policy == above);
            if known.is_none() && record.inherits() && self.entries.are_full(path)? {
                return Ok(policy);
            }
            self.paths.insert(id, path.to_owned());
        }
        if self.above(Path::new(path), bank).is_covered {
            record.flags |= SOCKOPT_ATTACHED;
        } else if bank == self.book.in_force() {
            record.flags &= !SOCKOPT_ATTACHED;
        }
        self.entries.write(id, known, record, path)?;
        Ok(policy)
    }
}

/// A call's answer that its path is too long.
pub fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENAMETOOLONG)
}
