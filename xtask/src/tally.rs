//! Counts what passed and what failed, and repeats at the end what failed.

mod runner;

use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

pub use runner::Runner;

/// How many passed, and how many failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests and checks that passed.
    pub passed: u64,
    /// Tests and checks that failed, or that could not be run.
    pub failed: u64,
    /// What was said of those that failed, a line each.
    pub failures: Vec<String>,
}

impl Tally {
    /// One check, and what to say if it failed.
    pub fn of(passed: bool, failure: &str) -> Self {
        let mut tally = Self::default();
        if passed {
            tally.passed = 1;
        } else {
            tally.fail(failure);
        }
        tally
    }

    /// One more failure.
    pub fn fail(&mut self, failure: impl Into<String>) {
        self.failed += 1;
        self.failures.push(failure.into());
    }

    /// Says where its failures were.
    pub fn within(mut self, place: &str) -> Self {
        for failure in &mut self.failures {
            *failure = format!("{place} | {failure}");
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.failed > 0 {
            writeln!(formatter, "what failed:")?;
        }
        for failure in &self.failures {
            writeln!(formatter, "    {failure}")?;
        }
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn the_end_repeats_what_failed_and_its_last_line_is_as_ci_expects_it() {
        let mut tally = Tally::of(false, "clippy").within("host");
        tally += Tally::of(true, "formatting");
        assert_eq!(
            tally.to_string(),
            "what failed:\n    host | clippy\n1 passed, 1 failed"
        );
        assert_eq!(Tally::of(true, "").to_string(), "1 passed, 0 failed");
    }
}
