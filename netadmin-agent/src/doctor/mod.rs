//! `netadmin-agent doctor`: what this machine can enforce, and how to mend what
//! is missing. One line for each finding.

mod checks;
mod finding;
mod mounts;
mod root;

pub use finding::{Finding, State};
pub use root::Root;

use crate::exit::Exit;
use crate::output;

/// Prints what this machine can do. Succeeds if it can enforce.
pub fn doctor() -> anyhow::Result<Exit> {
    let mut findings = checks::all(&Root::of_this_machine());
    findings.push(checks::program_load(probe_load()));
    output::print(&render(&findings))?;
    Ok(exit(&findings))
}

/// HOOK: asks the kernel to load a minimal BPF LSM program. `None` as long as
/// nobody asks; to be `Some(crate::kernel::probe_lsm_load())`.
fn probe_load() -> Option<Result<(), String>> {
    None
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
