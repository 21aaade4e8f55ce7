//! The entries of the map of guarded cgroups.

use aya::maps::{Array, HashMap, MapData, MapError};
use netadmin_common::guard::entered_place;
use netadmin_common::{GuardEntry, GuardRecord};

use super::guards::GuardError;
use super::rewrites::Rewrites;
use super::room::Room;
use crate::kernel::{KernelError, Programs};
use crate::records::Record;

/// `BPF_ANY` and `BPF_EXIST` (linux/bpf.h).
const BPF_ANY: u64 = 0;
const BPF_EXIST: u64 = 2;

/// The map, and the room in it.
pub struct Entries {
    map: HashMap<MapData, u64, Record<GuardEntry>>,
    entered: Array<MapData, u8>,
    rewrites: Rewrites,
    room: Room,
    limit: u32,
}

impl Entries {
    /// None yet, and at most `limit`.
    pub fn new(
        map: HashMap<MapData, u64, Record<GuardEntry>>,
        entered: Array<MapData, u8>,
        rewrites: Rewrites,
        room: Room,
        limit: u32,
    ) -> Self {
        Self {
            map,
            entered,
            rewrites,
            room,
            limit,
        }
    }

    /// The cgroups that have one.
    pub fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.map.keys().flatten()
    }

    /// What guards a cgroup.
    pub fn record(&self, id: u64) -> Option<GuardRecord> {
        let entry = self.map.get(&id, 0).ok()?.0;
        GuardEntry::record(id, entry.banks)
    }

    /// Writes down what guards a cgroup, if that is new.
    pub fn write(
        &mut self,
        id: u64,
        known: Option<GuardRecord>,
        record: GuardRecord,
        path: &str,
    ) -> Result<(), GuardError> {
        if known == Some(record) {
            return Ok(());
        }
        let flags = if known.is_some() { BPF_EXIST } else { BPF_ANY };
        let entry = Record(GuardEntry::new(id, &record));
        let begun = self.rewrites.begin();
        // First what says that there is something to be looked up.
        let entered = begun.and_then(|()| self.entered.set(entered_place(id), 1, 0));
        let written = entered.and_then(|()| self.map.insert(id, entry, flags));
        let written = written.and_then(|()| self.room.changed(known, Some(record)));
        written.map_err(|source| self.error(path, source))
    }

    /// Ends what [`Self::write`] has begun: that programs do not believe that one is missing.
    pub fn rest(&mut self, programs: &Programs) -> Result<(), KernelError> {
        if !self.rewrites.are_under_way() {
            return Ok(());
        }
        programs.wait_for_running()?;
        self.rewrites.end().map_err(|source| KernelError::Map {
            map: ".data.rewrites",
            source,
        })
    }

    /// Whether an entry that says no more than the one above is to be left out.
    pub fn are_full(&mut self, path: &str) -> Result<bool, GuardError> {
        let full = self.room.is_full();
        full.map_err(|source| self.error(path, source))
    }

    /// Whether any was ever left out, here or by the programs.
    pub fn have_overflowed(&self) -> bool {
        self.room.has_overflowed()
    }

    /// Removes what guards a cgroup. Of one that is gone, the programs have mostly
    /// done so already.
    pub fn remove(&mut self, id: u64) {
        let known = self.record(id);
        if self.map.remove(&id).is_ok() {
            // One place is counted as taken; no more.
            let _counted = self.room.changed(known, None);
        }
    }

    fn error(&self, path: &str, source: MapError) -> GuardError {
        GuardError::Map {
            path: path.to_owned(),
            source,
            limit: self.limit,
        }
    }
}
