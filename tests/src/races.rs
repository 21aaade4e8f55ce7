//! Races (promises 1 and 2): the word that decides is rewritten while the call is
//! under way. The guard wins each; one that judges its first read, put in its
//! place, loses to the same attacker.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use netadmin_bypass::race::Score;
use nix::mount::{MsFlags, mount};

use crate::attack::process::shell;
use crate::promise3_net_admin::ethtool;
use crate::rig::{AgentRun, Cgroup, Container, Trials, USUAL_POLICY, new_directory};

/// Lets through 12, and not 13: the value is judged where the kernel's copy is.
const MARK_POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_MARK = { deny = [13, 42] }
"#;

/// How many calls: enough for a guard that can lose to lose very often.
const FLIPS: u64 = 100_000;
const STALLS: u64 = 500;
/// The same of a call that takes long.
const LONG_FLIPS: u64 = 20_000;
/// `cargo xtask soak` sets it: how many times as many.
const MULTIPLIER: &str = "NETADMIN_TEST_RACE_MULTIPLIER";

/// The naive guard has lost long before: in the worst runs seen, after 20 000.
const NAIVE_TRIES: u64 = 400_000;

struct Race {
    target: &'static str,
    technique: &'static str,
    policy: &'static str,
    tries: u64,
}

const RACES: [Race; 7] = [
    Race {
        target: "SIOCSIFFLAGS",
        technique: "flip",
        policy: USUAL_POLICY,
        tries: FLIPS,
    },
    Race {
        target: "SIOCSIFFLAGS",
        technique: "stall",
        policy: USUAL_POLICY,
        tries: STALLS,
    },
    Race {
        target: "PACKET_ADD_MEMBERSHIP",
        technique: "flip",
        policy: USUAL_POLICY,
        tries: FLIPS,
    },
    Race {
        target: "PACKET_ADD_MEMBERSHIP",
        technique: "stall",
        policy: USUAL_POLICY,
        tries: STALLS,
    },
    Race {
        target: "SO_PRIORITY",
        technique: "flip",
        policy: USUAL_POLICY,
        tries: FLIPS,
    },
    Race {
        target: "SO_MARK",
        technique: "flip",
        policy: MARK_POLICY,
        tries: FLIPS,
    },
    Race {
        target: "SIOCETHTOOL",
        technique: "flip",
        policy: ethtool::OTHERS,
        tries: LONG_FLIPS,
    },
];

/// All races.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("races");
    for race in RACES {
        let name = format!("{}_by_{}", race.target, race.technique).to_lowercase();
        let Race {
            target,
            technique,
            policy,
            tries,
        } = race;
        trials.alone(&format!("{name}_beats_a_naive_guard"), move || {
            beats_a_naive_guard(target, technique)
        });
        trials.alone(&format!("{name}_is_never_won"), move || {
            is_never_won(target, technique, policy, tries)
        });
    }
    trials.finish()
}

/// The kernel lets itself be preempted everywhere, and whoever may race may
/// hold it up.
fn make_it_hard() -> Result<()> {
    const DEBUG: &str = "/sys/kernel/debug";
    const PREEMPT: &str = "/sys/kernel/debug/sched/preempt";
    if fs::metadata(PREEMPT).is_err() {
        let none = None::<&str>;
        mount(
            Some("debugfs"),
            DEBUG,
            Some("debugfs"),
            MsFlags::empty(),
            none,
        )
        .context("mount debugfs")?;
    }
    fs::write(PREEMPT, "full").context("make the kernel preemptible")?;
    fs::write("/proc/sys/vm/unprivileged_userfaultfd", "1").context("allow userfaultfd")
}

fn race(container: &Container, words: &str) -> Result<Score> {
    let ran = container.run(|| shell(&format!("netadmin-bypass race --json {words}")))?;
    serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:#?}"))
}

fn beats_a_naive_guard(target: &str, technique: &str) -> Result<()> {
    make_it_hard()?;
    let cgroup = Cgroup::make(Cgroup::GUARDED)?;
    let directory = new_directory()?;
    let mut guard = Command::new("/bin/netadmin-naive-guard");
    guard.arg(cgroup.id()?.to_string());
    let mut guard = AgentRun::start_as(&directory, &mut guard)?;
    guard.wait_for_line("netadmin-naive-guard: in force")?;
    let container = Container::within(&cgroup)?.with_all_capabilities();
    let words = format!("--tries {NAIVE_TRIES} --until-won --technique {technique} {target}");
    let score = race(&container, &words)?;
    println!("note: {score:?}");
    ensure!(score.won > 0, "the naive guard wins: {score:?}");
    Ok(())
}

fn is_never_won(target: &str, technique: &str, policy: &str, tries: u64) -> Result<()> {
    make_it_hard()?;
    Cgroup::make_usual()?;
    let directory = new_directory()?;
    let file = directory.join("policy.toml");
    fs::write(&file, policy).context("write a policy")?;
    let file = file.to_str().context("a path")?;
    // Each refusal is reported; so many lines are of no use to anybody.
    let mut agent = AgentRun::start(
        &directory,
        &["--ephemeral", "--policy", file, "--events", "/dev/null"],
    )?;
    agent.wait_for_line("netadmin-agent: in force")?;
    let container = Container::guarded()?.with_all_capabilities();
    for round in 1..=multiplier() {
        let words = format!("--tries {tries} --technique {technique} {target}");
        let score = race(&container, &words)?;
        println!("note: round {round}: {score:?}");
        is_without_a_win(&score, technique, tries)?;
    }
    Ok(())
}

fn is_without_a_win(score: &Score, technique: &str, tries: u64) -> Result<()> {
    ensure!(score.won == 0, "the guard lost: {score:?}");
    ensure!(score.tries >= tries, "not all was tried: {score:?}");
    // Both words came up, or nothing was decided.
    ensure!(score.refused > 0, "nothing was refused: {score:?}");
    ensure!(
        technique == "stall" || score.passed > 0,
        "nothing passed: {score:?}"
    );
    Ok(())
}

fn multiplier() -> u64 {
    let set = std::env::var(MULTIPLIER).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(1)
}
