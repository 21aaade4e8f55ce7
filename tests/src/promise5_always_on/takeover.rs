//! A new agent takes over from one before without a moment of none, and nothing
//! is reported twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{Attacker, Container, Standing, Trials, USUAL_POLICY, Way, poll};

/// Take-overs in the short test; see `cargo xtask soak` for many.
const TAKEOVERS: usize = 3;

/// Slow enough that no event is lost while no agent runs.
const PAUSE: Duration = Duration::from_millis(20);

pub fn add(trials: &mut Trials) {
    trials.alone("an_attacker_wins_nothing_while_agents_take_over", || {
        let mut standing = Standing::start(USUAL_POLICY)?;
        let attacker = Attacker::start(&Container::guarded()?, &Way::ALL, Duration::ZERO)?;
        take_over(&mut standing)?;
        let tally = attacker.stop();
        ensure!(tally.wins == 0 && tally.strange == 0, "{tally:?}");
        ensure!(tally.refused > 100, "hardly any attempts: {tally:?}");
        Ok(())
    });
    trials.alone("a_refusal_is_reported_once_while_agents_take_over", || {
        reported_once(USUAL_POLICY, "refused", &Way::ALL)
    });
    trials.alone(
        "a_would_be_refusal_is_reported_once_while_agents_take_over",
        || {
            let audit = USUAL_POLICY.replacen("name = ", "mode = \"audit\"\nname = ", 1);
            // What sets a flag has something to report the first time only.
            reported_once(&audit, "would_refuse", &[Way::Membership, Way::Mark])
        },
    );
}

fn take_over(standing: &mut Standing) -> Result<()> {
    for takeover in 0..TAKEOVERS {
        let signal = if takeover % 2 == 0 {
            Signal::SIGKILL
        } else {
            Signal::SIGTERM
        };
        standing.end_agent(signal)?;
        standing.start_agent()?;
    }
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
    poll(Duration::from_secs(10), || {
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
