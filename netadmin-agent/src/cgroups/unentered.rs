//! New cgroups that the programs could not enter, and that nothing above guards: see
//! [`netadmin_common::unentered`]. They are under what the strictest policies say, until
//! each is entered, or gone, or need not be guarded.

use std::collections::BTreeMap;

use aya::maps::{Array, MapData, MapError};
use netadmin_common::EventRecord;
use netadmin_common::unentered::Unentered as Noted;

use super::guards::{GuardError, Guards};
use crate::kernel::{KernelError, Programs};
use crate::records::Record;

/// `EAGAIN` in a birth: a guarded task may have made it.
const BY_GUARDED: u32 = libc::EAGAIN.unsigned_abs();

/// Those that are not seen to.
pub struct Unentered {
    noted: Array<MapData, Record<Noted>>,
    settled: Array<MapData, u64>,
    /// The number of the last one that was told of.
    told: u64,
    /// By id, and whether a guarded task may have made it.
    waiting: BTreeMap<u64, bool>,
    /// There may be room, or news.
    is_due: bool,
}

impl Unentered {
    /// Those of new programs: none.
    pub fn new(noted: Array<MapData, Record<Noted>>, settled: Array<MapData, u64>) -> Self {
        Self {
            noted,
            settled,
            told: 0,
            waiting: BTreeMap::new(),
            is_due: false,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.waiting.len()
    }

    /// One more, with its number. (Of a number that is too high, one was not told of
    /// before: then [`Self::are_all_told`] is about to follow.)
    fn add(&mut self, id: u64, number: u64, is_by_guarded: bool) {
        self.waiting.insert(id, is_by_guarded);
        self.told += u64::from(number == self.told + 1);
        self.is_due = true;
    }

    /// One is gone, or needs no place any more.
    pub(super) fn forget(&mut self, id: u64) {
        let was_waiting = self.waiting.remove(&id).is_some();
        self.is_due |= was_waiting || !self.waiting.is_empty();
    }

    /// Whether a guarded task may have made this one, so that its path says nothing.
    pub(super) fn is_by_guarded(&self, id: u64) -> bool {
        self.waiting.get(&id).is_some_and(|by_guarded| *by_guarded)
    }

    /// Their ids, from the lowest.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.waiting.keys().copied().collect()
    }

    /// How many there ever were.
    pub(super) fn noted(&self) -> Result<u64, MapError> {
        Ok(self.noted.get(&0, 0)?.0.noted)
    }

    /// Whether one was noted, and not told of: its event is lost, or about to come.
    fn is_behind(&self) -> bool {
        self.noted().is_ok_and(|noted| noted > self.told)
    }

    /// So many are told of, whatever events were lost: the whole tree was looked at since.
    pub(super) fn are_all_told(&mut self, noted: u64) {
        self.told = self.told.max(noted);
        self.is_due = true;
    }

    /// If none is left, the programs need not think of them any more.
    fn settle(&mut self) -> Result<(), MapError> {
        if self.waiting.is_empty() && self.settled.get(&0, 0)? != self.told {
            self.settled.set(0, self.told, 0)?;
        }
        Ok(())
    }
}

impl Guards {
    /// The programs have told of one.
    pub fn not_entered(&mut self, birth: &EventRecord) {
        let (id, number) = (birth.cgroup, birth.value.cast_unsigned());
        self.unentered.add(id, number, birth.errno == BY_GUARDED);
    }

    /// How many are under what the strictest policies say, for want of a place.
    pub fn unentered(&self) -> usize {
        self.unentered.count()
    }

    /// Whether there is any, known or not.
    pub(super) fn has_unentered(&self) -> bool {
        self.unentered() > 0 || self.unentered.is_behind()
    }

    /// There is time to try again.
    pub(super) fn retry_unentered(&mut self) {
        self.unentered.is_due = self.has_unentered();
    }

    /// Enters those for which there is room by now. (What does not fit, the agent has
    /// told.)
    pub fn enter_the_rest(&mut self, programs: &mut Programs) -> Result<(), GuardError> {
        if !std::mem::take(&mut self.unentered.is_due) {
            return Ok(());
        }
        for id in self.unentered.ids() {
            match self.made(id, programs) {
                Err(GuardError::Map { .. }) => break,
                done => done?,
            }
            if self.is_seen_to(id) {
                self.unentered.forget(id);
            }
        }
        if self.unentered.count() == 0 && self.unentered.is_behind() {
            self.rescan(programs)?;
        }
        let settled = self.unentered.settle();
        self.unentered.is_due = false;
        settled.map_err(|source| {
            let map = ".data.settled";
            KernelError::Map { map, source }.into()
        })
    }

    /// Whether an announced cgroup has what it needs: an entry, or an ancestor's; or its
    /// path leads to no policy.
    fn is_seen_to(&self, id: u64) -> bool {
        if self.unborn.contains(id) {
            return false;
        }
        let is_under_another = || {
            let path = self.tree.path(id).unwrap_or_default();
            self.above(&path, self.book.in_force()).is_guarded()
        };
        !self.unentered.is_by_guarded(id) || self.record(id).is_some() || is_under_another()
    }
}
