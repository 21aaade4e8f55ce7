//! `netadmin-agent doctor`: what this machine can enforce.

use crate::exit::Exit;

/// Says what this machine can enforce, and how to mend what is missing.
pub fn doctor() -> anyhow::Result<Exit> {
    Ok(Exit::CannotEnforce)
}
