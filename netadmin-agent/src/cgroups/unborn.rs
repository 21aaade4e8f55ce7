//! Cgroups that are announced and cannot be found yet.
//!
//! `cgroup_mkdir` fires its tracepoint before `kernfs_activate` makes the new
//! directory visible. An agent that is quick on another processor looks for it in
//! between, and is told that it is not there: as if it were gone already. So it
//! looks again, until the cgroup is there or its end is announced.

use std::time::{Duration, Instant};

/// How soon to look again.
pub const SOON: Duration = Duration::from_millis(1);

/// The kernel is between the two for microseconds. Whoever is not found for so
/// long was removed, and its end went unannounced because the buffer was full.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ids of cgroups that were announced, and since when they have been missing.
#[derive(Debug, Default)]
pub struct Unborn(Vec<(u64, Instant)>);

impl Unborn {
    /// One more that was not found.
    pub fn add(&mut self, id: u64) {
        if !self.contains(id) {
            self.0.push((id, Instant::now()));
        }
    }

    /// It was found, or its end was announced.
    pub fn remove(&mut self, id: u64) {
        self.0.retain(|(known, _)| *known != id);
    }

    /// Whether this one was not found yet.
    pub fn contains(&self, id: u64) -> bool {
        self.0.iter().any(|(known, _)| *known == id)
    }

    /// Whether there is any to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those to look for now.
    pub fn ids(&mut self) -> Vec<u64> {
        self.0.retain(|(_, since)| since.elapsed() < PATIENCE);
        self.0.iter().map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_cgroup_is_looked_for_until_it_is_found_or_gone() {
        let mut unborn = Unborn::default();
        unborn.add(7);
        unborn.add(9);
        unborn.add(7);
        assert_eq!(unborn.ids(), [7, 9]);
        unborn.remove(7);
        assert_eq!(unborn.ids(), [9]);
        unborn.remove(9);
        assert!(unborn.is_empty());
    }

    #[test]
    fn nobody_is_looked_for_for_ever() {
        let long_ago = Instant::now().checked_sub(PATIENCE).expect("a time before");
        let mut unborn = Unborn(vec![(7, long_ago)]);
        assert!(unborn.ids().is_empty() && unborn.is_empty());
    }
}
