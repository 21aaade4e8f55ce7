//! `netadmin-agent doctor`: what this machine can enforce, and how to mend what
//! is missing. One line for each finding.

mod checks;
mod finding;
mod mounts;
mod root;

pub use finding::{Finding, State};
pub use root::Root;

use crate::exit::{CannotEnforce, Exit};
use crate::kernel::probe_lsm_load;
use crate::output;

/// Prints what this machine can do. Succeeds if it can enforce.
pub fn doctor() -> anyhow::Result<Exit> {
    let mut findings = checks::all(&Root::of_this_machine());
    findings.push(checks::program_load(probe_load()));
    output::print(&render(&findings))?;
    Ok(exit(&findings))
}

/// Whether this machine can enforce, as far as can be told without loading a
/// program. The error names what is missing, and the remedy.
pub fn require() -> Result<(), CannotEnforce> {
    let findings = checks::all(&Root::of_this_machine());
    let missing: Vec<_> = findings
        .iter()
        .filter(|finding| finding.state == State::Fail)
        .map(ToString::to_string)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CannotEnforce(missing.join("; ")))
    }
}

/// Asks the kernel to load one of our LSM programs.
fn probe_load() -> Option<Result<(), String>> {
    Some(probe_lsm_load())
}

fn exit(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.state == State::Fail) {
        Exit::CannotEnforce
    } else {
        Exit::Success
    }
}

fn render(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
