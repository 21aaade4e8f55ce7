//! The tripwire: what got past is seen, told and undone.
//!
//! The way past is the one that is known: a request that keeps `IFF_PROMISC`,
//! and loses the race against somebody outside who clears it. That it is silent
//! otherwise, the rig makes sure of in every test.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::VICTIM;
use super::addresses::prepared;
use crate::attack::ioctl::{Family, change_flags};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, Target, sysfs};
use crate::rig::metrics::{Metrics, free_address};
use crate::rig::{
    Agent, Cgroup, Container, DeviceState, Event, Trials, USUAL_POLICY, is_missing, make, poll,
};

const KILLED: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
on_breach = "kill"
"#;

/// The race is won within a few tries; this is the end of patience.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the agent may take to clear what should not be.
const CLEARED: Duration = Duration::from_secs(30);

pub fn add(trials: &mut Trials) {
    trials.alone(
        "a_keep_that_loses_the_race_is_a_breach_and_is_undone",
        breach_is_undone,
    );
    trials.alone("a_breach_kills_if_the_policy_says_so", breach_kills);
    trials.alone(
        "what_the_bonding_files_of_sysfs_raise_is_a_breach",
        bonding_files,
    );
}

/// One round of somebody outside who uses the device: the flag is set and
/// cleared. If a loser of the race raises it again, somebody else has to undo it.
fn set_and_clear() -> io::Result<()> {
    change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0)?;
    thread::sleep(Duration::from_millis(1));
    change_flags(Family::Inet, VICTIM, 0, IFF_PROMISC)?;
    thread::sleep(Duration::from_millis(5));
    let undone = poll(CLEARED, || match DeviceState::read(VICTIM) {
        Ok(state) => (!state.is_promiscuous()).then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    undone.unwrap_or_else(|| Err(io::Error::other("the device stays promiscuous")))
}

/// Keeps the flag over and over, in a thread that goes on while the process lives.
fn keep_on() -> io::Result<()> {
    thread::spawn(|| {
        loop {
            let keep = change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, IFF_PROMISC);
            if link::request(keep).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    Ok(())
}

fn breaches(agent: &Agent) -> Result<Vec<Event>> {
    let mut events = agent.events_written()?;
    events.retain(|event| event.event == "breach");
    Ok(events)
}

/// Rounds of the race until there is a breach.
fn race(agent: &Agent, container: &Container) -> Result<Event> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        container.set_up(|| (0..10).try_for_each(|_| set_and_clear()))?;
        if let Some(breach) = breaches(agent)?.into_iter().next() {
            return Ok(breach);
        }
    }
    anyhow::bail!("no keep lost the race within {LIMIT:?}")
}

fn check(breach: &Event, attacker: i32) -> Result<()> {
    let process = &breach.process;
    ensure!(process.pid == attacker, "{breach:#?}");
    ensure!(breach.is_from(Cgroup::GUARDED), "{breach:#?}");
    ensure!(breach.is_about(VICTIM), "{breach:#?}");
    ensure!(breach.policy.as_deref() == Some("cnf"), "{breach:#?}");
    ensure!(breach.kernel_thread == Some(false), "{breach:#?}");
    let counts = breach.promiscuity.as_ref();
    let rose = counts.is_some_and(|counts| (counts.before, counts.after) == (0, 1));
    ensure!(rose, "{breach:#?}");
    Ok(())
}

fn breach_is_undone() -> Result<()> {
    let address = free_address()?;
    let agent = Agent::start_with_metrics(USUAL_POLICY, address)?;
    let breaches = || Metrics::scrape(address)?.value("netadmin_agent_breaches_total");
    ensure!(breaches()? == 0, "a breach before there was one");
    let container = Container::guarded()?;
    container.set_up(|| make::dummy(VICTIM))?;
    let attacker = container.attempt_and_hold(keep_on)?;
    let breach = race(&agent, &container)?;
    check(&breach, attacker.process.pid)?;
    ensure!(breach.signal.is_none(), "{breach:#?}");
    ensure!(breach.cleared == Some(true), "{breach:#?}");
    let said = agent.stderr();
    ensure!(said.contains("BREACH"), "{said}");
    ensure!(breaches()? > 0, "no breach was counted");
    ensure!(agent.stop_after_breaches()? == 0);
    Ok(())
}

/// A promiscuous bond of somebody else's, with one port, and a device to join it.
const BOND: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add other0 type dummy && ip link set other0 master b0 \
    && ip link set b0 promisc on && ip link add victim0 type dummy";

/// The kernel asks no capability when these files are written
/// (`bonding_sysfs_store_option`), so nothing can refuse; what comes of it is told.
fn bonding_files() -> Result<()> {
    if is_missing("bond")? {
        println!("note: this kernel has no bonds");
        return Ok(());
    }
    let agent = Agent::start(USUAL_POLICY)?;
    let container = Container::guarded()?;
    container.set_up(prepared(BOND))?;
    let writes = [("slaves", "+victim0"), ("active_slave", VICTIM)];
    let count = || -> Result<usize> {
        agent.mark()?;
        Ok(breaches(&agent)?.len())
    };
    // In mode active-backup the new port gets what the bond has with the second write.
    for (file, text) in writes {
        container.run(|| sysfs::write("b0", &format!("bonding/{file}"), text))?;
    }
    ensure!(container.device(VICTIM)?.promiscuity == 1);
    ensure!(count()? == 1, "{:#?}", breaches(&agent)?);
    let breach = &breaches(&agent)?[0];
    ensure!(breach.is_about(VICTIM), "{breach:#?}");
    ensure!(breach.is_from(Cgroup::GUARDED), "{breach:#?}");
    ensure!(breach.cleared == Some(false), "{breach:#?}");
    ensure!(agent.stop_after_breaches()? == 0);
    Ok(())
}

fn breach_kills() -> Result<()> {
    let agent = Agent::start(KILLED)?;
    let container = Container::guarded()?;
    container.set_up(|| make::dummy(VICTIM))?;
    let attacker = container.attempt_and_hold(keep_on)?;
    let breach = race(&agent, &container)?;
    check(&breach, attacker.process.pid)?;
    ensure!(breach.signal.as_deref() == Some("SIGKILL"), "{breach:#?}");
    let status = attacker.process.wait().context("wait for the attacker")?;
    ensure!(status == Some(libc::SIGKILL), "it ended by {status:?}");
    ensure!(agent.stop_after_breaches()? == 0);
    Ok(())
}
