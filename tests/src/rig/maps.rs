//! The agent's maps, by name.

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData, loaded_maps};

/// A map of the agent that is not pinned: of those that have this name the youngest,
/// since the kernel may still be about to free the programs of agents before.
pub fn loaded_map(name: &str) -> Result<Map> {
    let maps = loaded_maps().flatten();
    let named = maps.filter(|map| map.name_as_str() == Some(name));
    let id = named
        .max_by_key(|map| map.id())
        .with_context(|| format!("no map {name}"))?
        .id();
    Ok(Map::from_map_data(MapData::from_id(id)?)?)
}
