//! What came of one attempt.

use crate::rig::Event;

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether the call or the program succeeded.
    pub succeeded: bool,
    /// What the kernel says afterwards.
    pub afterwards: String,
    /// What the agent reported.
    pub events: Vec<Event>,
}

impl Outcome {
    /// The agent's report in one line; none if it reported nothing.
    pub fn report(&self) -> Option<String> {
        let first = self.events.first()?;
        let field = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let interface = first.interface.as_ref();
        let name = interface.and_then(|interface| interface.name.as_deref());
        let device = name.map(|name| format!(" on {name}")).unwrap_or_default();
        let value = first
            .value
            .map(|value| format!(" = {value}"))
            .unwrap_or_default();
        let line = first
            .line
            .map(|line| format!(", line {line}"))
            .unwrap_or_default();
        let more = match self.events.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        Some(format!(
            "{}: {}{value} via {}{device}, {} [{}: {}{line}]{more}",
            first.event,
            field(&first.operation),
            field(&first.via),
            field(&first.errno),
            field(&first.policy),
            field(&first.rule),
        ))
    }
}
