//! Counts what passed and what failed, from test runners' own summaries.

use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

/// How many passed, and how many failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests and checks that passed.
    pub passed: u64,
    /// Tests and checks that failed, or that could not be run.
    pub failed: u64,
}

impl Tally {
    /// One check.
    pub fn of(passed: bool) -> Self {
        let (passed, failed) = if passed { (1, 0) } else { (0, 1) };
        Self { passed, failed }
    }

    /// Reads `test result: ok. 3 passed; 0 failed; ...`, as libtest and
    /// libtest-mimic write it.
    pub fn from_line(line: &str) -> Option<Self> {
        let (_, counts) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let count = |what: &str| {
            let clause = counts
                .split(';')
                .find_map(|clause| clause.trim().strip_suffix(what));
            clause?.trim().parse().ok()
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
        })
    }

    /// A runner that failed although its summaries do not say so counts as one failure:
    /// it did not compile, it crashed, or the machine did.
    pub fn with_status(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_summary_is_read_whatever_its_outcome() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; \
            finished in 0.01s";
        assert_eq!(
            Tally::from_line(ok),
            Some(Tally {
                passed: 12,
                failed: 0
            })
        );
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(
            Tally::from_line(bad),
            Some(Tally {
                passed: 1,
                failed: 2
            })
        );
    }

    #[test]
    fn other_lines_are_no_summaries() {
        assert_eq!(Tally::from_line("test result_line_is_read ... ok"), None);
        assert_eq!(Tally::from_line("test result: ok."), None);
    }

    #[test]
    fn a_crash_without_a_summary_is_a_failure() {
        assert_eq!(Tally::default().with_status(false).failed, 1);
        assert_eq!(
            Tally {
                passed: 3,
                failed: 2
            }
            .with_status(false)
            .failed,
            2
        );
        assert_eq!(
            Tally {
                passed: 3,
                failed: 0
            }
            .with_status(true)
            .failed,
            0
        );
    }

    #[test]
    fn the_last_line_is_as_ci_expects_it() {
        assert_eq!(
            Tally {
                passed: 3,
                failed: 1
            }
            .to_string(),
            "3 passed, 1 failed"
        );
    }
}
