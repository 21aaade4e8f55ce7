//! Taking over from an earlier set of programs: who was made by whom, and where the
//! program that sees option values is attached.

use netadmin_common::Origin;

use super::attached::Attached;
use super::earlier::Earlier;
use super::guards::{GuardError, Guards};
use crate::kernel::{KernelError, Programs};

/// How often what the earlier set has seen is looked at, before a take-over is given up.
const MAX_ROUNDS: usize = 64;

impl Guards {
    /// Asks an earlier set of programs what was made by whom, until
    /// [`Self::let_go_of_earlier`].
    pub fn take_over_from(&mut self, earlier: Earlier, programs: &Programs) {
        self.earlier = Some(earlier);
        self.attached = Attached::of_earlier(programs);
    }

    /// Puts our value program where an earlier set has its own.
    pub fn take_over_value_links(&mut self, programs: &mut Programs) -> Result<(), KernelError> {
        self.attached.take_over(programs)
    }

    /// Looks again at what the earlier set has seen while ours was not yet complete, until
    /// there is nothing to correct: what is made meanwhile below a cgroup that ours has
    /// wrong is wrong, too.
    pub fn agree_with_earlier(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        let mut rounds = 0..MAX_ROUNDS;
        while self.correct_by_earlier(programs)? > 0 {
            rounds.next().ok_or(GuardError::Restless)?;
            programs.wait_for_running()?;
        }
        Ok(())
    }

    /// After this the earlier set may go.
    pub fn let_go_of_earlier(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        self.agree_with_earlier(programs)?;
        self.is_started = true;
        self.earlier = None;
        let unguarded = |id: &u64| self.record(*id).is_none();
        let idle: Vec<u64> = self
            .attached
            .cgroups()
            .into_iter()
            .filter(unguarded)
            .collect();
        for id in idle {
            self.attached.retire(id);
        }
        Ok(())
    }

    /// Returns how many were not as the earlier set has them.
    fn correct_by_earlier(&mut self, programs: &mut Programs) -> Result<usize, GuardError> {
        let Some(earlier) = &self.earlier else {
            return Ok(0);
        };
        let named = |id| Some((id, earlier.creators_policy(id)?));
        let made_by_guarded = earlier.cgroups().into_iter().filter_map(named);
        let wrong = |(id, name): (u64, String)| (!self.is_of_creator(id, &name)).then_some(id);
        let wrong: Vec<u64> = made_by_guarded.filter_map(wrong).collect();
        let mut corrected = 0;
        for id in wrong {
            let before = self.record(id);
            self.made(id, programs)?;
            corrected += usize::from(self.record(id) != before);
        }
        Ok(corrected)
    }

    /// Whether a cgroup has the policy of this name, if there is one, from its creator.
    fn is_of_creator(&self, id: u64, name: &str) -> bool {
        let policy = self.book.index_of_name(self.book.in_force(), name);
        self.record(id).is_some_and(|record| {
            record.origin == Origin::Creator as u32
                && policy.is_none_or(|policy| record.policy_in(self.book.epoch()) == policy)
        })
    }
}
