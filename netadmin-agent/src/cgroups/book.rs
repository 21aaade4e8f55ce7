//! The policies that the maps hold: those in force, and those that are about to be.

use netadmin_common::GuardRecord;
use netadmin_common::guard::{Assigned, BANKS, FIRST_EPOCH, NO_POLICY, bank_of};

use crate::policy::{CompiledPolicy, PolicySet};

/// The policies of both banks, by their index in the policy map.
#[derive(Debug)]
pub struct Book {
    banks: [PolicySet; BANKS],
    epoch: u16,
    /// The last that was begun, whether or not it came into force.
    begun: u16,
    size: u32,
}

impl Book {
    /// Policies in force in the first bank; `size` fit into each.
    pub fn new(policies: PolicySet, size: u32) -> Self {
        Self {
            banks: [policies, PolicySet::default()],
            epoch: FIRST_EPOCH,
            begun: FIRST_EPOCH,
            size,
        }
    }

    /// The policies in force.
    pub fn policies(&self) -> &PolicySet {
        self.bank(self.in_force())
    }

    /// The policies of a bank.
    pub fn bank(&self, bank: usize) -> &PolicySet {
        &self.banks[bank]
    }

    /// The bank in force.
    pub fn in_force(&self) -> usize {
        bank_of(self.epoch)
    }

    /// The bank that is not in force.
    pub fn spare(&self) -> usize {
        (self.in_force() + 1) % BANKS
    }

    /// The epoch in force.
    pub fn epoch(&self) -> u16 {
        self.epoch
    }

    /// The epoch that is being prepared.
    pub fn begun(&self) -> u16 {
        self.begun
    }

    /// A new epoch, which no entry knows: the spare bank's.
    pub fn begin(&mut self) {
        loop {
            self.begun = self.begun.wrapping_add(1);
            // 0 is nobody's.
            if self.begun != 0 && bank_of(self.begun) == self.spare() {
                return;
            }
        }
    }

    /// Writes policies into the bank that is not in force.
    pub fn prepare(&mut self, policies: PolicySet) {
        self.banks[self.spare()] = policies;
    }

    /// From now on the epoch that was begun is in force.
    pub fn turn(&mut self) {
        self.epoch = self.begun;
    }

    /// What says that a bank has this policy for a cgroup.
    pub fn assigned(&self, bank: usize, policy: u32) -> Assigned {
        let epoch = if bank == self.in_force() {
            self.epoch
        } else {
            self.begun
        };
        Assigned { policy, epoch }
    }

    /// The policy that a bank has for a cgroup.
    pub fn policy_of(&self, record: &GuardRecord, bank: usize) -> Option<u32> {
        let policy = if bank == self.in_force() {
            record.policy_in(self.epoch)
        } else if record.is_decided(self.begun) {
            record.policies[bank].policy
        } else {
            NO_POLICY
        };
        (policy != NO_POLICY).then_some(policy)
    }

    /// The record of a cgroup that has none yet.
    pub fn blank(&self) -> GuardRecord {
        let mut record = GuardRecord::NONE;
        record.policies[self.in_force()] = self.assigned(self.in_force(), NO_POLICY);
        record
    }

    /// The index in the policy map of a policy of a bank.
    pub fn index(&self, bank: usize, place: usize) -> Option<u32> {
        let place = u32::try_from(place)
            .ok()
            .filter(|place| *place < self.size)?;
        Some(u32::try_from(bank).ok()? * self.size + place)
    }

    /// The policy with this index in the policy map.
    pub fn policy(&self, index: u32) -> Option<&CompiledPolicy> {
        if index == NO_POLICY {
            return None;
        }
        let bank = self.banks.get((index / self.size) as usize)?;
        bank.policies.get((index % self.size) as usize)
    }

    /// The index in the policy map of the policy of a bank with this name.
    pub fn index_of_name(&self, bank: usize, name: &str) -> Option<u32> {
        let mut policies = self.banks[bank].policies.iter();
        self.index(bank, policies.position(|policy| policy.name == name)?)
    }

    /// The index in the policy map of the first policy of a bank that matches.
    pub fn index_of_path(&self, bank: usize, path: &str) -> Option<u32> {
        self.index(bank, self.banks[bank].policy_for(path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_that_is_begun_is_the_spare_banks_and_new() {
        let mut book = Book::new(PolicySet::default(), 8);
        let mut seen = vec![book.epoch()];
        for round in 0..20 {
            book.begin();
            assert_eq!(bank_of(book.begun()), book.spare());
            assert!(!seen.contains(&book.begun()));
            seen.push(book.begun());
            if round % 3 > 0 {
                book.turn();
            }
        }
        book.begun = u16::MAX - 1;
        book.begin();
        book.begin();
        assert_ne!(book.begun(), 0);
    }

    #[test]
    fn what_an_epoch_left_that_failed_is_not_believed() {
        let mut book = Book::new(PolicySet::default(), 8);
        book.begin();
        let mut record = book.blank();
        record.policies[1] = book.assigned(1, 9);
        assert_eq!(book.policy_of(&record, 1), Some(9));
        book.begin();
        assert_eq!(book.policy_of(&record, 1), None);
        assert_eq!(book.policy_of(&record, 0), None);
    }
}
