//! What is compared.

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use super::calls::{self, Call};
use super::floor::{self, Floor};
use super::policies;
use super::report::{Configured, Figure};
use super::sample::{Cost, combine, measure};
use super::seccomp::Profile;
use super::{Bench, crowd};
use crate::rig::{Agent, Cgroup, Container, child};

/// Neither a filter nor a program: what the others are compared with.
pub const NOTHING: &str = "nothing";
/// The default seccomp profile.
pub const SECCOMP: &str = "seccomp-default";
/// The article's.
pub const INVERTED: &str = "seccomp-inverted";
/// Empty programs.
pub const FLOOR: &str = "floor";
/// The agent is there, and does not guard the caller.
pub const UNGUARDED: &str = "unguarded";
/// The kernel's own lines, and no rule that needs a value.
pub const LINES: &str = "guarded-lines";
/// The example policy.
pub const EXAMPLE: &str = "guarded";
/// A policy with a rule on a value.
pub const VALUES: &str = "guarded-values";
/// With an allow-list of operations.
pub const FEW: &str = "guarded-few";
/// As much as a policy can hold.
pub const LARGEST: &str = "guarded-largest";
/// Ten cgroups deep.
pub const DEEP: &str = "guarded-deep";
/// One of a thousand guarded cgroups.
pub const THOUSAND: &str = "guarded-1000";
/// One of twenty thousand.
pub const CROWD: &str = "guarded-20000";
/// Not one of twenty thousand.
pub const UNGUARDED_CROWD: &str = "unguarded-20000";

/// One level deep, where the policies of the bench apply.
const SHALLOW: &str = "/netadmin-test/bench";
/// Ten levels deep.
const DEEPEST: &str = "/netadmin-test/bench/3/4/5/6/7/8/9/10";

/// One way in which all calls are measured.
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What it is, for a reader.
    pub what: &'static str,
    around: Around,
    cgroup: &'static str,
    /// How many more cgroups are guarded.
    crowd: usize,
    /// The gate does without.
    pub is_long: bool,
}

/// What is in force meanwhile.
#[derive(Clone, Copy)]
enum Around {
    Nothing,
    Seccomp(Profile),
    Floor,
    Agent(fn() -> String),
}

const fn configuration(name: &'static str, what: &'static str, around: Around) -> Configuration {
    Configuration {
        name,
        what,
        around,
        cgroup: SHALLOW,
        crowd: 0,
        is_long: false,
    }
}

impl Configuration {
    const fn within(mut self, cgroup: &'static str) -> Self {
        self.cgroup = cgroup;
        self
    }

    const fn among(mut self, crowd: usize) -> Self {
        self.crowd = crowd;
        self
    }

    const fn long(mut self) -> Self {
        self.is_long = true;
        self
    }
}

/// All of them. The crowd only grows, so those among more come later.
pub const ALL: &[Configuration] = &[
    configuration(NOTHING, "no filter, no program", Around::Nothing),
    configuration(
        SECCOMP,
        "seccomp: the default profile of containers",
        Around::Seccomp(Profile::Default),
    )
    .long(),
    configuration(
        INVERTED,
        "seccomp: the article's inverted profile",
        Around::Seccomp(Profile::Inverted),
    )
    .long(),
    configuration(FLOOR, "empty programs on the same hooks", Around::Floor),
    configuration(
        UNGUARDED,
        "the agent is there, the caller is not guarded",
        Around::Agent(policies::example),
    )
    .within(Cgroup::FREE),
    configuration(
        LINES,
        "guarded: options by the kernel's own line",
        Around::Agent(policies::lines),
    ),
    configuration(
        EXAMPLE,
        "guarded: the example policy, cnf.toml",
        Around::Agent(policies::example),
    ),
    configuration(
        VALUES,
        "guarded: one exception, one allowed value each",
        Around::Agent(policies::values),
    ),
    configuration(
        FEW,
        "guarded: the same, and operations allowed by area",
        Around::Agent(policies::few),
    ),
    configuration(
        LARGEST,
        "guarded: an allow-list of 200 rules",
        Around::Agent(policies::largest),
    ),
    configuration(
        DEEP,
        "guarded: the example policy, ten cgroups deep",
        Around::Agent(policies::example),
    )
    .within(DEEPEST),
    configuration(
        THOUSAND,
        "guarded: one of 1000 cgroups",
        Around::Agent(policies::example),
    )
    .among(1000),
    configuration(
        CROWD,
        "guarded: one of 20000 cgroups",
        Around::Agent(policies::example),
    )
    .among(20_000)
    .long(),
    configuration(
        UNGUARDED_CROWD,
        "not guarded, 20000 others are",
        Around::Agent(policies::example),
    )
    .within(Cgroup::FREE)
    .among(20_000)
    .long(),
];

/// Makes every call, and forgets the figures.
pub fn warm_up(bench: &Bench) -> Result<()> {
    ALL[0].run(bench).map(drop).context("warm up")
}

impl Configuration {
    /// Measures every call.
    pub fn run(&self, bench: &Bench) -> Result<Configured> {
        crowd::grow_to(SHALLOW, self.crowd)?;
        let container = bench.network.sibling(&Cgroup::make(self.cgroup)?)?;
        let figures = match self.around {
            Around::Nothing => bench.measure(&container, None, calls::ORDINARY)?,
            Around::Seccomp(profile) => {
                bench.measure(&container, Some(profile), calls::ORDINARY)?
            }
            Around::Floor => {
                let floor = Floor::attach(&bench.floor)?;
                *bench.floor_programs.borrow_mut() = floor.names().clone();
                bench.measure(&container, None, calls::ORDINARY)?
            }
            Around::Agent(policy) => under_agent(bench, &container, &policy())?,
        };
        Ok(Configured {
            name: self.name.to_owned(),
            what: self.what.to_owned(),
            figures,
        })
    }
}

/// The agent decides nothing, so it is stopped while calls are measured: on the
/// one processor its work on an event would count as the caller's. It is the
/// child of a process of its own, for the same reason as the floor.
fn under_agent(bench: &Bench, container: &Container, policy: &str) -> Result<Vec<Figure>> {
    let ((), _holder) = child::spawn(|| {
        let agent = Agent::start(policy).context("start the agent")?;
        floor::check_against_agent(&bench.floor_programs.borrow())?;
        agent.signal(Signal::SIGSTOP)?;
        Ok(((), agent))
    })?;
    measure_with_refusals(bench, container)
}

fn measure_with_refusals(bench: &Bench, container: &Container) -> Result<Vec<Figure>> {
    let mut figures = bench.measure(container, None, calls::ORDINARY)?;
    figures.extend(bench.measure(container, None, calls::REFUSED)?);
    container
        .run(calls::fill_events)
        .context("fill the buffer of events")?;
    figures.extend(bench.measure(container, None, calls::UNTOLD)?);
    Ok(figures)
}

impl Bench {
    /// Measures calls in a container: each round in a process of its own.
    fn measure(
        &self,
        container: &Container,
        profile: Option<Profile>,
        calls: &[Call],
    ) -> Result<Vec<Figure>> {
        let rounds: Result<Vec<Vec<Option<Cost>>>> = (0..self.effort.rounds)
            .map(|_| self.round(container, profile, calls))
            .collect();
        let rounds = rounds?;
        let figure = |(place, call): (usize, &Call)| {
            let costs: Option<Vec<Cost>> =
                rounds.iter().map(|round| round[place].clone()).collect();
            combine(call.name, &costs?)
        };
        Ok(calls.iter().enumerate().filter_map(figure).collect())
    }

    /// What this machine cannot do is told, and left out.
    fn round(
        &self,
        container: &Container,
        profile: Option<Profile>,
        calls: &[Call],
    ) -> Result<Vec<Option<Cost>>> {
        container.run(|| {
            if let Some(profile) = profile {
                profile.enter().map_err(std::io::Error::other)?;
            }
            let costs = calls.iter().map(|call| {
                let cost = (call.prepare)().and_then(|mut prepared| {
                    measure(self.unit, self.effort, call.batch, &mut prepared)
                });
                cost.inspect_err(|error| eprintln!("bench: {}: not measured: {error}", call.name))
                    .ok()
            });
            Ok(costs.collect())
        })
    }
}
