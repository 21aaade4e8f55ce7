//! What is checked on this machine: formatting, lints, unit and property tests.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use anyhow::Result;

use crate::build::{OBJECT_VARIABLE, cargo};
use crate::tally::{Runner, Tally};
use crate::{command, ebpf, progress};

/// rustfmt, on both workspaces.
pub fn formatting() -> Result<Tally> {
    let mut tally = check("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    let mut ebpf = cargo();
    ebpf.args(["fmt", "--check"])
        .current_dir(ebpf::crate_directory());
    tally += check("formatting of the eBPF crate", &mut ebpf)?;
    Ok(tally)
}

/// clippy, on both workspaces; every warning counts.
pub fn lints(object: &Path) -> Result<Tally> {
    let mut clippy = cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    let mut tally = check("clippy", clippy.env(OBJECT_VARIABLE, object))?;
    tally += check("clippy of the eBPF crate", &mut ebpf::clippy()?)?;
    Ok(tally)
}

/// `cargo test` for the whole workspace.
pub fn tests(object: &Path, filter: Option<&str>) -> Result<Tally> {
    progress::step("running the host tests");
    let mut test = cargo();
    // Without it, a failure in one crate would hide those in the next.
    test.args(["test", "--workspace", "--no-fail-fast"])
        .args(filter);
    let runner = Mutex::new(Runner::default());
    let success = command::watched(test.env(OBJECT_VARIABLE, object), |line| {
        progress::print_line(line.as_bytes());
        if let Ok(mut runner) = runner.lock() {
            runner.take(line);
        }
    })?;
    let runner = runner.into_inner().unwrap_or_default();
    Ok(runner.end(success).within("host"))
}

fn check(name: &str, command: &mut Command) -> Result<Tally> {
    progress::step(format!("checking {name}"));
    let passed = command::watched(command, |line| progress::print_line(line.as_bytes()))?;
    let failure = format!("{name}: `{}`", command::line(command));
    if !passed {
        progress::note(&format!("FAILED: {failure}"));
    }
    Ok(Tally::of(passed, &failure))
}
