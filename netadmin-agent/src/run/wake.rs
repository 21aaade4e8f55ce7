//! What the agent waits for.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::metrics::Reply;

/// A buffer that programs write to.
pub type Buffer = AsyncFd<RingBuf<MapData>>;

/// Lets the event loop wait for a buffer.
pub fn register(buffer: RingBuf<MapData>) -> anyhow::Result<Buffer> {
    // SAFETY: the buffer owns its descriptor, and keeps it open until dropped.
    unsafe { AsyncFd::register(buffer) }.context("cannot wait for the programs' events")
}

/// The signals that the agent takes; from before it says that it is in force.
pub struct Signals {
    pub terminate: Signal,
    pub interrupt: Signal,
    pub hangup: Signal,
}

impl Signals {
    pub fn new() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot take signals");
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }
}

/// Why the agent woke up.
pub enum Wake {
    /// Programs have something to tell.
    Work,
    /// Nothing in particular: time for what can be done now and then.
    Tick,
    /// A file near the policy has changed.
    Noticed,
    /// It has been quiet there since.
    Policy,
    /// Somebody asks for the metrics.
    Asked(Reply),
    /// SIGHUP.
    Hangup,
    /// SIGTERM or SIGINT.
    Stop,
}

/// Waits until a time; without one, for ever.
pub async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits until a buffer has something; without one, for ever.
pub async fn readable(buffer: Option<&Buffer>) {
    match buffer {
        Some(buffer) => {
            if let Ok(mut ready) = buffer.readable().await {
                ready.clear_ready();
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        None => std::future::pending().await,
    }
}
