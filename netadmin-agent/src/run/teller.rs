//! Telling events: one record, one line.

use std::collections::HashMap;

use netadmin_common::{EventKind, EventRecord};

use super::publish::STRICTEST;
use crate::breach;
use crate::cgroups::{Guards, Names};
use crate::events::{
    Clock, Context, Event, PolicyName, Sink, SinkError, Written, found_events, node_name,
};
use crate::inventory::Inventory;
use crate::kernel::Programs;
use crate::metrics::Metrics;
use crate::output;

/// The policies of sets of programs before, by generation: their events may come
/// late.
pub type Former = HashMap<u32, Names>;

/// Tells events.
pub struct Teller {
    sink: Sink,
    node_name: String,
    seq: u64,
    policies: Policies,
    metrics: Metrics,
}

impl Teller {
    /// For the events of these programs.
    pub fn new(sink: Sink, programs: &Programs) -> Self {
        Self {
            sink,
            node_name: node_name(),
            seq: 0,
            policies: Policies {
                generation: programs.generation(),
                strictest: programs.limits().strictest(),
                former: Former::new(),
            },
            metrics: Metrics::new(),
        }
    }

    /// And for those of earlier ones.
    pub fn remember(&mut self, former: Former) {
        self.policies.former = former;
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Lines that could not be written.
    pub fn lost(&self) -> u64 {
        self.sink.lost()
    }

    /// For log rotation.
    pub fn reopen(&mut self) -> Result<(), SinkError> {
        self.sink.reopen()
    }

    /// Writes one event. False when nobody reads any more.
    pub fn tell(
        &mut self,
        kind: EventKind,
        record: &EventRecord,
        guards: &Guards,
        clock: &Clock,
    ) -> bool {
        let cgroup = guards.path(record.cgroup);
        let cleared = kind == EventKind::Breach && breach::answer(record, cgroup.as_deref());
        let context = Context {
            seq: self.seq,
            node_name: &self.node_name,
            clock,
            policy: self.policies.of(record, guards),
            cgroup: cgroup.as_deref(),
            cleared,
        };
        let Some(event) = Event::new(kind, record, &context) else {
            return true;
        };
        self.seq += 1;
        write(&mut self.sink, &self.metrics, &event)
    }

    /// Writes what was there before.
    pub fn tell_found(&mut self, inventory: &Inventory, clock: &Clock) {
        let Self { seq, node_name, .. } = self;
        let next = |word| {
            *seq += 1;
            Event::blank(word, *seq - 1, clock.rfc3339_now(), node_name)
        };
        for event in found_events(inventory, next) {
            // That nobody reads is found out with the next one.
            let _open = write(&mut self.sink, &self.metrics, &event);
        }
    }
}

/// False when nobody reads any more.
fn write(sink: &mut Sink, metrics: &Metrics, event: &Event<'_>) -> bool {
    match sink.write(&event.to_line()) {
        Written::Whole => metrics.told(event),
        Written::Lost(None) => {}
        Written::Lost(Some(error)) => {
            output::complain(&format!("netadmin-agent: error: {error}\n"));
        }
        Written::Closed => return false,
    }
    true
}

/// The names of policies, now and before.
struct Policies {
    generation: u32,
    /// The index of [`STRICTEST`].
    strictest: u32,
    former: Former,
}

impl Policies {
    /// The policy that an event's programs mean.
    fn of<'a>(&'a self, record: &EventRecord, guards: &'a Guards) -> Option<PolicyName<'a>> {
        if record.generation == self.generation {
            if record.policy == self.strictest {
                return Some(PolicyName::Former(STRICTEST));
            }
            let policy = guards.book().policy(record.policy);
            return policy.map(PolicyName::InForce);
        }
        let names = self.former.get(&record.generation)?;
        Some(PolicyName::Former(names.get(&record.policy)?))
    }
}
