//! What the agent may cost, and whether a report keeps to it.
//!
//! Limits are in units of the floor of the same call in the same run, unless
//! they say otherwise. A target that is not met yet is held where it stands
//! ([`HELD`]), so that nothing gets worse unnoticed.

use std::fmt;

use super::calls::name::*;
use super::configurations::{
    self, CROWD, DEEP, EXAMPLE, FEW, FLOOR, LARGEST, LINES, THOUSAND, UNGUARDED, UNGUARDED_CROWD,
    VALUES,
};
use super::report::{AgentCost, Outcome, Report};

/// One target, and what a run found.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What it is about.
    pub what: String,
    /// What was found; `None` if it was not measured.
    pub found: Option<f64>,
    /// The target.
    pub target: f64,
    /// What must hold today: the target, or where it is held meanwhile.
    pub limit: f64,
    /// The unit of these.
    pub unit: &'static str,
}

/// What a fork may differ by: it copies the memory of the bench itself.
const NOISE: f64 = 0.03;
/// How much more a call may cost among many than among few.
const GROWTH: f64 = 0.02;
/// Instructions that the event adds to a refusal.
const EVENT: f64 = 150.0;

const FLOORS: &str = "times the floor";
const INSTRUCTIONS: &str = "instructions";
const PERCENT: &str = "% of the call";

/// No hook is on their way.
const HOOKLESS: &[&str] = &[GETPPID, READ, WRITE, OPENAT];
/// A hook sees them, and no capability is asked for.
const FREE_OPTIONS: &[&str] = &[RCVBUF, PRIORITY_2];
const FREE_IOCTLS: &[&str] = &[FIONREAD, TIOCGWINSZ, GET_FLAGS];
/// A capability is asked for, then or at the socket's creation.
const PRIVILEGED: &[&str] = &[PRIORITY_9, MARK_7, MEMBERSHIP, SET_FLAGS];
const DUMPS: &[&str] = &[GET_LINK, GET_ROUTE];
const CHANGES: &[&str] = &[NEW_LINK, NEW_ROUTE];
const OURS: &[&str] = &[
    UNGUARDED, LINES, EXAMPLE, VALUES, FEW, LARGEST, DEEP, THOUSAND,
];

/// Targets that are not met yet: beginning of what they are about, and where
/// they are held.
const HELD: &[(&str, f64)] = &[
    // Whether the registers name the call takes three fields of the task, and a call
    // to get it: 47 instructions, where 28 would do.
    ("unguarded: setsockopt SO_PRIORITY=2", 1.3),
    ("guarded-lines: setsockopt SO_PRIORITY=2", 1.3),
    // The message and the devices are read field by field with a checked copy, some
    // eighty instructions each.
    ("guarded: RTM_NEWLINK", 11.3),
    // Two programs, each with its own lookups; the second alone, empty, is 4.6. Each
    // looks whose its entry is and for which epoch: 40 instructions; and before, whether
    // there can be one: 20, which spares whoever is not guarded 90 to 150.
    ("guarded-values: setsockopt SO_PRIORITY=2", 10.9),
    ("guarded-values: setsockopt SO_MARK=7", 7.95),
    // The clock, who the task is, and the ring buffer.
    ("guarded: the event", 205.0),
    // Where one cgroup's id shares its place in the hash with another's.
    ("from guarded to guarded-20000", 3.5),
    ("from unguarded to unguarded-20000", 3.5),
    // The verifier, which checks each program with all that it calls; 2.0 to 2.1 from run
    // to run.
    ("agent: in force", 2.3),
    // Between 7.4 and 11.4 MiB from run to run.
    ("agent: resident", 13_500.0),
];

impl Judged {
    /// Whether it keeps to what must hold today.
    pub fn holds(&self) -> bool {
        self.found.is_some_and(|found| found <= self.limit)
    }

    /// Whether the target itself is met.
    pub fn is_met(&self) -> bool {
        self.found.is_some_and(|found| found <= self.target)
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, unit, .. } = self;
        let Some(found) = self.found else {
            return write!(formatter, "{what}: not measured");
        };
        write!(
            formatter,
            "{what}: {found:.2} {unit}, at most {:.2}",
            self.limit
        )?;
        if self.limit > self.target {
            write!(formatter, " for now (target {:.2})", self.target)?;
        }
        if found > self.limit {
            write!(formatter, ": {:.2} too much", found - self.limit)?;
        }
        Ok(())
    }
}

/// All targets that the report has figures for, or ought to have.
pub fn judge(report: &Report) -> Vec<Judged> {
    let mut list = Judge {
        report,
        judged: Vec::new(),
    };
    for configuration in OURS {
        list.nothing(configuration);
    }
    list.floors(UNGUARDED, FREE_OPTIONS, 1.15);
    list.floors(LINES, FREE_OPTIONS, 1.15);
    for configuration in [UNGUARDED, LINES, EXAMPLE] {
        list.floors(configuration, FREE_IOCTLS, 1.15);
    }
    list.floors(UNGUARDED, PRIVILEGED, 1.9);
    list.floors(UNGUARDED, DUMPS, 1.55);
    list.floors(UNGUARDED, CHANGES, 2.3);
    list.floors(EXAMPLE, DUMPS, 2.0 * 1.55);
    list.floors(EXAMPLE, CHANGES, 2.0 * 2.3);
    list.floors(VALUES, &[PRIORITY_2, MARK_7], 6.5);
    // The program that sees values sees all options of a guarded socket.
    list.floors(EXAMPLE, FREE_OPTIONS, 6.5);
    list.messages(UNGUARDED, 2.3);
    list.messages(EXAMPLE, 2.0 * 2.3);
    list.event(DEBUG, DEBUG_UNTOLD);
    list.event(PROMISC, PROMISC_UNTOLD);
    list.growth(EXAMPLE, DEEP);
    list.growth(EXAMPLE, THOUSAND);
    list.growth(EXAMPLE, CROWD);
    list.growth(UNGUARDED, UNGUARDED_CROWD);
    list.growth(FEW, LARGEST);
    list.agent(report.agent.as_ref());
    list.judged
}

struct Judge<'a> {
    report: &'a Report,
    judged: Vec<Judged>,
}

impl Judge<'_> {
    fn add(&mut self, what: String, found: Option<f64>, target: f64, unit: &'static str) {
        let held = HELD.iter().find(|(about, _)| what.starts_with(about));
        self.judged.push(Judged {
            limit: held.map_or(target, |(_, limit)| limit.max(target)),
            what,
            found,
            target,
            unit,
        });
    }

    /// The gate leaves out what takes long.
    fn is_left_out(&self, configuration: &str) -> bool {
        let long = configurations::ALL
            .iter()
            .find(|one| one.name == configuration);
        long.is_some_and(|one| one.is_long) && self.report.configuration(configuration).is_none()
    }

    /// What has no hook costs nothing.
    fn nothing(&mut self, configuration: &str) {
        for call in HOOKLESS {
            let found = self.report.added(configuration, call).map(f64::abs);
            self.add(format!("{configuration}: {call}"), found, 0.0, INSTRUCTIONS);
        }
        // Ten cgroups deep a fork costs more without us: psi_task_switch goes up.
        let forks = [FORK, EXEC].into_iter().filter(|_| configuration != DEEP);
        for call in forks {
            let found = self.part_of_call(configuration, call);
            self.add(
                format!("{configuration}: {call}"),
                found,
                100.0 * NOISE,
                PERCENT,
            );
        }
    }

    fn part_of_call(&self, configuration: &str, call: &str) -> Option<f64> {
        let added = self.report.added(configuration, call)?;
        let all = self.report.figure(configurations::NOTHING, call)?.cost;
        Some(100.0 * added.max(0.0) / all)
    }

    /// Allowed calls, by what they cost over the floor.
    fn floors(&mut self, configuration: &str, calls: &[&str], limit: f64) {
        for call in calls {
            let found = self.in_floors(configuration, call);
            self.add(format!("{configuration}: {call}"), found, limit, FLOORS);
        }
    }

    /// A refused call says nothing about an allowed one.
    fn in_floors(&self, configuration: &str, call: &str) -> Option<f64> {
        let figure = self.report.figure(configuration, call)?;
        let floor = self.report.added(FLOOR, call)?;
        let is_figure = figure.outcome == Outcome::Done && floor > 0.0;
        is_figure.then_some(self.report.added(configuration, call)? / floor)
    }

    /// A datagram's cost grows by so much with each message.
    fn messages(&mut self, configuration: &str, limit: f64) {
        let growth = |configuration| {
            let many = self.report.added(configuration, ROUTES_30)?;
            Some(many - self.report.added(configuration, ROUTES_10)?)
        };
        let found = match (growth(configuration), growth(FLOOR)) {
            (Some(ours), Some(floor)) if floor > 0.0 => Some(ours / floor),
            _ => None,
        };
        let what = format!("{configuration}: each message of a datagram");
        self.add(what, found, limit, FLOORS);
    }

    /// The event of a refusal.
    fn event(&mut self, told: &str, untold: &str) {
        let found = match (
            self.report.figure(EXAMPLE, told),
            self.report.figure(EXAMPLE, untold),
        ) {
            (Some(told), Some(untold)) if told.outcome != Outcome::Done => {
                Some(told.cost - untold.cost)
            }
            _ => None,
        };
        let what = format!("{EXAMPLE}: the event of a refused {told}");
        self.add(what, found, EVENT, INSTRUCTIONS);
    }

    /// The same calls among more.
    fn growth(&mut self, few: &str, many: &str) {
        if self.is_left_out(many) {
            return;
        }
        let grown = |call: &&str| {
            let (few, many) = (
                self.report.figure(few, call)?,
                self.report.figure(many, call)?,
            );
            Some(100.0 * (many.cost - few.cost) / few.cost)
        };
        let calls = [FREE_OPTIONS, FREE_IOCTLS, PRIVILEGED, DUMPS, CHANGES].concat();
        let found: Option<Vec<_>> = calls.iter().map(grown).collect();
        let most = found.and_then(|list| list.into_iter().max_by(f64::total_cmp));
        let what = format!("from {few} to {many}, the call that grows most");
        self.add(what, most, 100.0 * GROWTH, PERCENT);
    }

    fn agent(&mut self, cost: Option<&AgentCost>) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "KiB and nanoseconds, far below 2^52"
        )]
        let figure = |take: fn(&AgentCost) -> u64| cost.map(|cost| take(cost) as f64);
        let in_force = cost.map(|cost| cost.in_force);
        self.add("agent: in force after".into(), in_force, 0.5, "s");
        let resident = figure(|cost| cost.resident);
        self.add(
            "agent: resident memory".into(),
            resident,
            10.0 * 1024.0,
            "KiB",
        );
        let peak = figure(|cost| cost.peak);
        self.add("agent: peak memory".into(), peak, 32.0 * 1024.0, "KiB");
        let idle = figure(|cost| cost.idle);
        self.add(
            "agent: on the processor when nothing happens".into(),
            idle,
            0.0,
            "ns",
        );
    }
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
