//! The limits that flags set: what goes beyond them is refused with an error that names
//! the flag, and what is in force stays whole.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::beyond;
use crate::rig::metrics::{Metrics, free_address};
use crate::rig::{Cgroup, Container, Standing, Trials, Way, errno_of, poll, run};

const SOON: Duration = Duration::from_secs(60);
pub const PARENT: &str = "/netadmin-test/flags";
const FLAGS: &[&str] = &["--max-policies", "2", "--max-cgroups", "6"];
/// More than fit, and none below another.
const CROWD: usize = 8;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "what_exceeds_a_flag_s_limit_is_refused_by_its_name_and_what_is_in_force_stays",
        limits,
    );
}

/// Each matches the cgroups whose names begin with its own.
fn policies(names: &[&str]) -> String {
    names.iter().fold("version = 1\n".to_owned(), |text, name| {
        text + &format!(
            "[[policy]]\nname = \"{name}\"\nmatch.cgroups = [\"{PARENT}/{name}-*\"]\n\
             [policy.setsockopt]\nSO_MARK = \"deny\"\n"
        )
    })
}

/// Where a cgroup of this name lies.
pub fn path(name: &str) -> String {
    format!("{PARENT}/{name}")
}

fn limits() -> Result<()> {
    let crowd: Vec<String> = (0..CROWD).map(|place| format!("crowd-{place}")).collect();
    let mut all = vec!["kept-1", "kept-2", "new-1"];
    all.extend(crowd.iter().map(String::as_str));
    // The second comes when the map has been too full once.
    for name in all.iter().filter(|name| **name != "kept-2") {
        Cgroup::make(&path(name))?;
    }
    let excesses = [
        ("--max-policies", policies(&["kept", "new", "more"])),
        ("--max-cgroups", policies(&["kept", "crowd"])),
    ];
    let address = free_address()?;
    let listen = address.to_string();
    let flags = [FLAGS, &["--metrics", &listen]].concat();
    let mut standing = Standing::start_with(&policies(&["kept"]), &flags)?;
    for (flag, excess) in &excesses {
        let before = refused_reloads(address)?;
        refused_at_reload(&mut standing, flag, excess)?;
        ensure!(refused_reloads(address)? > before, "{flag} is not counted");
        stays(&path("kept-1"), &path("crowd-0"))?;
    }
    ensure!(mark(&path("kept-2"))? == libc::EPERM, "there is no room");
    beyond::refused_until_there_is_room(&mut standing, address, "crowd-0")?;
    standing.end_agent(Signal::SIGKILL)?;
    for (flag, excess) in &excesses {
        refused_at_start(&standing, flag, excess)?;
        stays(&path("kept-1"), &path("crowd-0"))?;
    }
    standing.unload()?;
    for name in all {
        Cgroup::make(&path(name))?.remove()?;
    }
    Ok(Cgroup::make(PARENT)?.remove()?)
}

/// `status` tells the last reload that was refused, and why.
fn refused_at_reload(standing: &mut Standing, flag: &str, excess: &str) -> Result<()> {
    standing.write_policy(excess)?;
    let agent = standing.agent()?;
    agent.signal(Signal::SIGHUP)?;
    let is_told = || run(&["status"]).is_ok_and(|(_, said)| said.contains(flag));
    let told = poll(SOON, || is_told().then_some(()));
    told.with_context(|| format!("{flag} is not told: {}", agent.stderr()))?;
    ensure!(agent.stderr().contains(flag), "{}", agent.stderr());
    Ok(())
}

fn refused_reloads(address: SocketAddr) -> Result<u64> {
    let series = "netadmin_agent_policy_reloads_total{outcome=\"refused\"}";
    Metrics::scrape(address)?.value(series)
}

fn refused_at_start(standing: &Standing, flag: &str, excess: &str) -> Result<()> {
    standing.write_policy(excess)?;
    let mut agent = standing.attempt(FLAGS)?;
    let status = agent.wait()?;
    let said = agent.stderr();
    ensure!(status != 0 && said.contains(flag), "{status}: {said}");
    Ok(())
}

fn stays(guarded: &str, free: &str) -> Result<()> {
    let errnos = (mark(guarded)?, mark(free)?);
    ensure!(errnos == (libc::EPERM, 0), "{errnos:?}");
    Ok(())
}

/// The errno of `SO_MARK` there.
pub fn mark(path: &str) -> Result<i32> {
    let container = Container::within(&Cgroup::make(path)?)?;
    Ok(errno_of(&container.attempt(|| Way::Mark.attempt())?))
}
