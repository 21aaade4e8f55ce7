//! What the agent and the witness tell of one stretch of time.

use anyhow::{Result, ensure};

use super::follow::Mark;
use super::{Agent, Event, Stage, Witness};

/// A stretch of time, from its beginning to when it is asked.
#[derive(Debug)]
pub struct Watch<'a> {
    agent: Option<(&'a Agent, Mark)>,
    witness: Option<(&'a Witness, Mark)>,
}

impl<'a> Watch<'a> {
    /// Begins now.
    pub fn begin(stage: &Stage<'a>) -> Result<Self> {
        let agent = match stage.agent_if_any() {
            Some(agent) => Some((agent, agent.mark()?)),
            None => None,
        };
        let witness = match stage.witness_if_any() {
            Some(witness) => Some((witness, witness.mark()?)),
            None => None,
        };
        Ok(Self { agent, witness })
    }

    /// The agent's events; none without an agent.
    pub fn events(&self) -> Result<Vec<Event>> {
        let Some((agent, mark)) = self.agent else {
            return Ok(Vec::new());
        };
        agent.events_since(mark)
    }

    /// Fails if the agent has reported anything.
    pub fn saw_no_event(&self) -> Result<()> {
        let events = self.events()?;
        ensure!(events.is_empty(), "the agent reported {events:#?}");
        Ok(())
    }

    /// The rises that the witness saw; none without a witness.
    pub fn rises(&self) -> Result<Vec<Event>> {
        let Some((witness, mark)) = self.witness else {
            return Ok(Vec::new());
        };
        witness.rises_since(mark)
    }

    /// Fails if the witness saw any rise.
    pub fn saw_no_rise(&self) -> Result<()> {
        let rises = self.rises()?;
        ensure!(rises.is_empty(), "the witness saw {rises:#?}");
        Ok(())
    }

    /// Fails if the witness, where there is one, saw no rise of this device.
    pub fn saw_rise_of(&self, device: &str) -> Result<()> {
        if self.witness.is_none() {
            return Ok(());
        }
        let rises = self.rises()?;
        let seen = rises.iter().any(|rise| rise.is_about(device));
        ensure!(seen, "the witness saw no rise of {device}, only {rises:#?}");
        Ok(())
    }
}
