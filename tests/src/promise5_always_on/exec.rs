//! `netadmin-agent exec`: a command in a new cgroup, under a policy by its name.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{AgentRun, PROGRAM, Standing, Trials, new_directory, poll, run};

/// Matches no cgroup that there is: who is under it is so by its name.
const NAMED: &str = r#"version = 1
[[policy]]
name = "named"
match.cgroups = ["/netadmin-test/nowhere"]
[policy.promiscuous]
default = "deny"
"#;

const CANNOT_ENFORCE: i32 = 3;
const SOON: Duration = Duration::from_secs(20);

/// Says that it is there, waits until a file is, and attacks.
const ATTACK: &str = "unshare -n sh -c 'touch $0/there; until [ -e $0/go ]; do sleep 0.1; done; \
    ip link set lo promisc on'";

pub fn add(trials: &mut Trials) {
    trials.alone(
        "exec_guards_a_command_through_all_and_ends_as_it_does",
        ends_as_it_does,
    );
}

/// `exec` of a shell's words.
fn exec(words: &str) -> Result<(i32, String)> {
    run(&["exec", "--policy", "named", "--", "sh", "-c", words])
}

fn start(words: &str) -> Result<AgentRun> {
    let mut command = Command::new(PROGRAM);
    command.args(["exec", "--policy", "named", "--", "sh", "-c", words]);
    AgentRun::start_as(&new_directory()?, &mut command)
}

fn ends_as_it_does() -> Result<()> {
    let mut standing = Standing::start(NAMED)?;
    outlasts(&mut standing)?;
    let attack = "unshare -n ip link set lo promisc on";
    let unguarded = Command::new("sh").args(["-c", attack]).status()?;
    ensure!(unguarded.success(), "the attack is none: {unguarded}");
    for (words, expected) in [
        ("exit 7", 7),
        ("kill -KILL $$", 128 + 9),
        (attack, 2),
        // In the outer cgroup, whose entry `exec` itself has written.
        (
            "echo $$ > /sys/fs/cgroup$(dirname $(cut -d: -f3 /proc/self/cgroup))/cgroup.procs \
             || exit 9; unshare -n ip link set lo promisc on",
            2,
        ),
        // Whatever it leaves behind ends with it.
        (
            "mkdir -p /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/below; sleep 600 & exit 0",
            0,
        ),
    ] {
        let (status, said) = exec(words)?;
        ensure!(
            status == expected && !said.contains("warning"),
            "{words}: {status}: {said}"
        );
    }
    let (status, said) = run(&["exec", "--policy", "named", "--", "/nowhere"])?;
    ensure!(status == 127, "{status}: {said}");
    let (status, said) = run(&["exec", "--policy", "other", "--", "true"])?;
    ensure!(
        status == CANNOT_ENFORCE && said.contains("there are: named"),
        "{status}: {said}"
    );
    signals_are_handed_on()?;
    ensure!(left_behind()? == 0, "a cgroup is left");
    let events = standing.events()?;
    let told = |event: &crate::rig::Event| {
        let cgroup = event.process.cgroup.as_deref().unwrap_or_default();
        event.policy.as_deref() == Some("named") && cgroup.contains("/netadmin-exec-")
    };
    ensure!(!events.is_empty() && events.iter().all(told), "{events:#?}");
    standing.unload()?;
    let (status, said) = exec("true")?;
    ensure!(
        status == CANNOT_ENFORCE && said.contains("nothing is in force"),
        "{status}: {said}"
    );
    Ok(())
}

fn signals_are_handed_on() -> Result<()> {
    for (signal, status) in [(Signal::SIGTERM, 9), (Signal::SIGUSR1, 128 + 10)] {
        let mut run = start("trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")?;
        let ready = poll(SOON, || run.stdout().contains("ready").then_some(()));
        ready.context("the command did not start")?;
        run.signal(signal)?;
        let ended = run.wait()?;
        ensure!(ended == status, "{signal}: {ended}: {}", run.stderr());
    }
    Ok(())
}

/// Cgroups of `exec` that are there, below the rig's own.
fn left_behind() -> Result<usize> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .context("no cgroup")?;
    let entries = fs::read_dir(format!("/sys/fs/cgroup{own}"))?.flatten();
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    Ok(entries
        .map(name)
        .filter(|name| name.starts_with("netadmin-exec-"))
        .count())
}

/// A take-over, and a reload.
fn outlasts(standing: &mut Standing) -> Result<()> {
    let directory = new_directory()?;
    let words = ATTACK.replace("$0", directory.to_str().context("a path")?);
    let mut command = start(&words)?;
    let there = poll(SOON, || directory.join("there").exists().then_some(()));
    there.with_context(|| format!("the command did not start: {}", command.stderr()))?;
    standing.end_agent(Signal::SIGKILL)?;
    standing.start_agent()?;
    standing.write_policy(&NAMED.replace("nowhere", "nowhere-else"))?;
    let agent = standing.agent()?;
    agent.wait_for_line("netadmin-agent: policy reloaded")?;
    fs::write(directory.join("go"), "")?;
    let status = command.wait()?;
    ensure!(status == 2, "{status}: {}", command.stderr());
    // The agent writes it in its own time.
    let written = || standing.events().ok().filter(|events| !events.is_empty());
    let events = poll(SOON, written).unwrap_or_default();
    ensure!(events.len() == 1, "{events:#?}");
    fs::remove_dir_all(&directory)?;
    Ok(())
}
