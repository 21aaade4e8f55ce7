//! Room in the map of guarded cgroups: entries that only inherit may take a part of
//! it, so that others always find a place. The programs keep to the same bound.

use aya::maps::{Array, MapData, MapError};
use netadmin_common::GuardRecord;
use netadmin_common::guard::Room as Bound;

use crate::records::Record;

/// The programs' globals for it.
pub struct Room {
    bound: Bound,
    shared: Array<MapData, Record<Bound>>,
    /// Entries that inherit and that the programs have made.
    born: Array<MapData, i64>,
    /// Not 0: what has no entry is under its nearest ancestor that has one.
    overflow: Array<MapData, u32>,
}

impl Room {
    /// For a map of `limit` entries, which is empty.
    pub fn new(
        limit: u32,
        shared: Array<MapData, Record<Bound>>,
        born: Array<MapData, i64>,
        overflow: Array<MapData, u32>,
    ) -> Result<Self, MapError> {
        let mut room = Self {
            bound: Bound::of(limit),
            shared,
            born,
            overflow,
        };
        room.tell()?;
        Ok(room)
    }

    /// Whether one more entry that inherits may not be made. Then the programs look
    /// for ancestors.
    pub fn is_full(&mut self) -> Result<bool, MapError> {
        if self.born.get(&0, 0)? + self.bound.admitted < self.bound.most {
            return Ok(false);
        }
        self.overflow.set(0, 1, 0)?;
        Ok(true)
    }

    /// Whether any entry was ever left out.
    pub fn has_overflowed(&self) -> bool {
        // What cannot be read counts.
        self.overflow.get(&0, 0).map_or(true, |word| word != 0)
    }

    /// An entry has become another.
    pub fn changed(
        &mut self,
        before: Option<GuardRecord>,
        now: Option<GuardRecord>,
    ) -> Result<(), MapError> {
        let inherits =
            |record: Option<GuardRecord>| i64::from(record.is_some_and(|record| record.inherits()));
        let change = inherits(now) - inherits(before);
        if change == 0 {
            return Ok(());
        }
        self.bound.admitted += change;
        self.tell()
    }

    fn tell(&mut self) -> Result<(), MapError> {
        self.shared.set(0, Record(self.bound), 0)
    }
}
