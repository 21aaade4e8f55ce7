//! What an agent has done: for `status`, which reads it from what is pinned, and for
//! whoever else wants to tell it.

use std::time::SystemTime;

use aya::maps::{Array, Map, MapData, MapError};
use humantime::format_rfc3339_seconds;
use netadmin_common::event::HISTORY_LEN;
use serde::{Deserialize, Serialize};

use crate::kernel::pins::PinnedSet;

/// The name of the map that has it.
pub const MAP: &str = "HISTORY";

/// The longest error that is kept, in characters.
const MAX_ERROR: usize = 1000;

/// What an agent has done since it came into force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The agent's version.
    pub version: String,
    /// Its process, as it sees itself.
    pub pid: u32,
    /// When it came into force: RFC 3339.
    pub since: String,
    /// The policy file or directory.
    pub policy: String,
    /// What became of changed policies.
    pub reloads: Reloads,
    /// New cgroups for which there is no room.
    #[serde(default)]
    pub unentered: usize,
    /// On this kernel the sub-commands of ethtool's ioctl cannot be told apart: where one
    /// is refused, all are.
    #[serde(default)]
    pub ethtool_as_one: bool,
}

/// What became of changed policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// How many came into force.
    pub applied: u64,
    /// How many could not be used, so that the ones before stayed in force.
    pub refused: u64,
    /// When the last one came into force.
    pub last_applied: Option<String>,
    /// The last one that could not be used. It may have been mended since.
    pub last_refused: Option<Refusal>,
}

/// Why a changed policy could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// When.
    pub time: String,
    /// What was wrong.
    pub error: String,
}

impl History {
    /// That of an agent that has just come into force.
    pub fn new(policy: String) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: now(),
            policy,
            reloads: Reloads::default(),
            unentered: 0,
            ethtool_as_one: false,
        }
    }

    /// What the agent of a pinned set has left. `None` of another version, perhaps.
    pub fn of_set(set: &PinnedSet) -> Option<Self> {
        let map = MapData::from_pin(set.entry(MAP)).and_then(Map::from_map_data);
        let map: Array<MapData, [u8; HISTORY_LEN]> = map.ok()?.try_into().ok()?;
        Self::from_bytes(&map.get(&0, 0).ok()?)
    }

    /// Leaves it for others to read.
    pub fn write<M>(&self, map: &mut Array<M, [u8; HISTORY_LEN]>) -> Result<(), MapError>
    where
        M: std::borrow::BorrowMut<MapData>,
    {
        map.set(0, self.to_bytes(), 0)
    }

    fn to_bytes(&self) -> [u8; HISTORY_LEN] {
        let mut bytes = [0; HISTORY_LEN];
        // Texts have their bounds, paths at most PATH_MAX: what does not fit all the
        // same is told as nothing.
        let text = serde_json::to_vec(self).unwrap_or_default();
        if let Some(room) = bytes.get_mut(..text.len()) {
            room.copy_from_slice(&text);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; HISTORY_LEN]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        serde_json::from_slice(&bytes[..end]).ok()
    }
}

impl Reloads {
    /// One came into force.
    pub fn applied(&mut self) {
        self.applied += 1;
        self.last_applied = Some(now());
    }

    /// One could not be used.
    pub fn refused(&mut self, error: &str) {
        self.refused += 1;
        self.last_refused = Some(Refusal {
            time: now(),
            error: error.chars().take(MAX_ERROR).collect(),
        });
    }
}

fn now() -> String {
    format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut history = History::new("/etc/p.toml".to_owned());
        history.reloads.applied();
        history.reloads.refused("p.toml:3:8: no \u{fc}");
        let read = History::from_bytes(&history.to_bytes());
        assert_eq!(read.as_ref(), Some(&history));
        assert_eq!((history.reloads.applied, history.reloads.refused), (1, 1));
    }

    #[test]
    fn a_long_error_is_cut_and_nothing_is_no_history() {
        let mut history = History::default();
        history.reloads.refused(&"\"".repeat(10_000));
        assert_eq!(History::from_bytes(&history.to_bytes()), Some(history));
        assert_eq!(History::from_bytes(&[0; HISTORY_LEN]), None);
    }
}
