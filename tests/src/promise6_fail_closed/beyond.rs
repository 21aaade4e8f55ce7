//! More cgroups than there is room for, of which none lies below a guarded one: they are
//! refused what any policy refuses, until there is room.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::flags::{PARENT, mark, path};
use crate::rig::metrics::Metrics;
use crate::rig::{Cgroup, Standing, poll, run};

const SOON: Duration = Duration::from_secs(60);
/// One more than there is room for.
const NEW: [&str; 5] = ["kept-3", "kept-4", "kept-5", "kept-6", "kept-7"];
/// There is room for one more without it.
const FIRST: &str = NEW[0];
const LAST: &str = NEW[4];
/// No policy matches them; the first lies near the last of [`NEW`].
const NEAR: &str = "near";
const APART: &str = "/netadmin-apart";

/// Two of six cgroups are guarded; `before` is one that no policy matches. The agent is
/// stopped while there are too many, so it is the programs that refuse.
pub fn refused_until_there_is_room(
    standing: &mut Standing,
    metrics: SocketAddr,
    before: &str,
) -> Result<()> {
    standing.agent()?.signal(Signal::SIGSTOP)?;
    for name in NEW {
        Cgroup::make(&path(name))?;
    }
    Cgroup::make(&path(NEAR))?;
    Cgroup::make(APART)?;
    let refused = (mark(&path(NEW[3]))?, mark(&path(LAST))?, mark(&path(NEAR))?);
    let free = (mark(&path(before))?, mark(APART)?);
    standing.agent()?.signal(Signal::SIGCONT)?;
    ensure!(
        refused == (libc::EPERM, libc::EPERM, libc::EPERM),
        "{refused:?}"
    );
    ensure!(free == (0, 0), "{free:?}");
    is_told(standing, metrics)?;
    Cgroup::make(&path(FIRST))?.remove()?;
    let agent = standing.agent()?;
    agent.wait_for_line("netadmin-agent: every guarded cgroup has found room")?;
    let now = (mark(&path(LAST))?, mark(&path(NEAR))?);
    ensure!(now == (libc::EPERM, 0), "{now:?}");
    ensure!(unentered()? == Some(0) && gauge(metrics)? == 0);
    for name in &NEW[1..] {
        Cgroup::make(&path(name))?.remove()?;
    }
    Cgroup::make(&path(NEAR))?.remove()?;
    Ok(Cgroup::make(APART)?.remove()?)
}

/// On standard error, by `status` and among the metrics, and in the events why.
fn is_told(standing: &mut Standing, metrics: SocketAddr) -> Result<()> {
    let told = poll(SOON, || (unentered().ok()? == Some(1)).then_some(()));
    told.with_context(|| format!("`status` says {:?}", unentered()))?;
    ensure!(gauge(metrics)? == 1, "no metric of it");
    let agent = standing.agent()?;
    let said = agent.stderr();
    let words = "at most 6 cgroups can be guarded at a time (--max-cgroups): until there is room";
    ensure!(said.contains(words), "{said}");
    let told = poll(SOON, || {
        let policies = standing
            .events()
            .ok()?
            .into_iter()
            .map(|event| event.policy);
        let limit = Some("(max-cgroups)".to_owned());
        (policies.filter(|policy| *policy == limit).count() >= 2).then_some(())
    });
    told.with_context(|| format!("below {PARENT}: {:?}", standing.events()))
}

fn unentered() -> Result<Option<u64>> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    Ok(status["set"]["agent"]["unentered"].as_u64())
}

fn gauge(metrics: SocketAddr) -> Result<u64> {
    Metrics::scrape(metrics)?.value("netadmin_agent_unentered_cgroups")
}
