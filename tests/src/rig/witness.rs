//! The witness: sees every rise of any device's promiscuity.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::agent::{AgentRun, new_directory};
use super::follow::{EventFile, Mark};
use super::{Event, poll};
use crate::attack::packet::{Membership, join};

const RISE_LIMIT: Duration = Duration::from_secs(30);

/// The device whose rises, made by the rig itself, mark the end of what came before.
const SENTINEL: &str = "lo";

/// A running `netadmin-agent witness`.
#[derive(Debug)]
pub struct Witness {
    run: AgentRun,
    rises: EventFile,
}

impl Witness {
    /// Starts it and waits until it watches.
    pub fn start() -> Result<Self> {
        let directory = new_directory()?;
        let mut run = AgentRun::start(&directory, &["witness"])?;
        run.wait_for_line("netadmin-agent: watching")?;
        let rises = EventFile::new(&directory.join("stdout"));
        Ok(Self { run, rises })
    }

    /// The place in the rises after all that happened so far.
    pub fn mark(&self) -> Result<Mark> {
        self.settle()?;
        Ok(self.rises.mark())
    }

    /// The rises since a mark, all that belong to what has happened.
    pub fn rises_since(&self, mark: Mark) -> Result<Vec<Event>> {
        self.settle()?;
        let mut rises = self.rises.since(mark)?;
        rises.retain(|rise| !is_ours(rise));
        Ok(rises)
    }

    /// Makes one more rise and waits for it: all earlier ones are then there.
    fn settle(&self) -> Result<()> {
        let before = self.rises.mark();
        let index = crate::attack::index_of(SENTINEL)?;
        drop(join(index, Membership::Promiscuous).context("make the sentinel's rise")?);
        let seen = poll(RISE_LIMIT, || match self.rises.since(before) {
            Ok(rises) => rises.iter().any(is_ours).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        seen.with_context(|| format!("no rise within {RISE_LIMIT:?}:\n{}", self.run.stderr()))?
    }
}

fn is_ours(rise: &Event) -> bool {
    u32::try_from(rise.process.pid) == Ok(std::process::id())
}
