//! What the programs of an earlier agent know, which go on until ours are in force.

use std::collections::HashMap as Index;
use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData, MapError};
use netadmin_common::guard::{Assigned, BANKS, POLICY_NAME_LEN, bank_of, entered_place};
use netadmin_common::{GuardEntry, GuardRecord, Origin, PolicyRecord};

use crate::kernel::pins::PinnedSet;
use crate::records::Record;

/// The names of policies, by their index.
pub type Names = Index<u32, String>;

/// Why they cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot take over from the programs in force (generation {generation}, layout {layout}): \
     {source}; `netadmin-agent unload` ends them, and with them all enforcement until the \
     next start"
)]
pub struct EarlierError {
    generation: u32,
    layout: u32,
    source: MapError,
}

/// An earlier set's guards, as long as it is attached. (Their layout is part of
/// what versions agree on: see ARCHITECTURE.md.)
pub struct Earlier {
    guards: HashMap<MapData, u64, Record<GuardEntry>>,
    /// Sets of before layout 9 look up every cgroup.
    entered: Option<Array<MapData, u8>>,
    names: Array<MapData, [u8; POLICY_NAME_LEN]>,
    epoch: u16,
    most_cgroups: u32,
}

impl Earlier {
    /// Opens what an earlier set has pinned.
    pub fn open(set: &PinnedSet) -> Result<Self, EarlierError> {
        Self::read(set).map_err(|source| EarlierError {
            generation: set.generation,
            layout: set.layout,
            source,
        })
    }

    fn read(set: &PinnedSet) -> Result<Self, MapError> {
        let epoch: Array<_, u32> = Array::try_from(open(&set.entry("BANK"))?)?;
        let guards = MapData::from_pin(set.entry("GUARDS"))?;
        let most_cgroups = guards.info()?.max_entries();
        let entered = set.entry("ENTERED");
        let entered = entered.exists().then(|| open(&entered)).transpose()?;
        Ok(Self {
            most_cgroups,
            guards: HashMap::try_from(Map::from_map_data(guards)?)?,
            entered: entered.map(Array::try_from).transpose()?,
            names: Array::try_from(open(&set.entry("NAMES"))?)?,
            epoch: epoch.get(&0, 0)? as u16,
        })
    }

    /// The name of a policy by its index in this set's map.
    pub fn name(&self, index: u32) -> Option<String> {
        name(&self.names.get(&index, 0).ok()?)
    }

    /// What guards a cgroup, and the index of the policy in force there.
    pub fn guard(&self, id: u64) -> Option<(GuardRecord, u32)> {
        let entry = self.guards.get(&id, 0).ok()?.0;
        let record = GuardEntry::record(id, entry.banks)?;
        Some((record, record.policy_in(self.epoch)))
    }

    /// The policy that a cgroup has from its creator.
    pub fn creators_policy(&self, id: u64) -> Option<String> {
        let (record, policy) = self.guard(id)?;
        let made = record.origin == Origin::Creator as u32;
        made.then(|| self.name(policy)).flatten()
    }

    /// The names of the policies in force, in their order.
    pub fn in_force(&self) -> Vec<String> {
        self.indices()
            .filter_map(|index| self.name(index))
            .collect()
    }

    /// Puts a cgroup under the policy of this name, as if a task under it had made
    /// the cgroup: so it is never matched by its path, and keeps the policy by name.
    /// Does nothing if there is no policy of this name.
    pub fn appoint(&mut self, id: u64, policy: &str) -> Result<(), MapError> {
        let is_it = |index: &u32| self.name(*index).as_deref() == Some(policy);
        let Some(policy) = self.indices().find(is_it) else {
            return Ok(());
        };
        let mut record = GuardRecord {
            origin: Origin::Creator as u32,
            ..GuardRecord::NONE
        };
        let epoch = self.epoch;
        record.policies[bank_of(epoch)] = Assigned { policy, epoch };
        if let Some(entered) = &mut self.entered {
            // First what says that there is something to be looked up.
            entered.set(entered_place(id), 1, 0)?;
        }
        self.guards
            .insert(id, Record(GuardEntry::new(id, &record)), 0)
    }

    /// The indices of the policies in force.
    fn indices(&self) -> std::ops::Range<u32> {
        let (bank, size) = (bank_of(self.epoch) as u32, self.most_policies());
        bank * size..(bank + 1) * size
    }

    /// How many policies fit into a bank.
    pub fn most_policies(&self) -> u32 {
        self.names.len() / BANKS as u32
    }

    /// How many cgroups fit.
    pub fn most_cgroups(&self) -> u32 {
        self.most_cgroups
    }

    /// All guarded cgroups.
    pub fn cgroups(&self) -> Vec<u64> {
        self.guards.keys().flatten().collect()
    }
}

fn open(path: &Path) -> Result<Map, MapError> {
    Map::from_map_data(MapData::from_pin(path)?)
}

/// The names of the policies that are pinned at `path`, by index.
pub fn pinned_names(path: &Path) -> Result<Names, MapError> {
    let map: Array<MapData, [u8; POLICY_NAME_LEN]> = Array::try_from(open(path)?)?;
    let named = |index| Some((index, name(&map.get(&index, 0).ok()?)?));
    Ok((0..map.len()).filter_map(named).collect())
}

/// The policy with this index in a set of our layout.
pub fn pinned_policy(set: &PinnedSet, index: u32) -> Result<PolicyRecord, MapError> {
    let map: Array<MapData, Record<PolicyRecord>> = Array::try_from(open(&set.entry("POLICIES"))?)?;
    Ok(map.get(&index, 0)?.0)
}

/// The text of a name's bytes; none for no name.
fn name(bytes: &[u8; POLICY_NAME_LEN]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    (end > 0).then(|| String::from_utf8_lossy(&bytes[..end]).into_owned())
}
