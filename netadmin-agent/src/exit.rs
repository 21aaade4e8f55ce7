//! Exit codes, the same for every command.

use std::process::ExitCode;

use crate::policy::LoadError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well; also when nobody reads the output any more.
    Success,
    /// A negative answer: `check` found faults.
    Negative,
    /// The command line is wrong.
    Usage,
    /// This node cannot enforce what is asked.
    CannotEnforce,
    /// Something failed while running.
    Fault,
    /// The policy cannot be used (`EX_CONFIG`).
    BadConfiguration,
    /// As the command of `exec` did.
    OfCommand(u8),
}

/// What `--help` says of exit codes.
pub const HELP: &str = "\
Exit codes:
  0   success (a broken pipe on standard output is success)
  1   a negative answer: `check` found faults, `explain` a refusal
  2   wrong usage
  3   this node cannot enforce what is asked; see `netadmin-agent doctor`
  4   a fault while running
  78  the policy file cannot be used";

/// What `exec --help` says of exit codes.
pub const HELP_OF_EXEC: &str = "\
Exit codes:
  that of the command; 128 and its number for a signal that ended it
  126 the command cannot be executed
  127 there is no such command
  2   wrong usage
  3   nothing is in force on this node, or no policy of that name
  4   a fault while running";

/// The error of a node that cannot enforce what is asked. Anywhere in an error
/// chain, it makes the program end with [`Exit::CannotEnforce`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("this node cannot enforce the policy: {0}")]
pub struct CannotEnforce(pub String);

impl Exit {
    /// How the program ends after this error.
    pub fn after(error: &anyhow::Error) -> Self {
        // As a cause, or as the context of one.
        if error.is::<CannotEnforce>() || error.chain().any(|cause| cause.is::<CannotEnforce>()) {
            Self::CannotEnforce
        } else if error.chain().any(|cause| cause.is::<LoadError>()) {
            Self::BadConfiguration
        } else {
            Self::Fault
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Negative => 1,
            Exit::Usage => 2,
            Exit::CannotEnforce => 3,
            Exit::Fault => 4,
            Exit::BadConfiguration => 78,
            Exit::OfCommand(code) => code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_cause_decides_however_deep_it_is() {
        let deep = |error: anyhow::Error| Exit::after(&error.context("starting"));
        let empty = LoadError::Empty {
            path: "p".to_owned(),
        };
        let unable = Err::<(), _>(CannotEnforce("no BTF".to_owned())).context("loading");
        let context = anyhow::anyhow!("EINVAL").context(CannotEnforce("no BTF".to_owned()));
        assert_eq!(deep(context), Exit::CannotEnforce);
        assert_eq!(deep(empty.into()), Exit::BadConfiguration);
        assert_eq!(deep(unable.expect_err("an error")), Exit::CannotEnforce);
        assert_eq!(deep(anyhow::anyhow!("other")), Exit::Fault);
    }
}
