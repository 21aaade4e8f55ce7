//! Telling events: one record, one line.

use std::collections::HashMap;

use netadmin_common::{EventKind, EventRecord};

use crate::breach;
use crate::cgroups::{Guards, Names};
use crate::events::{Clock, Context, Event, PolicyName, Sink, SinkError, Written, node_name};
use crate::output;

/// The policies of sets of programs before, by generation: their events may come
/// late.
pub type Former = HashMap<u32, Names>;

/// Tells events.
pub struct Teller {
    sink: Sink,
    node_name: String,
    seq: u64,
    generation: u32,
    former: Former,
}

impl Teller {
    /// For the events of this generation.
    pub fn new(sink: Sink, generation: u32) -> Self {
        Self {
            sink,
            node_name: node_name(),
            seq: 0,
            generation,
            former: Former::new(),
        }
    }

    /// And for those of earlier ones.
    pub fn remember(&mut self, former: Former) {
        self.former = former;
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
            policy: self.policy_of(record, guards),
            cgroup: cgroup.as_deref(),
            cleared,
        };
        let Some(event) = Event::new(kind, record, &context) else {
            return true;
        };
        let line = event.to_line();
        self.seq += 1;
        match self.sink.write(&line) {
            Written::Whole | Written::Lost(None) => true,
            Written::Lost(Some(error)) => {
                output::complain(&format!("netadmin-agent: error: {error}\n"));
                true
            }
            Written::Closed => false,
        }
    }

    /// The policy that an event's programs mean.
    fn policy_of<'a>(&'a self, record: &EventRecord, guards: &'a Guards) -> Option<PolicyName<'a>> {
        if record.generation == self.generation {
            let policy = guards.book().policy(record.policy);
            return policy.map(PolicyName::InForce);
        }
        let names = self.former.get(&record.generation)?;
        Some(PolicyName::Former(names.get(&record.policy)?))
    }
}
