//! The maps of the loaded programs, by name and type.

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError, RingBuf},
};
use netadmin_common::{
    GuardEntry, PolicyRecord, event::HISTORY_LEN, glob::GlobRecord, guard::POLICY_NAME_LEN,
    watched::Watched,
};

use nix::errno::Errno;

use super::{KernelError, Programs, control, symbols, sys};
use crate::cgroups::{Rewrites, Room, Unentered};
use crate::history;
use crate::records::{Account, Record};

impl Programs {
    /// The map of policies.
    pub fn policies(&mut self) -> Result<Array<&mut MapData, Record<PolicyRecord>>, KernelError> {
        map(&mut self.ebpf, "POLICIES")
    }

    /// The names of the policies.
    pub fn names(&mut self) -> Result<Array<&mut MapData, [u8; POLICY_NAME_LEN]>, KernelError> {
        map(&mut self.ebpf, "NAMES")
    }

    /// What the agent has done.
    pub fn history(&mut self) -> Result<Array<&mut MapData, [u8; HISTORY_LEN]>, KernelError> {
        map(&mut self.ebpf, history::MAP)
    }

    /// The globs, in the form that the programs match.
    pub fn globs(&mut self) -> Result<Array<&mut MapData, Record<GlobRecord>>, KernelError> {
        map(&mut self.ebpf, "GLOBS")
    }

    /// The epoch in force, and what there is to say of each bank's globs.
    pub fn bank(&mut self) -> Result<Array<&mut MapData, u32>, KernelError> {
        map(&mut self.ebpf, "BANK")
    }

    /// Waits until every program that runs now has come to its end.
    pub fn wait_for_running(&self) -> Result<(), KernelError> {
        sys::wait_for_programs().map_err(|error| KernelError::Wait { error })
    }

    /// The word that says whether two sets are attached.
    pub fn overlap(&mut self) -> Result<Array<&mut MapData, u32>, KernelError> {
        map(&mut self.ebpf, "OVERLAP")
    }

    /// What says which calls can matter: a global of the programs.
    pub fn watched(&mut self) -> Result<Array<&mut MapData, Record<Watched>>, KernelError> {
        map(&mut self.ebpf, ".data.watched")
    }

    /// Room in the map of guarded cgroups; globals of the programs.
    pub fn take_room(&mut self) -> Result<Room, KernelError> {
        let shared = take(&mut self.ebpf, ".data.room")?;
        let born = take(&mut self.ebpf, ".data.born")?;
        let overflow = take(&mut self.ebpf, ".data.overflow")?;
        let room = Room::new(self.limits().cgroups, shared, born, overflow);
        room.map_err(|source| KernelError::Map {
            map: ".data.room",
            source,
        })
    }

    /// What tells the programs that an entry is written anew: a global of theirs.
    pub fn take_rewrites(&mut self) -> Result<Rewrites, KernelError> {
        Ok(Rewrites::new(take(&mut self.ebpf, ".data.rewrites")?))
    }

    /// The cgroups that the programs could not enter: globals of theirs.
    pub fn take_unentered(&mut self) -> Result<Unentered, KernelError> {
        let noted = take(&mut self.ebpf, ".data.unentered")?;
        Ok(Unentered::new(
            noted,
            take(&mut self.ebpf, ".data.settled")?,
        ))
    }

    /// Tells the programs where the functions lie that name the place of a
    /// capability question.
    pub fn find_symbols(&mut self) -> Result<(), KernelError> {
        let mut map: Array<&mut MapData, u64> = map(&mut self.ebpf, "SYMBOLS")?;
        let ranges = symbols::find()?;
        let words = ranges.into_iter().flat_map(|(start, end)| [start, end]);
        for (place, word) in (0..).zip(words) {
            map.set(place, word, 0).map_err(|source| KernelError::Map {
                map: "SYMBOLS",
                source,
            })?;
        }
        Ok(())
    }

    /// Shows the programs a control message, and makes sure that they have seen it.
    pub(super) fn show_control_message(&mut self) -> Result<(), KernelError> {
        control::provoke().map_err(KernelError::ControlMessage)?;
        let map: Array<&mut MapData, u64> = map(&mut self.ebpf, "SYMBOLS")?;
        match map.get(&(2 * symbols::CONTROL_MESSAGE), 0) {
            Ok(0) => Err(KernelError::ControlMessage(Errno::ENOENT)),
            Ok(_start) => Ok(()),
            Err(source) => Err(KernelError::Map {
                map: "SYMBOLS",
                source,
            }),
        }
    }

    /// The map of generic netlink families, for keeps; `None` if it has been
    /// taken before.
    pub fn take_families(&mut self) -> Result<Option<Array<MapData, u32>>, KernelError> {
        let Some(map) = self.ebpf.take_map("FAMILIES") else {
            return Ok(None);
        };
        let map = Array::try_from(map).map_err(|source| KernelError::Map {
            map: "FAMILIES",
            source,
        })?;
        Ok(Some(map))
    }

    /// The map of guarded cgroups, for keeps.
    pub fn take_guards(
        &mut self,
    ) -> Result<HashMap<MapData, u64, Record<GuardEntry>>, KernelError> {
        take(&mut self.ebpf, "GUARDS")
    }

    /// Which ids of cgroups the programs look up at all, for keeps.
    pub fn take_entered(&mut self) -> Result<Array<MapData, u8>, KernelError> {
        take(&mut self.ebpf, "ENTERED")
    }

    /// The count of births and deaths that the agent was not told of, for keeps.
    pub fn take_lost(&mut self) -> Result<Array<MapData, u64>, KernelError> {
        take(&mut self.ebpf, "LOST")
    }

    /// The account of events, for keeps.
    pub fn take_account(&mut self) -> Result<Account, KernelError> {
        take(&mut self.ebpf, "ACCOUNT")
    }

    /// The buffer of events, for keeps.
    pub fn take_events(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        take(&mut self.ebpf, "EVENTS")
    }

    /// The buffer of cgroup births and deaths, for keeps.
    pub fn take_cgroup_events(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        take(&mut self.ebpf, "CGROUP_EVENTS")
    }
}

pub(super) fn map<'a, T>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<T, KernelError>
where
    T: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
{
    let map = ebpf.map_mut(name).ok_or(KernelError::NoObject)?;
    T::try_from(map).map_err(|source| KernelError::Map { map: name, source })
}

fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError>
where
    T: TryFrom<aya::maps::Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(KernelError::NoObject)?;
    T::try_from(map).map_err(|source| KernelError::Map { map: name, source })
}
