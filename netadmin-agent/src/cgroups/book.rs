//! The policies that the maps hold: those in force, and those that are about to be.

use netadmin_common::guard::{BANKS, NO_POLICY};

use crate::policy::{CompiledPolicy, PolicySet};

/// The policies of both banks, by their index in the policy map.
#[derive(Debug)]
pub struct Book {
    banks: [PolicySet; BANKS],
    in_force: usize,
    size: u32,
}

impl Book {
    /// Policies in force in the first bank; `size` fit into each.
    pub fn new(policies: PolicySet, size: u32) -> Self {
        Self {
            banks: [policies, PolicySet::default()],
            in_force: 0,
            size,
        }
    }

    /// The policies in force.
    pub fn policies(&self) -> &PolicySet {
        self.bank(self.in_force)
    }

    /// The policies of a bank.
    pub fn bank(&self, bank: usize) -> &PolicySet {
        &self.banks[bank]
    }

    /// The bank in force.
    pub fn in_force(&self) -> usize {
        self.in_force
    }

    /// The bank that is not in force.
    pub fn spare(&self) -> usize {
        (self.in_force + 1) % BANKS
    }

    /// Writes policies into the bank that is not in force.
    pub fn prepare(&mut self, policies: PolicySet) {
        self.banks[self.spare()] = policies;
    }

    /// From now on the other bank is in force.
    pub fn turn(&mut self) {
        self.in_force = self.spare();
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
