//! Tells a service manager how it goes (`sd_notify(3)`). Where none has started
//! the agent, nobody is told.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager that started this process, if one did.
#[derive(Debug)]
pub struct Manager {
    /// It expects a sign of life this often, and gets it twice as often.
    watchdog: Option<Duration>,
    told: Option<Instant>,
}

impl Manager {
    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    pub fn of_this_process() -> Self {
        Self::with_watchdog(sd_notify::watchdog_enabled())
    }

    fn with_watchdog(watchdog: Option<Duration>) -> Self {
        Self {
            watchdog,
            told: None,
        }
    }

    /// The policy is in force.
    pub fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The agent ends; what it enforces may go on.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// The event loop turns. To be called at least each [`Self::interval`].
    pub fn alive(&mut self) {
        if self.is_due(Instant::now()) {
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// How often it has to be told; `None` if nobody wants to know.
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Returns when it waits for a sign of life.
    pub async fn is_waiting(&self) {
        match self.interval() {
            Some(interval) => tokio::time::sleep(interval).await,
            None => std::future::pending().await,
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        let Some(interval) = self.interval() else {
            return false;
        };
        // Half of it: who calls each interval must never be too early.
        let is_due = self.told.is_none_or(|told| now - told >= interval / 2);
        if is_due {
            self.told = Some(now);
        }
        is_due
    }
}

/// A manager that does not listen is no reason to stop enforcing.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_watchdog_no_sign_of_life_is_due() {
        let mut manager = Manager::with_watchdog(None);
        assert!(!manager.is_due(Instant::now()));
        assert_eq!(manager.interval(), None);
    }

    #[test]
    fn signs_of_life_come_in_time_and_not_with_every_event() {
        let mut manager = Manager::with_watchdog(Some(Duration::from_secs(8)));
        let start = Instant::now();
        let told: Vec<_> = (0..=8)
            .filter(|second| manager.is_due(start + Duration::from_secs(*second)))
            .collect();
        assert_eq!(told, [0, 2, 4, 6, 8]);
    }
}
