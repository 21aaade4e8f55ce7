//! `netadmin-agent exec`: runs a command in a new cgroup under a policy in force,
//! and ends as the command does.
//!
//! It needs no agent that runs: it writes to what is pinned. The command is in the
//! cgroup, and the cgroup guarded, before its first instruction.

mod command;
mod enclosure;

use crate::cli::ExecOptions;
use crate::exit::Exit;

use command::Ended;
use enclosure::Enclosure;

/// Exit codes of a command that was not started, as of `env` and shells.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Runs a command under a policy.
pub fn exec(options: &ExecOptions) -> anyhow::Result<Exit> {
    let enclosure = Enclosure::make(&options.policy)?;
    enclosure.wait_for_value_program();
    let ended = command::run(&enclosure.entrance()?, &options.command)?;
    enclosure.remove()?;
    Ok(Exit::OfCommand(match ended {
        Ended::With(code) => code,
        Ended::NotExecutable => NOT_EXECUTABLE,
        Ended::NotFound => NOT_FOUND,
    }))
}
