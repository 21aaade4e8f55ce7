//! A new agent takes over from one before without a moment of none, and nothing
//! is reported twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use netadmin_common::LAYOUT_VERSION;
use nix::sys::signal::Signal;

use super::outlives::{none_is_left, programs};
use super::{attack_in_new_cgroups, with_names_that_free};
use crate::rig::{
    Attacker, Cgroup, Container, PROGRAM, Standing, Trials, USUAL_POLICY, Way, poll, run,
};

/// An agent of an earlier layout.
pub const OLDER: &str = "/bin/netadmin-agent-older";

/// Take-overs in the short test; `cargo xtask soak` sets how many in the long one.
const TAKEOVERS: usize = 3;
/// In the long test it tells how far it is, after so many.
const TOLD_EVERY: usize = 10;
const TAKEOVERS_SET: &str = "NETADMIN_TEST_TAKEOVERS";

/// One for each kind of program that answers.
const WAYS: [Way; 5] = [
    Way::Ioctl,
    Way::Netlink,
    Way::Membership,
    Way::Mark,
    Way::Sysctl,
];

/// Slow enough that no event is lost while no agent runs.
const PAUSE: Duration = Duration::from_millis(20);

pub fn add(trials: &mut Trials) {
    trials.alone(
        "an_attacker_wins_nothing_through_restarts_reloads_and_upgrades",
        attacked,
    );
    trials.alone("a_refusal_is_reported_once_while_agents_take_over", || {
        reported_once(USUAL_POLICY, "refused", &Way::ALL)
    });
    trials.alone(
        "a_refusal_is_told_or_counted_once_when_another_version_takes_over",
        reported_once_by_another_version,
    );
    trials.alone(
        "a_would_be_refusal_is_reported_once_while_agents_take_over",
        || {
            let audit = USUAL_POLICY.replacen("name = ", "mode = \"audit\"\nname = ", 1);
            // What sets a flag has something to report the first time only.
            reported_once(&audit, "would_refuse", &[Way::Membership, Way::Mark])
        },
    );
}

/// Each round is an agent's end and another's start, of another version or not, and a
/// policy in other words.
fn attacked() -> Result<()> {
    let set = std::env::var(TAKEOVERS_SET).ok();
    let rounds = set.and_then(|text| text.parse().ok()).unwrap_or(TAKEOVERS);
    let usual = with_names_that_free(USUAL_POLICY);
    let other = usual.replace("SO_MARK = \"deny\"", "SO_MARK = { allow = [42] }");
    let before = programs()?;
    let mut standing = Standing::start_program(OLDER, &usual)?;
    let own = File::open(Cgroup::make(Cgroup::GUARDED)?.directory())?;
    let births = Attacker::start_trying(&Container::guarded()?, move |count| {
        count(&attack_in_new_cgroups(&own));
    })?;
    let attacker = Attacker::start(&Container::guarded()?, &WAYS, Duration::ZERO)?;
    for round in 0..rounds {
        end(&mut standing, round)?;
        let is_older = round % 3 == 2;
        standing.start_agent_of(if is_older { OLDER } else { PROGRAM })?;
        let (layout, said) = layout_in_force()?;
        ensure!((layout < LAYOUT_VERSION) == is_older, "{said}");
        let policy = if round.is_multiple_of(2) {
            &other
        } else {
            &usual
        };
        standing.write_policy(policy)?;
        standing.agent()?.signal(Signal::SIGHUP)?;
        standing
            .agent()?
            .wait_for_line("netadmin-agent: policy reloaded")?;
        for tally in [attacker.tally(), births.tally()] {
            let lost = tally.wins == 0 && tally.strange == 0;
            ensure!(lost, "round {round}: {tally:?}");
        }
        if (round + 1) % TOLD_EVERY == 0 {
            // (A test's output is kept until it fails; this is for who waits for hours.)
            eprintln!(
                "note: {} of {rounds} rounds: {:?}",
                round + 1,
                attacker.tally()
            );
        }
    }
    // The last one first: it has inherited what keeps the first alive.
    for (tally, least) in [(attacker.stop(), 100), (births.stop(), 10)] {
        println!("note: {rounds} rounds: {tally:?}");
        ensure!(tally.wins == 0 && tally.strange == 0, "{tally:?}");
        ensure!(tally.refused > least, "hardly any attempts: {tally:?}");
    }
    standing.unload()?;
    none_is_left(&before)
}

fn layout_in_force() -> Result<(u32, String)> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    let layout = status["set"]["layout"].as_u64().context("no set")?;
    Ok((u32::try_from(layout)?, said))
}

fn end(standing: &mut Standing, round: usize) -> Result<()> {
    let signal = if round.is_multiple_of(2) {
        Signal::SIGKILL
    } else {
        Signal::SIGTERM
    };
    standing.end_agent(signal)?;
    Ok(())
}

fn take_over(standing: &mut Standing) -> Result<()> {
    for takeover in 0..TAKEOVERS {
        end(standing, takeover)?;
        standing.start_agent()?;
    }
    Ok(())
}

/// An agent of another layout cannot read the events that an earlier one has left: it
/// says how many. All others are told once, by one of both.
fn reported_once_by_another_version() -> Result<()> {
    let mut standing = Standing::start_program(OLDER, USUAL_POLICY)?;
    let attacker = Attacker::start(&Container::guarded()?, &Way::ALL, PAUSE)?;
    standing.end_agent(Signal::SIGTERM)?;
    standing.start_agent()?;
    let tally = attacker.stop();
    let attempts = tally.refused;
    ensure!(
        tally.wins == 0 && tally.strange == 0 && attempts > 20,
        "{tally:?}"
    );
    let mut count = || {
        let told = standing.events().ok()?.len() as u64;
        let said = standing.agent().ok()?.stderr();
        let lost = said
            .lines()
            .find(|line| line.contains("were not delivered"));
        let lost = lost.and_then(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        Some((told, lost.unwrap_or_default()))
    };
    let all = poll(Duration::from_secs(60), || {
        count().filter(|(told, lost)| told + lost >= attempts)
    });
    let (told, lost) = all.with_context(|| format!("{tally:?}, {:?}", count()))?;
    ensure!(
        told + lost == attempts,
        "{attempts} attempts: {told} told, {lost} lost"
    );
    ensure!(told > 0, "nothing was told");
    Ok(())
}

/// As many events as attempts, in order and from every way.
fn reported_once(policy: &str, word: &str, ways: &'static [Way]) -> Result<()> {
    let mut standing = Standing::start(policy)?;
    let attacker = Attacker::start(&Container::guarded()?, ways, PAUSE)?;
    take_over(&mut standing)?;
    let tally = attacker.stop();
    let attempts = tally.refused + tally.wins;
    ensure!(tally.strange == 0 && attempts > 20, "{tally:?}");
    let count = || {
        let events = standing.events().ok()?;
        // An agent that is killed between writing an event and giving it up leaves
        // it to the next one, which writes the same again.
        let told = events.iter().filter(|event| event.event == word);
        let told: BTreeSet<_> = told
            .map(|event| (&event.time, event.process.tid, &event.operation))
            .collect();
        Some(told.len() as u64)
    };
    poll(Duration::from_secs(60), || {
        (count()? >= attempts).then_some(())
    });
    let events = standing.events()?;
    let mut kinds = BTreeMap::new();
    for event in &events {
        let kind = (event.operation.as_deref(), event.policy.as_deref());
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let told = count();
    ensure!(
        told == Some(attempts),
        "{attempts} attempts, {told:?} events: {kinds:?}; {tally:?}"
    );
    let named = |event: &crate::rig::Event| event.policy.as_deref() == Some("cnf");
    ensure!(
        events.iter().all(named),
        "an event without its policy: {kinds:?}"
    );
    Ok(())
}
