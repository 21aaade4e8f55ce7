//! Enforcement outlives the agent, until it is told to end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{
    AgentRun, Cgroup, Container, PINS, PROGRAM, Standing, Trials, USUAL_POLICY, new_directory,
    poll, run,
};

const CANNOT_ENFORCE: i32 = 3;
const FAULT: i32 = 4;
const SOON: Duration = Duration::from_secs(60);
/// Of an agent of which the kernel takes the memory.
const SMALL: &str = "/netadmin-small";

pub fn add(trials: &mut Trials) {
    trials.alone("enforcement_outlives_sigkill_until_unload", || {
        outlives(Signal::SIGKILL, 128 + 9, "")
    });
    trials.alone("enforcement_outlives_sigterm_which_says_so", || {
        outlives(Signal::SIGTERM, 0, "enforcement goes on")
    });
    trials.alone("enforcement_outlives_a_panic", || {
        // What a panic comes to (`panic = "abort"`).
        outlives(Signal::SIGABRT, 128 + 6, "")
    });
    trials.alone(
        "enforcement_outlives_an_agent_that_runs_out_of_memory",
        out_of_memory,
    );
    trials.alone("a_second_agent_refuses_to_start", second_agent);
    trials.alone("status_says_what_is_in_force_and_why", status);
    trials.alone("without_bpffs_the_agent_ends_with_3_and_the_remedy", || {
        // In a mount namespace of its own, where bpffs is not mounted.
        let script = format!("umount /sys/fs/bpf && exec {PROGRAM} \"$@\"");
        let policy = new_directory()?.join("policy.toml");
        fs::write(&policy, USUAL_POLICY)?;
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c", &script, "sh", "--policy"])
            .arg(&policy);
        let mut run = AgentRun::start_as(&new_directory()?, &mut command)?;
        let status = run.wait()?;
        let said = run.stderr();
        ensure!(status == CANNOT_ENFORCE, "status {status}: {said}");
        ensure!(said.contains("mount -t bpf bpf /sys/fs/bpf"), "{said}");
        Ok(())
    });
}

/// The kernel ends the agent because its cgroup may have no memory.
fn out_of_memory() -> Result<()> {
    let mut standing = Standing::start_in(&Cgroup::make(SMALL)?, USUAL_POLICY)?;
    fs::write(Cgroup::make(SMALL)?.directory().join("memory.max"), "0")?;
    let ended = standing.agent()?.wait()?;
    ensure!(ended == 128 + 9, "the agent ended with {ended}");
    let events = Cgroup::make(SMALL)?.directory().join("memory.events");
    let events = fs::read_to_string(events)?;
    ensure!(!events.contains("oom_kill 0"), "{events}");
    ensure!(
        Container::guarded()?.promisc_on_lo()? == libc::EPERM,
        "enforcement ended with the agent"
    );
    standing.start_agent()?;
    ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
    standing.unload()?;
    Cgroup::make(SMALL)?.remove()?;
    Standing::let_go_of_memory()
}

fn outlives(signal: Signal, status: i32, words: &str) -> Result<()> {
    let before = programs()?;
    let mut standing = Standing::start(USUAL_POLICY)?;
    ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
    let (ended, said) = standing.end_agent(signal)?;
    ensure!(ended == status && said.contains(words), "{ended}: {said}");
    ensure!(
        Container::guarded()?.promisc_on_lo()? == libc::EPERM,
        "enforcement ended with the agent"
    );
    standing.unload()?;
    ensure!(
        Container::guarded()?.promisc_on_lo()? == 0,
        "enforcement goes on after unload"
    );
    none_is_left(&before)
}

/// The kernel frees them a little later, and others that were there before.
pub(super) fn none_is_left(before: &BTreeSet<String>) -> Result<()> {
    let gone = poll(SOON, || programs().ok()?.is_subset(before).then_some(()));
    gone.with_context(|| format!("before: {before:?}, now: {:?}", programs()))
}

/// The ids of the programs of these kinds that the kernel has; none is used twice.
pub(super) fn programs() -> Result<BTreeSet<String>> {
    let said = Command::new("bpftool").args(["prog", "list"]).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let ours = |line: &&str| {
        [
            ": lsm ",
            ": tracing ",
            ": cgroup_sockopt ",
            ": cgroup_sysctl ",
        ]
        .iter()
        .any(|kind| line.contains(kind))
    };
    let id = |line: &str| Some(line.split_once(':')?.0.to_owned());
    Ok(said.lines().filter(ours).filter_map(id).collect())
}

fn status() -> Result<()> {
    let mut standing = Standing::start(USUAL_POLICY)?;
    Container::guarded()?.promisc_on_lo()?;
    standing.end_agent(Signal::SIGKILL)?;
    let (code, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    let set = &status["set"];
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let right = code == 0
        && status["enforced"] == true
        && status["agent_running"] == false
        && set["policies"]["cnf"].as_u64() >= Some(2)
        && set["limits"]["cgroups"]["most"] == 32768
        && set["kernel"].as_str() == Some(kernel.trim())
        && set["absent"].as_array().is_some()
        && set["agent"]["ethtool_as_one"] == false
        && set["events"]["seen"] == 1;
    ensure!(right, "{code}: {said}");
    let cgroups = set["cgroups"].as_array().cloned().unwrap_or_default();
    let guarded = |path| {
        cgroups
            .iter()
            .any(|cgroup| cgroup["path"] == path && cgroup["why"] == "matched")
    };
    ensure!(
        guarded("/netadmin-test/guarded") && guarded(Cgroup::GUARDED),
        "{said}"
    );
    let (code, table) = run(&["status"])?;
    ensure!(
        code == 0 && table.contains("not running") && table.contains("capable"),
        "{table}"
    );
    standing.unload()?;
    let (code, said) = run(&["status"])?;
    ensure!(
        code == 1 && said.contains("nothing is pinned"),
        "{code}: {said}"
    );
    Ok(())
}

fn second_agent() -> Result<()> {
    let mut standing = Standing::start(USUAL_POLICY)?;
    for (more, words) in [
        (&[][..], "another netadmin-agent is running"),
        (&["--ephemeral"], "another netadmin-agent is running"),
    ] {
        let mut second = standing.attempt(more)?;
        let status = second.wait()?;
        let said = second.stderr();
        ensure!(status == FAULT && said.contains(words), "{status}: {said}");
    }
    standing.end_agent(Signal::SIGTERM)?;
    let mut ephemeral = standing.attempt(&["--ephemeral"])?;
    let status = ephemeral.wait()?;
    let said = ephemeral.stderr();
    ensure!(
        status == FAULT && said.contains("netadmin-agent unload"),
        "{status}: {said}"
    );
    ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
    ensure!(Path::new(PINS).exists());
    Ok(())
}
