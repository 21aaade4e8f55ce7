//! The agent's events, as a reader of its JSON lines sees them.

use serde::Deserialize;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Version of the shape.
    pub schema: u32,
    /// Grows by one with each line.
    pub seq: u64,
    /// RFC 3339.
    pub time: String,
    /// The machine.
    pub node_name: String,
    /// `refused`, `would_refuse`, `allowed`, `breach` or `rise`.
    pub event: String,
    /// Who.
    pub process: Process,
    /// The policy's name.
    pub policy: Option<String>,
    /// The rule, as a dotted key of the policy.
    pub rule: Option<String>,
    /// The rule's line in the policy file.
    pub line: Option<u32>,
    /// What.
    pub operation: Option<String>,
    /// On which way.
    pub via: Option<String>,
    /// On which device.
    pub interface: Option<Interface>,
    /// The option's value.
    pub value: Option<i64>,
    /// Whether `value` is what the kernel would have used.
    pub value_known: Option<bool>,
    /// The errno's name.
    pub errno: Option<String>,
    /// Of a rise: the counts.
    pub promiscuity: Option<Promiscuity>,
    /// Of a rise: whether a kernel thread did it.
    pub kernel_thread: Option<bool>,
    /// Of a breach: the signal that the process got.
    #[serde(default)]
    pub signal: Option<String>,
    /// Of a breach: whether the agent has cleared the flag.
    #[serde(default)]
    pub cleared: Option<bool>,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Process id in the initial namespace.
    pub pid: i32,
    /// Thread id.
    pub tid: i32,
    /// The thread's name.
    pub comm: String,
    /// Real user id.
    pub uid: u32,
    /// Path of the control group.
    pub cgroup: Option<String>,
    /// Its id.
    pub cgroup_id: u64,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Interface {
    /// `ifindex`; 0 if the device does not exist yet.
    pub index: Option<u32>,
    /// Its name.
    pub name: Option<String>,
}

/// How many wanted the device promiscuous.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Promiscuity {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
}

impl Event {
    /// Whether it was made in this control group.
    pub fn is_from(&self, cgroup: &str) -> bool {
        self.process.cgroup.as_deref() == Some(cgroup)
    }

    /// Whether it is about a device of this name.
    pub fn is_about(&self, device: &str) -> bool {
        let interface = self.interface.as_ref();
        interface.and_then(|interface| interface.name.as_deref()) == Some(device)
    }
}
