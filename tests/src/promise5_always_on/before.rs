//! What was there before enforcement is found and told; it stays as it is.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::attack::ioctl::{Family, change_flags};
use crate::attack::{IFF_PROMISC, Membership, index_of, packet};
use crate::rig::{Container, Standing, Trials, USUAL_POLICY, run};

pub fn add(trials: &mut Trials) {
    trials.alone("what_was_promiscuous_before_is_found_and_told", found);
}

fn found() -> Result<()> {
    let container = Container::guarded()?;
    // A flag, and a socket with a membership, while nothing is in force.
    let before = container.attempt_and_hold(|| {
        change_flags(Family::Inet, "lo", IFF_PROMISC, 0)?;
        packet::join(index_of("lo")?, Membership::Promiscuous)
    })?;
    before
        .result
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut standing = Standing::start(USUAL_POLICY)?;
    let agent = standing.agent()?;
    agent
        .wait_for_line("netadmin-agent: warning: from before, and left as it is: packet socket")?;
    let said = agent.stderr();
    let pid = before.process.pid;
    for words in [
        "processes that were in guarded cgroups before: 1\n".to_owned(),
        format!("that of process {pid}, is promiscuous (count 2, by flag)"),
        format!("of process {pid} has the membership PACKET_MR_PROMISC of device 1"),
    ] {
        ensure!(said.contains(&words), "{words:?} is not in {said}");
    }
    standing.end_agent(Signal::SIGTERM)?;
    are_events(&standing.found()?, pid.into())?;
    let (_, told) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(told.trim())?;
    let inventory = &status["set"]["inventory"];
    let right = inventory["processes"] == 1
        && inventory["devices"][0]["promiscuity"] == 2
        && inventory["memberships"][0]["pid"] == pid
        && inventory["unseen"].as_array().is_some_and(Vec::is_empty);
    ensure!(right, "{told}");
    let (_, table) = run(&["status"])?;
    ensure!(table.contains("is promiscuous"), "{table}");
    let (_, doctor) = run(&["doctor"])?;
    let line = doctor.lines().find(|line| line.contains("promiscuous"));
    let line = line.context("doctor says nothing")?;
    ensure!(
        line.starts_with("warn") && line.contains("device lo"),
        "{line}"
    );
    ensure!(
        container.device("lo")?.promiscuity == 2,
        "something was cleared"
    );
    // When it is gone, nothing is told.
    drop(before);
    container.set_up(|| change_flags(Family::Inet, "lo", 0, IFF_PROMISC))?;
    let (_, told) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(told.trim())?;
    let devices = status["set"]["inventory"]["devices"].as_array().cloned();
    ensure!(devices.is_some_and(|devices| devices.is_empty()), "{told}");
    Ok(())
}

/// The process, the device and the membership, each in a line.
fn are_events(found: &[serde_json::Value], pid: i64) -> Result<()> {
    let of_kind = |kind: &str| {
        let mut those = found.iter().filter(|event| event["found"]["kind"] == kind);
        let event = those
            .next()
            .with_context(|| format!("no {kind}: {found:#?}"))?;
        ensure!(those.next().is_none(), "more than one {kind}: {found:#?}");
        Ok(event)
    };
    ensure!(of_kind("processes")?["found"]["count"] == 1, "{found:#?}");
    let device = of_kind("device")?;
    let right = device["interface"]["name"] == "lo"
        && device["found"]["promiscuity"] == 2
        && device["found"]["by_flag"] == true;
    ensure!(right, "{device:#}");
    let membership = of_kind("membership")?;
    let right = membership["found"]["membership"] == "PACKET_MR_PROMISC"
        && membership["found"]["pid"] == pid
        && membership["netns"] == device["netns"];
    ensure!(right, "{membership:#}");
    Ok(())
}
