//! Races: what a guard reads first is not what the kernel then uses.
//!
//! Each attacker makes the same call again and again, while somebody else
//! rewrites the word that decides. A guard that judges the first read of user
//! memory loses; one that judges the kernel's own copy cannot.

mod arena;
mod flip;
mod stall;
mod target;

use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use target::Target;

/// How the word is rewritten in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    /// A thread on each processor, woken by a timer, rewrites it over and over.
    Flip,
    /// The kernel's copy is held up at a page that is not there (userfaultfd),
    /// until the word on the next page has been rewritten.
    Stall,
}

impl Technique {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Stall => "stall",
        }
    }
}

/// How long and how hard to try.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many calls, at least.
    pub tries: u64,
    /// End with the first win.
    pub until_won: bool,
}

/// What came of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// It was refused.
    Refused,
    /// It passed with the harmless word.
    Passed,
    /// It passed with the other one.
    Won,
}

/// What came of all calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// What was raced on.
    pub target: String,
    /// How.
    pub technique: String,
    /// By so many threads.
    pub threads: usize,
    /// Calls made.
    pub tries: u64,
    /// How often the word was rewritten.
    pub rewrites: u64,
    /// Calls refused.
    pub refused: u64,
    /// Calls that passed with the harmless word.
    pub passed: u64,
    /// Calls that did what is refused.
    pub won: u64,
    /// How long it took.
    pub milliseconds: u64,
}

impl Score {
    fn count(&mut self, outcome: Try) {
        self.tries += 1;
        match outcome {
            Try::Refused => self.refused += 1,
            Try::Passed => self.passed += 1,
            Try::Won => self.won += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.tries += other.tries;
        self.refused += other.refused;
        self.passed += other.passed;
        self.won += other.won;
    }
}

/// Races on one target with one technique.
pub fn run(target: Target, technique: Technique, limits: Limits) -> io::Result<Score> {
    let began = Instant::now();
    let mut score = match technique {
        Technique::Flip => flip::run(target, limits)?,
        Technique::Stall => stall::run(target, limits)?,
    };
    let whole: Duration = began.elapsed();
    score.milliseconds = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    score.target = target.name().to_owned();
    score.technique = technique.name().to_owned();
    Ok(score)
}
