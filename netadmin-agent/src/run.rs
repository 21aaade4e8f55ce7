//! Enforcing a policy, and watching for rises.

use anyhow::bail;

use crate::cli::RunOptions;
use crate::exit::Exit;

/// Enforces the policy until it is told to stop.
pub fn run(options: &RunOptions) -> anyhow::Result<Exit> {
    crate::policy::load(&options.policy)?;
    bail!("enforcement is not built in yet")
}

/// Prints each rise of any device's promiscuity.
pub fn witness() -> anyhow::Result<Exit> {
    bail!("the witness is not built in yet")
}
