//! What a test runner says, line by line (libtest, and libtest-mimic like it).

use super::Tally;

/// So much of what one failed test said is repeated at the end.
const LINES_A_TEST: usize = 8;

/// Counts the tests of runners, and keeps what they said of those that failed.
#[derive(Debug, Default)]
pub struct Runner {
    tally: Tally,
    telling: bool,
    /// Lines that may still be kept of the test that is told of.
    left: usize,
    /// The test that was told of last, until a runner's summary.
    last: Option<String>,
}

impl Runner {
    /// Takes the next line.
    pub fn take(&mut self, line: &str) {
        if let Some((passed, failed)) = summary(line) {
            self.tally.passed += passed;
            self.tally.failed += failed;
            self.telling = false;
            self.last = None;
        } else if !self.telling
            && let Some(test) = told(line)
        {
            self.last = Some(test.to_owned());
        } else if line == "failures:" {
            // Said twice: before what each test said, and before a list of names.
            self.telling = !self.telling;
        } else if self.telling {
            self.keep(line);
        }
    }

    /// Whether a test passed or failed.
    pub fn has_counted(&self) -> bool {
        self.tally.passed + self.tally.failed > 0
    }

    /// All that was counted, of runners that ended well or did not: one that
    /// failed although it does not say so counts as one failure. It did not
    /// compile, it crashed, or the machine did.
    pub fn end(mut self, success: bool) -> Tally {
        if !success && self.tally.failed == 0 {
            self.tally.fail(match self.last {
                Some(test) => format!("the runner did not end; it told last of {test}"),
                None => "no test ran to its end, or the runner did not".to_owned(),
            });
        }
        self.tally
    }

    fn keep(&mut self, line: &str) {
        if line.starts_with("---- ") {
            self.left = LINES_A_TEST;
        }
        if self.left > 0 && !line.is_empty() {
            self.left -= 1;
            self.tally.failures.push(line.to_owned());
        }
    }
}

/// Reads the name in `test NAME ... ok`.
fn told(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?
        .split_once(" ... ")
        .map(|(name, _)| name.trim())
}

/// Reads `test result: ok. 3 passed; 0 failed; ...`.
fn summary(line: &str) -> Option<(u64, u64)> {
    let line = line.trim().strip_prefix("test result: ")?;
    let (_, counts) = line.split_once(". ")?;
    let count = |what: &str| {
        let clause = counts
            .split(';')
            .find_map(|clause| clause.trim().strip_suffix(what));
        clause?.trim().parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

#[cfg(test)]
mod tests {
    use super::{LINES_A_TEST, Runner, summary};

    #[test]
    fn a_summary_is_read_whatever_its_outcome() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; \
            finished in 0.01s";
        assert_eq!(summary(ok), Some((12, 0)));
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(summary(bad), Some((1, 2)));
    }

    #[test]
    fn other_lines_are_no_summaries() {
        assert_eq!(summary("test result_line_is_read ... ok"), None);
        assert_eq!(summary("test result: ok."), None);
    }

    #[test]
    fn what_a_failed_test_said_is_kept_and_nothing_else() {
        let said = "test b ... ok\n\nfailures:\n\n---- a ----\nno answer\n\n\nfailures:\n    a\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored\nlater\n";
        let mut runner = Runner::default();
        // Several runners, one after the other.
        for line in said.lines().chain(said.lines()) {
            runner.take(line);
        }
        let tally = runner.end(false);
        assert_eq!((tally.passed, tally.failed), (2, 2));
        let each = ["---- a ----", "no answer"];
        assert_eq!(tally.failures, [each, each].concat());
    }

    #[test]
    fn a_test_that_says_much_does_not_hide_the_next() {
        let mut runner = Runner::default();
        runner.take("failures:");
        runner.take("---- a ----");
        (0..100).for_each(|_| runner.take("more"));
        runner.take("---- b ----");
        let failures = runner.end(false).failures;
        assert_eq!(failures[LINES_A_TEST], "---- b ----");
    }

    #[test]
    fn a_runner_that_did_not_end_names_the_last_test() {
        let mut runner = Runner::default();
        runner.take("test a::b   ... note: begun");
        runner.take("more");
        let failures = runner.end(false).failures;
        assert!(failures[0].ends_with("told last of a::b"), "{failures:?}");
    }

    #[test]
    fn a_crash_without_a_summary_is_a_failure() {
        assert_eq!(Runner::default().end(false).failed, 1);
        let mut told = Runner::default();
        told.take("test result: FAILED. 3 passed; 2 failed; 0 ignored");
        assert_eq!(told.end(false).failed, 2);
        let mut fine = Runner::default();
        fine.take("test result: ok. 3 passed; 0 failed; 0 ignored");
        assert_eq!(fine.end(true).failed, 0);
    }
}
