//! The agent as a service of systemd.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::manifest::Manifest;
use super::reboot::BROKEN;
use super::runtime::Neighbour;
use super::systemd::{POLICY, UNIT, journal, number, property, run, systemctl, write_policy};
use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::rig::{child, errno_of, poll};

/// Before the machine reboots.
pub const TESTS: &[(&str, super::Body)] = &[
    ("the_unit_is_confined", confined),
    ("the_unit_is_started_when_it_is_in_force", started),
    (
        "a_killed_service_comes_back_and_nobody_wins_meanwhile",
        killed,
    ),
    ("a_service_that_hangs_is_started_anew", hung),
    ("a_policy_that_breaks_is_refused", broken),
    ("a_policy_on_pieces_comes_into_force", pieces),
];

/// After it.
pub const TESTS_AFTER_REBOOT: &[(&str, super::Body)] = &[
    ("after_a_reboot_the_last_policy_in_force_is_again", again),
    (
        "after_a_reboot_it_is_in_force_before_containers_can_start",
        before_containers,
    ),
    (
        "after_a_reboot_a_neighbour_that_attacks_at_once_wins_nothing",
        guarded,
    ),
];

/// What `systemd-analyze security` may come to, in tenths: 0 is best, 100 worst. Of
/// these, 3 are for AF_INET: one control message is shown to the programs, which
/// `IPAddressDeny=any` keeps from going anywhere.
const EXPOSURE: &str = "21";

/// How long systemd may take to see and to act, under emulation.
const SOON: Duration = Duration::from_secs(60);

/// How long attackers attack.
const WHILE: Duration = Duration::from_secs(2);

/// Where the kubelet's cgroupfs driver puts a pod's container.
const POD: &str = "/kubepods/burstable/podneighbour/attacker";

fn confined() -> Result<()> {
    let analysis = ["security", "--no-pager", "--threshold", EXPOSURE, UNIT];
    run("/usr/bin/systemd-analyze", &analysis).map(drop)
}

fn started() -> Result<()> {
    let manifest = Manifest::read()?;
    write_policy(
        manifest
            .policy
            .get("policy.toml")
            .context("no policy.toml")?,
    )?;
    systemctl(&["enable", UNIT])?;
    // Type=notify: this returns when the agent has said that it is in force.
    let start = systemctl(&["start", UNIT]);
    start.with_context(|| journal(UNIT).unwrap_or_default())?;
    let said = journal(UNIT)?;
    ensure!(said.contains("netadmin-agent: in force"), "{said}");
    let status = property(UNIT, "StatusText")?;
    ensure!(status.starts_with("in force"), "its status is {status:?}");
    attacked(|| Ok(()))
}

/// An attacker that has been there all the while wins nothing.
fn attacked(meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
    let neighbour = Neighbour::start("neighbour", POD)?;
    neighbour.wait_until_it_runs()?;
    let outcome = meanwhile();
    sleep(WHILE);
    let score = neighbour.stop()?;
    println!("{score:?}");
    outcome?;
    ensure!(
        score.wins == 0 && score.tries > 0,
        "{score:?}\n{}",
        journal(UNIT)?
    );
    Ok(())
}

fn main_process() -> Result<Pid> {
    let pid = number(UNIT, "MainPID")?;
    Ok(Pid::from_raw(pid.try_into().context("a process id")?))
}

/// Waits until systemd has started it once more, and it is in force.
fn wait_for_restart(restarts: u64) -> Result<()> {
    let again = poll(SOON, || {
        let active = property(UNIT, "ActiveState").ok()? == "active";
        let counted = number(UNIT, "NRestarts").ok()? > restarts;
        (active && counted).then_some(())
    });
    again.with_context(|| format!("not started anew:\n{}", journal(UNIT).unwrap_or_default()))
}

fn killed() -> Result<()> {
    attacked(|| {
        let restarts = number(UNIT, "NRestarts")?;
        kill(main_process()?, Signal::SIGKILL).context("kill the agent")?;
        wait_for_restart(restarts)
    })
}

/// With less patience than the unit has.
fn hung() -> Result<()> {
    let directory = "/run/systemd/system/netadmin-agent.service.d";
    fs::create_dir_all(directory).context("make a directory")?;
    let patience = "[Service]\nWatchdogSec=5s\n";
    fs::write(format!("{directory}/patience.conf"), patience).context("write a drop-in")?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["restart", UNIT])?;
    attacked(|| {
        let restarts = number(UNIT, "NRestarts")?;
        // Longer than the patience: it is alive, and says so.
        sleep(Duration::from_secs(8));
        ensure!(
            number(UNIT, "NRestarts")? == restarts,
            "it was taken for dead"
        );
        kill(main_process()?, Signal::SIGSTOP).context("stop the agent")?;
        wait_for_restart(restarts)
    })?;
    fs::remove_dir_all(directory).context("remove a drop-in")?;
    systemctl(&["daemon-reload"]).map(drop)
}

fn broken() -> Result<()> {
    let good = fs::read_to_string(POLICY).context("read the policy")?;
    write_policy(BROKEN)?;
    let refused = poll(SOON, || {
        let said = journal(UNIT).ok()?;
        said.contains("stays in force").then_some(())
    });
    refused.context("the broken policy is not refused")?;
    attacked(|| write_policy(&good))
}

/// Puts one piece of the capability out of the reach of a control group.
const PIECES: &str = r#"
[[policy]]
name = "pieces"
match.cgroups = ["/pieces"]
[policy.net_admin]
default = "allow"
deny = ["link.alias"]
"#;

const PIECES_CGROUP: &str = "/sys/fs/cgroup/pieces";
/// linux/if_link.h.
const IFLA_IFALIAS: u16 = 20;

/// What is installed beside the unit for such policies.
const DROP_IN: &str = include_str!("../../../dist/net-admin.conf");

/// It gives the agent what it needs to tell the pieces apart.
fn pieces() -> Result<()> {
    let directory = "/run/systemd/system/netadmin-agent.service.d";
    fs::create_dir_all(directory).context("make a directory")?;
    fs::write(format!("{directory}/net-admin.conf"), DROP_IN).context("write a drop-in")?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["restart", UNIT])?;
    reloaded_to_pieces()?;
    fs::remove_dir_all(directory).context("remove a drop-in")?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["restart", UNIT]).map(drop)
}

fn reloaded_to_pieces() -> Result<()> {
    let good = fs::read_to_string(POLICY).context("read the policy")?;
    let reloads = || Some(journal(UNIT).ok()?.matches("policy reloaded").count());
    let before = reloads().context("read the journal")?;
    let wait = |count| {
        let reloaded = poll(SOON, || (reloads()? >= before + count).then_some(()));
        reloaded.with_context(|| format!("not reloaded:\n{}", journal(UNIT).unwrap_or_default()))
    };
    write_policy(&format!("{good}{PIECES}"))?;
    wait(1)?;
    let refused = alias_of_lo()?;
    write_policy(&good)?;
    wait(2)?;
    let passed = alias_of_lo()?;
    ensure!((refused, passed) == (libc::EPERM, 0), "{refused}, {passed}");
    fs::remove_dir(PIECES_CGROUP).context("remove a control group")
}

/// The errno of giving `lo` an alias, from the control group.
fn alias_of_lo() -> Result<i32> {
    let (errno, _child) = child::spawn(|| {
        fs::create_dir_all(PIECES_CGROUP).context("make a control group")?;
        let me = std::process::id().to_string();
        fs::write(format!("{PIECES_CGROUP}/cgroup.procs"), me).context("enter it")?;
        let message = link::change(RTM_SETLINK, Target::Name("lo"));
        Ok((
            errno_of(&link::request(message.text(IFLA_IFALIAS, "x"))),
            (),
        ))
    })?;
    Ok(errno)
}

fn again() -> Result<()> {
    ensure!(
        property(UNIT, "ActiveState")? == "active",
        "{}",
        journal(UNIT)?
    );
    let said = journal(UNIT)?;
    ensure!(said.contains("the last one in force"), "{said}");
    ensure!(said.contains("nosuchkey"), "the fault is not told:\n{said}");
    Ok(())
}

fn before_containers() -> Result<()> {
    let in_force = number(UNIT, "ActiveEnterTimestampMonotonic")?;
    let containers = number("containerd.service", "ExecMainStartTimestampMonotonic")?;
    ensure!(
        in_force > 0 && in_force < containers,
        "{in_force} and {containers}"
    );
    Ok(())
}

fn guarded() -> Result<()> {
    attacked(|| Ok(()))
}
