//! Putting changed policies into force, as a whole or not at all.

use super::agent::Agent;
use super::publish::{forget_globs, publish, publish_globs, publish_watched, turn};
use crate::cgroups::Guards;
use crate::output;
use crate::policy::{self, LoadError, PolicySet};

impl Agent {
    /// Reads the policy again, if its text is another one.
    pub(super) fn reload_if_changed(&mut self) {
        if self
            .watch
            .as_mut()
            .is_some_and(super::watch::PolicyWatch::has_changed)
        {
            self.reload();
        }
    }

    /// Reads the policy and puts it into force. If it cannot be used, what is in
    /// force stays.
    pub(super) fn reload(&mut self) {
        let Some(watch) = &self.watch else { return };
        let outcome = policy::load(watch.path())
            .map_err(anyhow::Error::from)
            .and_then(|loaded| {
                output::show_report(&loaded.warnings);
                self.apply(loaded.set)?;
                Ok(loaded.source)
            });
        match outcome {
            Ok(source) => {
                self.history.reloads.applied();
                output::complain("netadmin-agent: policy reloaded\n");
                self.announce();
                if let Some(kept) = self.kept.take() {
                    self.keep_policy(kept, &source);
                }
            }
            Err(error) => {
                self.history.reloads.refused(&in_one_line(&error));
                output::show_error(&error);
                output::complain(
                    "netadmin-agent: error: the changed policy is refused; \
                     the one before stays in force\n",
                );
            }
        }
        self.leave_history();
    }

    /// Writes the policies, and what they mean for each cgroup, beside those in
    /// force, and turns to them in one step.
    fn apply(&mut self, policies: PolicySet) -> anyhow::Result<()> {
        // Events may still speak of what was in the spare bank before.
        self.drain_events()?;
        let bank = self.guards.book().spare();
        forget_globs(bank, &mut self.programs)?;
        let epoch = self.guards.begin(&mut self.programs)?;
        publish(&policies, bank, &mut self.programs)?;
        publish_globs(&policies, epoch, &mut self.programs)?;
        let in_force = self.guards.book().policies();
        publish_watched(&[in_force, &policies], &mut self.programs)?;
        if let Err(error) = self.guards.prepare(policies, &mut self.programs) {
            self.guards.abandon(&mut self.programs)?;
            return Err(error.into());
        }
        // Who was born meanwhile.
        self.follow_cgroups(Guards::made_meanwhile)?;
        turn(epoch, &mut self.programs)?;
        self.guards.turn(&mut self.programs)?;
        self.tick_soon();
        forget_globs(self.guards.book().spare(), &mut self.programs)?;
        publish_watched(&[self.guards.book().policies()], &mut self.programs)
    }
}

/// An error with its causes; of a faulty policy, with the place of the first fault.
fn in_one_line(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(LoadError::Faulty(report)) => format!("{error}: {}", report.first()),
        _ => format!("{error:#}"),
    }
}
