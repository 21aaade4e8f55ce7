//! `netadmin-agent doctor`: what this machine can enforce, and how to mend what
//! is missing. One line for each finding.

mod checks;
mod finding;
mod mounts;
mod root;

pub use finding::{Finding, State};
pub use root::Root;

use crate::exit::{CannotEnforce, Exit};
use std::path::Path;

use crate::cgroups::{Tree, mount_point};
use crate::inventory::Inventory;
use crate::kernel::probe_load;
use crate::output;

/// Prints what this machine can do. Succeeds if it can enforce.
pub fn doctor() -> anyhow::Result<Exit> {
    let mut findings = with_cgroup_ids(checks::all(&Root::of_this_machine()));
    findings.push(checks::program_load(Some(probe_load())));
    findings.push(checks::promiscuous(&Inventory::of_all()));
    output::print(&render(&findings))?;
    Ok(exit(&findings))
}

/// Whether this machine can enforce, as far as can be told without loading a
/// program. The error names what is missing, and the remedy.
pub fn require() -> Result<(), CannotEnforce> {
    let missing: Vec<_> = with_cgroup_ids(checks::required(&Root::of_this_machine()))
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

/// And whether a cgroup is found by its id, which no files of a machine can say.
fn with_cgroup_ids(mut findings: Vec<Finding>) -> Vec<Finding> {
    let found = find_by_id().map_err(|error| error.to_string());
    findings.push(checks::cgroup_ids(found));
    findings
}

/// Finds the root cgroup by its id.
fn find_by_id() -> anyhow::Result<()> {
    let tree = Tree::open(mount_point()?)?;
    tree.path(tree.id(Path::new("/"))?)?;
    Ok(())
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
