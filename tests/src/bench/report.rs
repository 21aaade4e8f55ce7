//! What a run of the bench has found, as it is written to JSON.

use std::io;

use serde::{Deserialize, Serialize};

use super::clock::Unit;

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `uname -r`.
    pub kernel: String,
    /// What `cost` is in.
    pub unit: Unit,
    /// How often each figure was measured.
    pub rounds: usize,
    /// What was compared, in the order in which it was measured.
    pub configurations: Vec<Configured>,
    /// What this machine could not do.
    pub skipped: Vec<Skipped>,
    /// What the agent's process takes.
    pub agent: Option<AgentCost>,
}

/// The figures of one configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Configured {
    /// Its name.
    pub name: String,
    /// What it is, for a reader.
    pub what: String,
    /// One for each call.
    pub figures: Vec<Figure>,
}

/// What one call costs in one configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The call's name.
    pub call: String,
    /// The median of the rounds, all of the call.
    pub cost: f64,
    /// How far the rounds are apart, as a part of the median.
    pub spread: f64,
    /// How the call ended.
    pub outcome: Outcome,
}

/// How a call ended, each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed with this errno.
    Errno(i32),
}

/// A configuration that could not be had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// What went wrong.
    pub why: String,
}

/// What the agent's process takes, with the example policy and one guarded cgroup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentCost {
    /// From its start until it says that the policy is in force, in seconds.
    pub in_force: f64,
    /// Memory in use then, in KiB.
    pub resident: u64,
    /// The most it ever had, in KiB.
    pub peak: u64,
    /// Nanoseconds on the processor, in [`AgentCost::idle_seconds`] in which
    /// nothing happens.
    pub idle: u64,
    /// How long it was left alone, in seconds.
    pub idle_seconds: u64,
}

impl Outcome {
    /// The outcome of a call; an error that is not the kernel's is none.
    pub fn of(result: &io::Result<()>) -> io::Result<Self> {
        match result {
            Ok(()) => Ok(Self::Done),
            Err(error) => match error.raw_os_error() {
                Some(errno) => Ok(Self::Errno(errno)),
                None => Err(io::Error::other(error.to_string())),
            },
        }
    }
}

impl Report {
    /// The figure of a call in a configuration.
    pub fn figure(&self, configuration: &str, call: &str) -> Option<&Figure> {
        self.configuration(configuration)?.figure(call)
    }

    /// What a configuration adds to a call.
    pub fn added(&self, configuration: &str, call: &str) -> Option<f64> {
        let bare = self.figure(super::configurations::NOTHING, call)?.cost;
        Some(self.figure(configuration, call)?.cost - bare)
    }

    /// The configuration of this name.
    pub fn configuration(&self, name: &str) -> Option<&Configured> {
        self.configurations.iter().find(|found| found.name == name)
    }
}

impl Configured {
    /// The figure of a call.
    pub fn figure(&self, call: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.call == call)
    }
}
