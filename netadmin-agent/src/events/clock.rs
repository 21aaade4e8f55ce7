//! From the kernel's clock to the wall's.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use humantime::format_rfc3339_nanos;
use nix::time::{ClockId, clock_gettime};

const NANOSECONDS: i128 = 1_000_000_000;

/// How far the wall clock is ahead of the time since boot. It is set and slewed
/// while the agent runs: take a new one for each batch of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    ahead: i128,
}

impl Clock {
    /// The clocks of now.
    pub fn now() -> io::Result<Self> {
        let boot = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
        let wall = nanoseconds(ClockId::CLOCK_REALTIME)?;
        Ok(Self::between(wall, boot))
    }

    /// The time of now, likewise.
    pub fn rfc3339_now(&self) -> String {
        let boot = nanoseconds(ClockId::CLOCK_BOOTTIME).unwrap_or_default();
        self.rfc3339(u64::try_from(boot).unwrap_or_default())
    }

    /// Clocks that show these times, in nanoseconds, at one moment.
    pub fn between(wall: i128, boot: i128) -> Self {
        Self { ahead: wall - boot }
    }

    /// A time since boot, in nanoseconds, as RFC 3339 in UTC.
    pub fn rfc3339(&self, boot: u64) -> String {
        let wall = (i128::from(boot) + self.ahead).clamp(0, LATEST * NANOSECONDS);
        // Neither can fail after the clamp.
        let seconds = u64::try_from(wall / NANOSECONDS).unwrap_or_default();
        let rest = u32::try_from(wall % NANOSECONDS).unwrap_or_default();
        format_rfc3339_nanos(UNIX_EPOCH + Duration::new(seconds, rest)).to_string()
    }
}

/// The last second that has four digits for its year.
const LATEST: i128 = 253_402_300_799;

fn nanoseconds(clock: ClockId) -> io::Result<i128> {
    let time = clock_gettime(clock)?;
    Ok(i128::from(time.tv_sec()) * NANOSECONDS + i128::from(time.tv_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_boot_becomes_wall_time_to_the_nanosecond() {
        let booted = 1_795_471_200 * NANOSECONDS;
        let clock = Clock::between(booted + 5, 5);
        assert_eq!(clock.rfc3339(123_456_789), "2026-11-23T22:00:00.123456789Z");
    }

    #[test]
    fn no_time_is_too_early_or_too_late_to_write() {
        assert_eq!(
            Clock::between(0, i128::from(u64::MAX)).rfc3339(0),
            "1970-01-01T00:00:00.000000000Z"
        );
        assert_eq!(
            Clock::between(LATEST * NANOSECONDS, 0).rfc3339(u64::MAX),
            "9999-12-31T23:59:59.000000000Z"
        );
    }

    #[test]
    fn the_clocks_of_this_machine_can_be_read() {
        assert!(Clock::now().expect("clocks").rfc3339(0).starts_with("20"));
    }
}
