//! The demo: the article's attempts, unguarded and guarded, side by side.

mod attempt;
mod options;
mod outcome;
mod paint;
mod script;
mod table;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};

use crate::rig::{Agent, Cgroup, Container, USUAL_POLICY};
use attempt::Attempt;
use outcome::Outcome;
use table::{Row, Table};

pub use options::Options;

/// Shows everything, and tells whether it went as it should.
pub fn run(options: &Options) -> Result<bool> {
    Cgroup::make_usual().context("make the control groups")?;
    let attempts = script::attempts();
    let table = Table::new(options);
    say(&table.introduction(USUAL_POLICY))?;
    say(&format!(
        "Running {} commands unguarded ...\n",
        attempts.len()
    ))?;
    let free = Cgroup::make(Cgroup::FREE)?;
    let unguarded = all(&attempts, &free, None)?;
    let guarded = if options.without_agent {
        None
    } else {
        say("Starting the agent, and running them guarded ...\n")?;
        let agent = Agent::start(USUAL_POLICY).context("start the agent")?;
        let guarded = all(&attempts, &Cgroup::make(Cgroup::GUARDED)?, Some(&agent))?;
        agent.stop().context("stop the agent")?;
        Some(guarded)
    };
    let rows = rows(&attempts, unguarded, guarded);
    say(&table.render(&rows))?;
    Ok(rows.iter().all(Row::is_as_it_should_be))
}

fn all(attempts: &[Attempt], cgroup: &Cgroup, agent: Option<&Agent>) -> Result<Vec<Outcome>> {
    let run = |attempt: &Attempt| {
        let container = Container::within(cgroup)?;
        let outcome = attempt.run(&container, agent);
        outcome.with_context(|| format!("run `{}`", attempt.label))
    };
    attempts.iter().map(run).collect()
}

fn rows(attempts: &[Attempt], unguarded: Vec<Outcome>, guarded: Option<Vec<Outcome>>) -> Vec<Row> {
    let mut guarded = guarded.map(Vec::into_iter);
    let both = attempts.iter().zip(unguarded);
    both.map(|(attempt, unguarded)| Row {
        section: attempt.section,
        label: attempt.label,
        is_attack: attempt.is_attack,
        unguarded,
        guarded: guarded.as_mut().and_then(Iterator::next),
    })
    .collect()
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
