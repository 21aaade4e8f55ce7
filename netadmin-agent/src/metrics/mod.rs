//! Metrics, in the text format of OpenMetrics, for Prometheus to collect.
//!
//! What the programs count ([`EventAccount`]) is exact, also of events that were
//! lost; what the agent counts is what it has told. The names are documented in
//! docs/METRICS.md; the words of the labels are those of the events.

mod endpoint;

use std::sync::atomic::Ordering;

use netadmin_common::LAYOUT_VERSION;
use netadmin_common::event::EventAccount;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::events::Event;
use crate::history::Reloads;
use crate::kernel::Limits;

pub use endpoint::{Endpoint, Reply};

/// What is counted, and how it is told.
pub struct Metrics {
    registry: Registry,
    told: Family<Told, Counter>,
    reloads: Family<Reload, Counter>,
    programs: [Counter; 5],
    lines_lost: Counter,
    use_of: [Gauge; 5],
}

/// What the agent looks up when it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The sum over all processors.
    pub account: EventAccount,
    /// What became of changed policies.
    pub reloads: &'a Reloads,
    /// Lines that could not be written.
    pub lines_lost: u64,
    /// In force.
    pub policies: usize,
    /// Guarded.
    pub cgroups: usize,
    /// That there was no room for.
    pub unentered: usize,
    /// How much fits.
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Told {
    event: String,
    policy: String,
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    outcome: String,
}

/// What the programs count: name, meaning, and where.
type Account = (&'static str, &'static str, fn(&EventAccount) -> u64);
const ACCOUNT: [Account; 5] = [
    ("breaches", "Breaches", |account| account.breaches),
    ("events_seen", "Events that there were", |account| {
        account.seen
    }),
    (
        "events_submitted",
        "Of these, handed to the agent",
        |account| account.submitted,
    ),
    (
        "events_suppressed",
        "Of these, left out: more than a datagram's bound",
        |account| account.suppressed,
    ),
    (
        "events_dropped",
        "Of these, lost: they came faster than they were written",
        |account| account.dropped,
    ),
];

/// What fits, and how much of it is used.
const USE: [(&str, &str); 5] = [
    ("policies", "Policies in force"),
    ("policies_limit", "Most policies that can be"),
    ("guarded_cgroups", "Guarded cgroups"),
    ("guarded_cgroups_limit", "Most cgroups that can be"),
    (
        "unentered_cgroups",
        "New cgroups without room, refused what any policy refuses",
    ),
];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("netadmin_agent");
        let about = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("layout", LAYOUT_VERSION.to_string()),
        ];
        registry.register("build", "The agent", Info::new(about.to_vec()));
        let (told, reloads) = (Family::default(), Family::default());
        registry.register("events_told", "Events that were written", told.clone());
        let meaning = "Changed policies, applied or refused";
        registry.register("policy_reloads", meaning, reloads.clone());
        let programs = ACCOUNT.map(|(name, meaning, _)| {
            let counter = Counter::default();
            registry.register(name, meaning, counter.clone());
            counter
        });
        let lines_lost = Counter::default();
        let meaning = "Events that could not be written";
        registry.register("events_lost", meaning, lines_lost.clone());
        let use_of = USE.map(|(name, meaning)| {
            let gauge = Gauge::default();
            registry.register(name, meaning, gauge.clone());
            gauge
        });
        Self {
            registry,
            told,
            reloads,
            programs,
            lines_lost,
            use_of,
        }
    }

    /// An event was written.
    pub fn told(&self, event: &Event<'_>) {
        let labels = Told {
            event: event.event.to_owned(),
            policy: event.policy.unwrap_or_default().to_owned(),
            operation: event.operation.clone().unwrap_or_default().into_owned(),
        };
        self.told.get_or_create(&labels).inc();
    }

    /// All of it, as text.
    pub fn text(&self, now: &Snapshot<'_>) -> String {
        for (counter, (_, _, count)) in self.programs.iter().zip(ACCOUNT) {
            set(counter, count(&now.account));
        }
        set(&self.lines_lost, now.lines_lost);
        let Reloads {
            applied, refused, ..
        } = now.reloads;
        for (outcome, count) in [("applied", applied), ("refused", refused)] {
            let outcome = outcome.to_owned();
            set(&self.reloads.get_or_create(&Reload { outcome }), *count);
        }
        let used = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let values = [
            used(now.policies),
            now.limits.policies.into(),
            used(now.cgroups),
            now.limits.cgroups.into(),
            used(now.unentered),
        ];
        for (gauge, value) in self.use_of.iter().zip(values) {
            gauge.set(value);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// For what is counted elsewhere.
fn set(counter: &Counter, value: u64) {
    counter.inner().store(value, Ordering::Relaxed);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
