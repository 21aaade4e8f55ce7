//! From one epoch of policies to the next.

use std::path::Path;

use netadmin_common::GuardRecord;
use netadmin_common::guard::{NO_POLICY, SOCKOPT_ATTACHED};

use super::guards::{GuardError, Guards};
use crate::kernel::Programs;
use crate::policy::PolicySet;

impl Guards {
    /// Begins a new epoch, after every entry says what the one in force means: only then
    /// may the spare bank be written anew. (Programs may be at work that have read, and
    /// copy for a new cgroup, what was there before: these are waited for.)
    pub fn begin(&mut self, programs: &mut Programs) -> Result<u16, GuardError> {
        loop {
            programs.wait_for_running()?;
            if self.settle(programs)? == 0 {
                break;
            }
        }
        self.book.begin();
        Ok(self.book.begun())
    }

    /// Decides what is not decided yet in the epoch in force. Returns how many.
    fn settle(&mut self, programs: &mut Programs) -> Result<usize, GuardError> {
        let ids = self.entries.ids();
        let is_open = |id: &u64| self.record(*id).is_some_and(|record| self.is_open(&record));
        let open: Vec<u64> = ids.filter(is_open).collect();
        for id in &open {
            self.settle_one(*id, programs)?;
        }
        Ok(open.len())
    }

    fn settle_one(&mut self, id: u64, programs: &mut Programs) -> Result<(), GuardError> {
        self.made(id, programs)?;
        self.settle_by_name(id)
    }

    /// One whose path cannot be had (yet) keeps its policy by name.
    fn settle_by_name(&mut self, id: u64) -> Result<(), GuardError> {
        let Some(known) = self.record(id) else {
            return Ok(());
        };
        if !self.is_open(&known) {
            return Ok(());
        }
        let bank = self.book.in_force();
        let name = self
            .policy_in(bank, id)
            .and_then(|policy| self.book.policy(policy));
        let policy = name.and_then(|policy| self.book.index_of_name(bank, &policy.name));
        let mut record = known;
        record.policies[bank] = self.book.assigned(bank, policy.unwrap_or(NO_POLICY));
        self.entries.write(id, Some(known), record, "")
    }

    /// Writes down in the spare bank what `policies` mean for every cgroup. They
    /// come into force with [`Self::turn`].
    pub fn prepare(
        &mut self,
        policies: PolicySet,
        programs: &mut Programs,
    ) -> Result<(), GuardError> {
        self.book.prepare(policies);
        self.scan_into(Path::new("/"), self.book.spare(), programs)
    }

    /// The spare bank is in force: drops what it does not guard.
    pub fn turn(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        self.book.turn();
        self.drop_unguarded(programs)?;
        self.uncover();
        Ok(())
    }

    /// Gives back the room that a preparation has taken which came to nothing.
    pub fn abandon(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        self.drop_unguarded(programs)
    }

    /// Drops what the policies in force do not guard.
    fn drop_unguarded(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        let bank = self.book.in_force();
        let ids: Vec<u64> = self.entries.ids().collect();
        for id in ids {
            let Some(record) = self.record(id) else {
                continue;
            };
            if self.is_open(&record) {
                self.settle_one(id, programs)?;
            } else if self.book.policy_of(&record, bank).is_none() {
                self.entries.remove(id);
                self.paths.remove(&id);
                self.attached.retire(id);
            }
        }
        Ok(())
    }

    /// Takes back the word that the program that sees option values is there,
    /// where it is about to be detached.
    fn uncover(&mut self) {
        for id in self.attached.bare(&self.paths) {
            if let Some(mut record) = self.record(id)
                && record.flags & SOCKOPT_ATTACHED != 0
            {
                let before = Some(record);
                record.flags &= !SOCKOPT_ATTACHED;
                // Removed meanwhile.
                let _gone = self.entries.write(id, before, record, "");
            }
        }
    }

    /// Whether it is not decided yet in the epoch in force.
    pub(super) fn is_open(&self, record: &GuardRecord) -> bool {
        !record.is_decided(self.book.epoch())
    }
}
