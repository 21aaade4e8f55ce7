//! One event as JSON. The order of the fields is that of the documentation.

use std::borrow::Cow;

use netadmin_common::event::{VALUE_KNOWN, VALUE_NONE};
use netadmin_common::{EventKind, EventRecord, OperationKind, Rule, Via};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Serialize;

use super::clock::Clock;
use super::found::Found;
use crate::policy::CompiledPolicy;

/// Version of the event's shape. Raised when a field changes its meaning or
/// goes; new fields may come without.
pub const SCHEMA: u32 = 1;

/// What the agent knows that the programs do not.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The event's number, counted by the agent.
    pub seq: u64,
    /// The node, see [`node_name`].
    pub node_name: &'a str,
    /// The clocks.
    pub clock: &'a Clock,
    /// The policy that the programs went by, if it is known.
    pub policy: Option<PolicyName<'a>>,
    /// The path of the task's cgroup, if it is known.
    pub cgroup: Option<&'a str>,
    /// Whether the agent has taken back the flag that made a breach.
    pub cleared: bool,
}

/// A policy that an event names.
#[derive(Clone, Copy, Debug)]
pub enum PolicyName<'a> {
    /// One of this agent's.
    InForce(&'a CompiledPolicy),
    /// One of the agent's before, whose file may have been another.
    Former(&'a str),
}

impl<'a> PolicyName<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::InForce(policy) => &policy.name,
            Self::Former(name) => name,
        }
    }

    fn line(self, rule: Rule, operation: Option<OperationKind>) -> Option<usize> {
        match self {
            Self::InForce(policy) => policy.rule_line(rule, operation),
            Self::Former(_) => None,
        }
    }
}

/// An event, ready to be written.
#[derive(Clone, Debug, Serialize)]
pub struct Event<'a> {
    schema: u32,
    seq: u64,
    time: String,
    node_name: &'a str,
    /// The kind, in a word.
    pub event: &'static str,
    process: Option<Process<'a>>,
    /// The policy that applies.
    pub policy: Option<&'a str>,
    rule: Option<Name>,
    line: Option<usize>,
    /// What was asked for.
    pub operation: Option<Name>,
    via: Option<Name>,
    pub(super) interface: Option<Interface>,
    value: Option<i64>,
    value_known: Option<bool>,
    errno: Option<Name>,
    #[serde(flatten)]
    rise: Option<Rise>,
    #[serde(flatten)]
    breach: Option<Breach>,
    #[serde(flatten)]
    pub(super) found: Option<Found>,
}

type Name = Cow<'static, str>;

#[derive(Clone, Debug, Serialize)]
struct Process<'a> {
    pid: u32,
    tid: u32,
    comm: String,
    uid: u32,
    cgroup: Option<&'a str>,
    cgroup_id: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Interface {
    pub(super) index: Option<u32>,
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Rise {
    promiscuity: Promiscuity,
    kernel_thread: bool,
    netns: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Breach {
    signal: Option<Name>,
    cleared: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Promiscuity {
    before: u32,
    after: u32,
}

impl<'a> Event<'a> {
    /// Tells of a record. `None` for the kinds that are for the agent alone.
    pub fn new(kind: EventKind, record: &EventRecord, context: &Context<'a>) -> Option<Self> {
        let time = context.clock.rfc3339(record.time);
        let told = Self {
            process: Some(Process::new(record, context)),
            operation: name(
                record.operation,
                OperationKind::from_number,
                OperationKind::name,
            ),
            via: name(record.via, Via::from_number, Via::name),
            interface: Interface::new(record),
            value: (record.value_state == VALUE_KNOWN).then_some(record.value),
            value_known: (record.value_state != VALUE_NONE)
                .then_some(record.value_state == VALUE_KNOWN),
            ..Self::blank(word(kind)?, context.seq, time, context.node_name)
        };
        Some(match kind {
            EventKind::Rise => told.with_rise(record),
            EventKind::Breach => told
                .with_verdict(record, context.policy)
                .with_rise(record)
                .with_breach(record, context.cleared),
            _ => told.with_verdict(record, context.policy),
        })
    }

    /// One that says no more than what is always said.
    pub fn blank(event: &'static str, seq: u64, time: String, node_name: &'a str) -> Self {
        Self {
            schema: SCHEMA,
            seq,
            time,
            node_name,
            event,
            process: None,
            policy: None,
            rule: None,
            line: None,
            operation: None,
            via: None,
            interface: None,
            value: None,
            value_known: None,
            errno: None,
            rise: None,
            breach: None,
            found: None,
        }
    }

    /// The event as JSON, without a newline at its end or within.
    pub fn to_line(&self) -> String {
        // Serializing fails for maps with keys that are no strings, and for
        // errors of the writer; neither is here.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn with_rise(mut self, record: &EventRecord) -> Self {
        self.rise = Some(Rise {
            promiscuity: Promiscuity {
                before: record.promiscuity_before,
                after: record.promiscuity_after,
            },
            kernel_thread: record.kernel_thread != 0,
            netns: record.netns,
        });
        self
    }

    fn with_breach(mut self, record: &EventRecord, cleared: bool) -> Self {
        self.breach = Some(Breach {
            signal: signal(record.signal),
            cleared,
        });
        self
    }

    fn with_verdict(mut self, record: &EventRecord, policy: Option<PolicyName<'a>>) -> Self {
        let rule = Rule::from_number(record.rule);
        let operation = OperationKind::from_number(record.operation);
        self.policy = policy.map(PolicyName::name);
        self.rule = name(record.rule, Rule::from_number, Rule::name);
        self.line = policy
            .zip(rule)
            .and_then(|(policy, rule)| policy.line(rule, operation));
        self.errno = errno(record.errno);
        self
    }
}

impl<'a> Process<'a> {
    fn new(record: &EventRecord, context: &Context<'a>) -> Self {
        Self {
            pid: record.pid,
            tid: record.tid,
            comm: text(&record.comm),
            uid: record.uid,
            cgroup: context.cgroup,
            cgroup_id: record.cgroup,
        }
    }
}

impl Interface {
    /// A device that is yet to be made has a name and no index.
    fn new(record: &EventRecord) -> Option<Self> {
        let index = (record.ifindex != 0).then_some(record.ifindex);
        let name = Some(text(&record.ifname)).filter(|name| !name.is_empty());
        (index.is_some() || name.is_some()).then_some(Self { index, name })
    }
}

fn word(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Refused => Some("refused"),
        EventKind::WouldRefuse => Some("would_refuse"),
        EventKind::Allowed => Some("allowed"),
        EventKind::Rise => Some("rise"),
        EventKind::Breach => Some("breach"),
        EventKind::CgroupMade | EventKind::CgroupGone => None,
    }
}

/// The name of a number: none for 0, which means that there is nothing to name.
fn name<T>(
    number: u16,
    read: impl Fn(u16) -> Option<T>,
    name: impl Fn(T) -> &'static str,
) -> Option<Name> {
    match (number, read(number)) {
        (0, _) => None,
        (_, Some(known)) => Some(Cow::Borrowed(name(known))),
        (unknown, None) => Some(Cow::Owned(format!("unknown({unknown})"))),
    }
}

fn errno(number: u32) -> Option<Name> {
    let known = i32::try_from(number).map(Errno::from_raw);
    match known.unwrap_or(Errno::UnknownErrno) {
        _ if number == 0 => None,
        Errno::UnknownErrno => Some(Cow::Owned(format!("unknown({number})"))),
        errno => Some(Cow::Owned(format!("{errno:?}"))),
    }
}

fn signal(number: u32) -> Option<Name> {
    if number == 0 {
        return None;
    }
    let known = i32::try_from(number)
        .ok()
        .and_then(|number| Signal::try_from(number).ok());
    Some(known.map_or_else(
        || Cow::Owned(format!("unknown({number})")),
        |signal| Cow::Borrowed(signal.as_str()),
    ))
}

/// Zero-terminated bytes, which tasks and interfaces choose as they like.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// What to call this node: `NODE_NAME`, which a DaemonSet takes from
/// `spec.nodeName`, or else the host's name.
pub fn node_name() -> String {
    let given = std::env::var("NODE_NAME")
        .ok()
        .filter(|name| !name.is_empty());
    given
        .or_else(|| nix::unistd::gethostname().ok()?.into_string().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
