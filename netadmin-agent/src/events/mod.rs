//! Events: what the programs tell, as one line of JSON each.
//!
//! A record is decoded ([`decode()`]), told with the names that the agent knows
//! ([`Event`]), and written ([`Sink`]). The shape is documented in
//! docs/EVENTS.md and docs/event.schema.json.

mod clock;
mod decode;
mod found;
mod json;
mod sink;

pub use clock::Clock;
pub use decode::{DecodeError, decode};
pub use found::events as found_events;
pub use json::{Context, Event, PolicyName, SCHEMA, node_name};
pub use sink::{Sink, SinkError, Written};
