//! Where the agent may not, or cannot, do what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::policies::fails;
use crate::rig::{AgentRun, PROGRAM, Trials, USUAL_POLICY, new_directory};

const NOBODY: u32 = 65534;
const USAGE: i32 = 2;
const CANNOT_ENFORCE: i32 = 3;
const FAULT: i32 = 4;
const BAD_CONFIGURATION: i32 = 78;

pub fn add(trials: &mut Trials) {
    trials.alone("nobody_but_root_ends_the_agent_with_3", || {
        as_nobody(0o644, CANNOT_ENFORCE, &["root"])
    });
    trials.alone(
        "a_policy_that_may_not_be_read_ends_the_agent_with_78",
        || {
            as_nobody(
                0o600,
                BAD_CONFIGURATION,
                &["policy.toml", "Permission denied"],
            )
        },
    );
    trials.on_kernel_without_bpf_lsm("no_bpf_in_the_lsm_list_ends_the_agent_with_3", || {
        let policy = policy_in(&new_directory()?, 0o644)?;
        fails(&["--policy", &policy], CANNOT_ENFORCE, &["lsm", "bpf"])
    });
    trials.on_kernel_without_bpf_lsm("no_bpf_in_the_lsm_list_is_named_by_doctor", || {
        let mut doctor = AgentRun::start(&new_directory()?, &["doctor"])?;
        let status = doctor.wait()?;
        let said = doctor.stdout();
        ensure!(status == CANNOT_ENFORCE, "status {status}: {said}");
        let finding = said.lines().find(|line| line.contains("LSM list"));
        let names = |line: &str| line.contains("add lsm=") && line.contains(",bpf to");
        ensure!(finding.is_some_and(names), "no remedy: {said}");
        Ok(())
    });
    trials.alone("no_arguments_are_wrong_usage", || {
        fails(&[], USAGE, &["--policy"])
    });
    trials.alone("an_unknown_argument_is_wrong_usage", || {
        fails(&["--no-such-option"], USAGE, &["--no-such-option"])
    });
    trials.alone(
        "an_event_file_that_cannot_be_opened_ends_the_agent_with_4",
        || {
            let policy = policy_in(&new_directory()?, 0o644)?;
            let arguments = ["--policy", &policy, "--events", "/none/events"];
            fails(&arguments, FAULT, &["/none/events", "No such file"])
        },
    );
}

fn policy_in(directory: &Path, mode: u32) -> Result<String> {
    let path = directory.join("policy.toml");
    fs::write(&path, USUAL_POLICY)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Runs the agent as a user without rights.
fn as_nobody(mode: u32, expected: i32, words: &[&str]) -> Result<()> {
    let directory = new_directory()?;
    let policy = policy_in(&directory, mode)?;
    let mut command = Command::new(PROGRAM);
    command.args(["--policy", &policy]).uid(NOBODY).gid(NOBODY);
    let mut agent = AgentRun::start_as(&directory, &mut command)?;
    let status = agent.wait()?;
    let said = agent.stderr();
    ensure!(
        status == expected,
        "status {status}, not {expected}: {said}"
    );
    for word in words {
        ensure!(said.contains(word), "the message lacks {word:?}: {said}");
    }
    Ok(())
}
