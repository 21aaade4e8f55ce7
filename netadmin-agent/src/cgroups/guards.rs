//! The map of guarded cgroups, and why each is in it.

use std::collections::{HashMap as Paths, HashSet, VecDeque};
use std::io;
use std::path::Path;

use aya::maps::MapError;
use netadmin_common::guard::{NO_POLICY, SOCKOPT_ATTACHED};
use netadmin_common::{GuardRecord, Origin};

use super::attached::Attached;
use super::book::Book;
use super::deep::{is_too_deep, is_too_long};
use super::earlier::Earlier;
use super::entries::Entries;
use super::tree::Tree;
use super::unborn::{self, Unborn};
use super::unentered::Unentered;
use crate::inventory::Inventory;
use crate::kernel::{KernelError, Programs};
use crate::policy::CompiledPolicy;

/// How many removed cgroups keep their path, for events that come late.
const REMEMBERED: usize = 4096;

/// Why a cgroup cannot be guarded.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The map refused it.
    #[error(
        "cannot guard cgroup {path}: {source}; at most {limit} cgroups can be guarded at a time \
         (--max-cgroups)"
    )]
    Map {
        /// The cgroup.
        path: String,
        /// The kernel's answer.
        source: MapError,
        /// How many fit.
        limit: u32,
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
    /// New ones came all the time.
    #[error(
        "guarded tasks make cgroups faster than they can be taken over from the agent before; \
         what it has left stays in force, too: start the agent again"
    )]
    Restless,
    /// The program that sees option values could not be attached.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// What lies above a cgroup.
#[derive(Clone, Copy, Default)]
pub(super) struct Above {
    /// The policy of the one right above.
    policy: Option<u32>,
    /// The program that sees option values is attached there or further up, and stays,
    /// because everything in between is guarded.
    pub(super) is_covered: bool,
    /// The earlier set guards it.
    was_guarded: bool,
}

impl Above {
    /// Whether it is under a policy.
    pub(super) fn is_guarded(&self) -> bool {
        self.policy.is_some()
    }
}

/// Keeps the map of guarded cgroups.
pub struct Guards {
    pub(super) tree: Tree,
    pub(super) entries: Entries,
    pub(super) book: Book,
    pub(super) earlier: Option<Earlier>,
    pub(super) paths: Paths<u64, String>,
    gone: VecDeque<(u64, String)>,
    pub(super) attached: Attached,
    pub(super) unborn: Unborn,
    pub(super) unentered: Unentered,
    /// What there was at the start has been looked at.
    pub(super) is_started: bool,
}

impl Guards {
    /// Nothing guarded yet.
    pub fn new(tree: Tree, entries: Entries, unentered: Unentered, book: Book) -> Self {
        Self {
            tree,
            entries,
            book,
            earlier: None,
            paths: Paths::new(),
            gone: VecDeque::new(),
            attached: Attached::default(),
            unborn: Unborn::default(),
            unentered,
            is_started: false,
        }
    }

    /// The policies.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// How many cgroups are guarded, as far as has been told.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    /// What there is in guarded cgroups, and in the network namespaces of those who are
    /// in them.
    pub fn inventory(&self) -> Inventory {
        Inventory::of_cgroups(&self.tree, self.paths.values().map(String::as_str))
    }

    /// Policies that guard nothing (yet).
    pub fn idle_policies(&self) -> Vec<&str> {
        let used: HashSet<u32> = self
            .paths
            .keys()
            .filter_map(|id| self.policy_in(self.book.in_force(), *id))
            .collect();
        let named = self.book.policies().policies.iter().enumerate();
        let index = |place| self.book.index(self.book.in_force(), place);
        named
            .filter(|(place, _)| index(*place).is_none_or(|index| !used.contains(&index)))
            .map(|(_, policy)| policy.name.as_str())
            .collect()
    }

    /// Guards what there is: every cgroup that a policy matches, and all below.
    pub fn scan(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        self.scan_into(Path::new("/"), self.book.in_force(), programs)
    }

    /// Goes through the whole tree again, after births or deaths were missed.
    pub fn rescan(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        let noted = self.unentered.noted().unwrap_or_default();
        let known = self.paths.keys().copied().chain(self.unentered.ids());
        let ids: HashSet<u64> = self.entries.ids().chain(known).collect();
        for id in ids {
            if self.tree.path(id).is_err_and(|error| is_gone(&error)) {
                self.gone(id);
            }
        }
        self.scan(programs)?;
        self.unentered.are_all_told(noted);
        Ok(())
    }

    /// The cgroup at a path, and all below.
    pub(super) fn scan_into(
        &mut self,
        from: &Path,
        bank: usize,
        programs: &mut Programs,
    ) -> Result<(), GuardError> {
        let mut waiting = vec![(from.to_owned(), self.above(from, bank))];
        while let Some((path, above)) = waiting.pop() {
            // Removed meanwhile: the next event says so too.
            let Ok(id) = self.tree.id(&path) else {
                continue;
            };
            if is_too_deep(&path) {
                self.admit_deep(id, bank)?;
                continue;
            }
            self.admit_if_there(id, &path, bank, above, programs)?;
            let children = self.tree.children(&path).unwrap_or_default();
            if !children.is_empty() {
                let above = self.below(id, bank, above);
                waiting.extend(children.into_iter().map(|child| (child, above)));
            }
        }
        Ok(())
    }

    /// A cgroup was made: match its path, unless a guarded task made it.
    pub fn made(&mut self, id: u64, programs: &mut Programs) -> Result<(), GuardError> {
        self.made_in(self.book.in_force(), id, programs)
    }

    /// The same in the spare bank, while it is being prepared.
    pub fn made_meanwhile(&mut self, id: u64, programs: &mut Programs) -> Result<(), GuardError> {
        self.made(id, programs)?;
        self.made_in(self.book.spare(), id, programs)
    }

    fn made_in(&mut self, bank: usize, id: u64, programs: &mut Programs) -> Result<(), GuardError> {
        match self.tree.path(id) {
            Ok(path) if !is_too_deep(&path) => {
                let above = self.above(&path, bank);
                self.admit_if_there(id, &path, bank, above, programs)
            }
            Ok(_) => self.admit_deep(id, bank),
            Err(error) if is_too_long(&error) => self.admit_deep(id, bank),
            // Not there yet, or removed meanwhile: then `gone` follows.
            Err(error) if is_gone(&error) => {
                self.unborn.add(id);
                Ok(())
            }
            Err(error) => Err(GuardError::Path { id, error }),
        }
    }

    /// Returns when it is time to look again for announced cgroups.
    pub async fn is_waiting_for_births(&self) {
        if self.unborn.is_empty() {
            std::future::pending::<()>().await;
        } else {
            tokio::time::sleep(unborn::SOON).await;
        }
    }

    /// Looks again for those that were not there yet. What was made below one
    /// meanwhile may have its policy.
    pub fn look_again(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        for id in self.unborn.ids() {
            if let Ok(path) = self.tree.path(id) {
                self.unborn.remove(id);
                self.retry_unentered();
                self.scan_into(&path, self.book.in_force(), programs)?;
            }
        }
        Ok(())
    }

    /// A cgroup was removed; the kernel has forgotten it already.
    pub fn gone(&mut self, id: u64) {
        self.unborn.remove(id);
        self.unentered.forget(id);
        self.attached.forget(id);
        // Also what came to be guarded while it went.
        self.entries.remove(id);
        if let Some(path) = self.paths.remove(&id) {
            if self.gone.len() == REMEMBERED {
                self.gone.pop_front();
            }
            self.gone.push_back((id, path));
        }
    }

    /// Nothing is written for now.
    pub fn rest(&mut self, programs: &Programs) -> Result<(), KernelError> {
        self.entries.rest(programs)
    }

    /// What can be done later, now and then.
    pub fn tidy(&mut self) {
        self.attached.detach_retired();
        self.retry_unentered();
    }

    /// Whether there is anything of that kind.
    pub fn is_untidy(&self) -> bool {
        self.attached.has_retired() || self.has_unentered()
    }

    /// The path of a guarded cgroup, also of one that was removed lately.
    pub fn path(&self, id: u64) -> Option<String> {
        let late = || {
            let mut gone = self.gone.iter().rev();
            gone.find(|(gone, _)| *gone == id).map(|(_, path)| path)
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
        bank: usize,
        above: Above,
        programs: &mut Programs,
    ) -> Result<(), GuardError> {
        let outcome = self.admit(id, path, bank, above, programs);
        match self.tree.id(path) {
            Ok(now) if now == id => outcome,
            Err(error) if !is_gone(&error) => outcome,
            _ => {
                self.gone(id);
                Ok(())
            }
        }
    }

    fn admit(
        &mut self,
        id: u64,
        folder: &Path,
        bank: usize,
        above: Above,
        programs: &mut Programs,
    ) -> Result<(), GuardError> {
        let path = &*folder.to_string_lossy();
        let mut known = self.record(id);
        let in_force = self.book.in_force();
        if bank != in_force && known.is_some_and(|known| self.is_open(&known)) {
            self.admit(id, folder, in_force, self.above(folder, in_force), programs)?;
            known = self.record(id);
        }
        let assigned = self.assign(id, path, bank, known, above);
        if assigned.is_none() && known.is_none() {
            return Ok(());
        }
        let mut record = known.unwrap_or_else(|| self.book.blank());
        record.policies[bank] = self.book.assigned(bank, NO_POLICY);
        // Without the program that sees values it is guarded all the same: what needs it
        // is refused.
        let mut uncovered = None;
        if let Some((policy, origin)) = assigned {
            record.policies[bank].policy = policy;
            record.origin = origin as u32;
            let covered = if above.is_covered {
                Ok(true)
            } else {
                self.cover(id, folder, policy, programs)
            };
            let is_covered = covered.as_ref().is_ok_and(|is_covered| *is_covered);
            uncovered = covered.err();
            if is_covered {
                record.flags |= SOCKOPT_ATTACHED;
            } else if bank == in_force {
                record.flags &= !SOCKOPT_ATTACHED;
            }
        }
        let record = record.inheriting(above.policy == Some(record.policies[bank].policy));
        if known.is_none() && record.inherits() && self.entries.are_full(path)? {
            return Ok(());
        }
        self.entries.write(id, known, record, path)?;
        if assigned.is_some() {
            self.paths.insert(id, path.to_owned());
        }
        uncovered.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What a bank's policies mean for a cgroup: decisions 1 and 2 of
    /// ARCHITECTURE.md.
    fn assign(
        &self,
        id: u64,
        path: &str,
        bank: usize,
        known: Option<GuardRecord>,
        above: Above,
    ) -> Option<(u32, Origin)> {
        let is_unknown = || self.was_left_out(id, above) || self.unentered.is_by_guarded(id);
        let was_left_out = known.is_none() && is_unknown();
        let above = above.policy;
        if was_left_out {
            return above.map(|policy| (policy, Origin::Creator));
        }
        if let Some(name) = self.creators_policy(id, known) {
            let kept = self.book.index_of_name(bank, &name).or(above);
            return kept.map(|policy| (policy, Origin::Creator));
        }
        let matched = self.book.index_of_path(bank, path);
        matched
            .map(|policy| (policy, Origin::Matched))
            .or_else(|| above.map(|policy| (policy, Origin::Ancestor)))
    }

    /// Whether there was no room for it when it was made. A guarded task may have made it,
    /// so its path does not count.
    fn was_left_out(&self, id: u64, above: Above) -> bool {
        match &self.earlier {
            Some(earlier) => above.was_guarded && earlier.guard(id).is_none(),
            None => self.is_started && above.policy.is_some() && self.entries.have_overflowed(),
        }
    }

    /// The name of the policy that a cgroup has from its creator.
    pub(super) fn creators_policy(&self, id: u64, known: Option<GuardRecord>) -> Option<String> {
        if let Some(earlier) = &self.earlier
            && let Some(name) = earlier.creators_policy(id)
        {
            return Some(name);
        }
        let record = known.filter(|record| record.origin == Origin::Creator as u32)?;
        let policy = self.book.policy(record.policy_in(self.book.epoch()))?;
        Some(policy.name.clone())
    }

    /// Attaches the program that sees option values, if the policy needs it and it is
    /// not there. Before the record says so, never after.
    fn cover(
        &mut self,
        id: u64,
        path: &Path,
        policy: u32,
        programs: &mut Programs,
    ) -> Result<bool, KernelError> {
        if self.attached.contains(id) {
            return Ok(true);
        }
        let policy = self.book.policy(policy);
        let needed = policy.is_some_and(CompiledPolicy::needs_value_program);
        if needed {
            let folder = self.tree.folder(path);
            self.attached.attach(id, &folder, programs)?;
        }
        Ok(needed)
    }

    /// What a bank says of the cgroups above a path.
    pub(super) fn above(&self, path: &Path, bank: usize) -> Above {
        // Mostly the one right above tells all.
        let is_told = !self.entries.have_overflowed() && self.attached.is_empty();
        let is_told = is_told && self.earlier.is_none();
        let ids: Vec<u64> = path
            .ancestors()
            .skip(1)
            .take(if is_told { 1 } else { usize::MAX })
            .filter_map(|path| self.tree.id(path).ok())
            .collect();
        // From the root down.
        let ids = ids.into_iter().rev();
        ids.fold(Above::default(), |above, id| self.below(id, bank, above))
    }

    /// What is above the children of a cgroup.
    fn below(&self, id: u64, bank: usize, above: Above) -> Above {
        let record = self.record(id);
        let policy = match record {
            Some(record) => self.book.policy_of(&record, bank),
            // It was left out, and is under the one above.
            None => above.policy.filter(|_| self.entries.have_overflowed()),
        };
        let is_covered = above.is_covered || self.attached.contains(id);
        let earlier = self.earlier.as_ref().map(|earlier| earlier.guard(id));
        Above {
            policy,
            is_covered: policy.is_some() && is_covered,
            was_guarded: match earlier {
                Some(Some((_, policy))) => policy != NO_POLICY,
                Some(None) => above.was_guarded,
                None => false,
            },
        }
    }

    pub(super) fn record(&self, id: u64) -> Option<GuardRecord> {
        self.entries.record(id)
    }

    /// The policy of a cgroup in a bank.
    pub(super) fn policy_in(&self, bank: usize, id: u64) -> Option<u32> {
        self.book.policy_of(&self.record(id)?, bank)
    }
}

/// Whether an error says that a cgroup is no longer there.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESTALE)
}
