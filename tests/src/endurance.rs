//! Endurance (promises 5 and 6): cgroups that come and go, reloads, restarts,
//! upgrades, a flood of refusals and attacks, all at once and for long. At the end
//! nobody has won, memory is flat, and the maps know only what there is.
//!
//! `cargo xtask soak --minutes N` runs it; otherwise it is left out.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::promise5_always_on::{OLDER, attack_in_new_cgroups, with_names_that_free};
use crate::rig::{
    Attacker, Cgroup, Container, PROGRAM, Standing, Tally, Trials, USUAL_POLICY, Way, maps_of,
    poll, resident, run,
};

/// `cargo xtask soak` sets it.
const MINUTES: &str = "NETADMIN_TEST_MINUTES";

/// Restarts in the first half of the time; in the second one agent has to last.
const RESTART_EVERY: u32 = 5;
/// Cgroups that the host makes and removes in one round.
const CHURN: usize = 100;
/// What an agent may hold more at the end than at half-time: it remembers the paths of
/// the last 4096 cgroups that went.
const GROWTH: u64 = 2048;

/// The test.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("endurance");
    let set = std::env::var(MINUTES).ok();
    if let Some(minutes) = set.and_then(|text| text.parse::<u64>().ok()) {
        let time = Duration::from_secs(60 * minutes);
        trials.alone("all_at_once_for_long", move || storm(time));
    }
    trials.finish()
}

struct Storm {
    standing: Standing,
    attackers: Vec<Attacker>,
    rounds: u32,
    restarts: u32,
}

fn storm(time: Duration) -> Result<()> {
    let mut storm = Storm::begin()?;
    let start = Instant::now();
    while start.elapsed() < time / 2 {
        storm.round()?;
        if storm.rounds.is_multiple_of(RESTART_EVERY) {
            storm.restart()?;
        }
    }
    // It has forgotten as many cgroups as it ever remembers.
    let mut before = storm.memory()?;
    let mut warm = false;
    while start.elapsed() < time {
        storm.round()?;
        if !warm && start.elapsed() > time * 3 / 4 {
            (before, warm) = (storm.memory()?, true);
        }
    }
    let after = storm.memory()?;
    let rounds = format!("{} rounds, {} restarts", storm.rounds, storm.restarts);
    let tally = storm.end()?;
    println!(
        "note: {rounds}, {} refused, {} wins; agent {} -> {} KiB, its maps {} -> {} KiB",
        tally.refused, tally.wins, before.0, after.0, before.1, after.1
    );
    ensure!(tally.wins == 0 && tally.strange == 0, "{tally:?}");
    ensure!(
        after.0 <= before.0 + GROWTH,
        "the agent grows: {before:?} {after:?}"
    );
    ensure!(
        after.1 <= before.1 + GROWTH,
        "the maps grow: {before:?} {after:?}"
    );
    Ok(())
}

impl Storm {
    fn begin() -> Result<Self> {
        let standing = Standing::start(&with_names_that_free(USUAL_POLICY))?;
        let flood = Attacker::start(&Container::guarded()?, &Way::ALL, Duration::ZERO)?;
        let own = File::open(Cgroup::make(Cgroup::GUARDED)?.directory())?;
        let births = Attacker::start_trying(&Container::guarded()?, move |count| {
            count(&attack_in_new_cgroups(&own));
        })?;
        Ok(Self {
            standing,
            attackers: vec![flood, births],
            rounds: 0,
            restarts: 0,
        })
    }

    /// A reload, good or bad, and cgroups that come and go.
    fn round(&mut self) -> Result<()> {
        self.rounds += 1;
        let policy = match self.rounds % 3 {
            0 => USUAL_POLICY.to_owned(),
            1 => USUAL_POLICY.replace("SO_MARK = \"deny\"", "SO_MARK = { allow = [42] }"),
            _ => USUAL_POLICY.replace("\"deny\"", "\"dney\""),
        };
        self.standing.write_policy(&with_names_that_free(&policy))?;
        self.standing.agent()?.signal(Signal::SIGHUP)?;
        for number in 0..CHURN {
            let below = if number % 2 == 0 { "guarded" } else { "free" };
            let path = format!("/netadmin-test/{below}/churn-{number}");
            let cgroup = Cgroup::make(&format!("{path}/below"))?;
            fs::remove_dir(cgroup.directory())?;
            Cgroup::make(&path)?.remove()?;
        }
        self.standing.forget_events()?;
        let tally = self.tally();
        ensure!(tally.wins == 0, "round {}: {tally:?}", self.rounds);
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.restarts += 1;
        println!("note: after {} rounds: {:?}", self.rounds, self.tally());
        let (signal, program) = match self.restarts % 3 {
            0 => (Signal::SIGTERM, OLDER),
            1 => (Signal::SIGKILL, PROGRAM),
            _ => (Signal::SIGTERM, PROGRAM),
        };
        self.standing
            .write_policy(&with_names_that_free(USUAL_POLICY))?;
        self.standing.end_agent(signal)?;
        self.standing.start_agent_of(program)
    }

    /// Kibibytes of the agent, and of its maps.
    fn memory(&mut self) -> Result<(u64, u64)> {
        let pid = self.standing.agent()?.pid();
        Ok((resident(pid)?, maps_of(pid)? / 1024))
    }

    fn tally(&self) -> Tally {
        self.attackers.iter().fold(Tally::default(), |sum, one| {
            let tally = one.tally();
            Tally {
                refused: sum.refused + tally.refused,
                wins: sum.wins + tally.wins,
                strange: sum.strange + tally.strange,
            }
        })
    }

    fn end(mut self) -> Result<Tally> {
        let tally = self.tally();
        while let Some(attacker) = self.attackers.pop() {
            let last = attacker.stop();
            ensure!(last.wins == 0, "at the end: {last:?}");
        }
        // What goes is told to the agent, which then forgets it.
        let dead = poll(Duration::from_secs(30), || {
            entries_of_what_is_gone()
                .is_ok_and(|dead| dead.is_empty())
                .then_some(())
        });
        ensure!(
            dead.is_some(),
            "dead entries: {:?}",
            entries_of_what_is_gone()?
        );
        let said = self.standing.agent()?.stderr();
        ensure!(!said.contains("BREACH"), "{said}");
        self.standing.unload()?;
        Ok(tally)
    }
}

impl Drop for Storm {
    /// The last one first: it has inherited what keeps the first alive.
    fn drop(&mut self) {
        while self.attackers.pop().is_some() {}
    }
}

/// Entries of the map of guarded cgroups whose cgroup is not there.
fn entries_of_what_is_gone() -> Result<Vec<String>> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    let cgroups = status["set"]["cgroups"].as_array().context("no cgroups")?;
    let is_gone = |cgroup: &&serde_json::Value| match cgroup["path"].as_str() {
        Some(path) => !Path::new("/sys/fs/cgroup").join(&path[1..]).exists(),
        None => true,
    };
    Ok(cgroups
        .iter()
        .filter(is_gone)
        .map(ToString::to_string)
        .collect())
}
