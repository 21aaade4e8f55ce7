//! Whether the agent writes entries of `GUARDS` anew.
//!
//! The kernel puts the new entry at the head of its bucket, and then takes the old one
//! out (`htab_map_update_elem`). A lookup that has passed the head before, and comes to
//! the old one's place after, finds neither (`lookup_nulls_elem_raw`). So that an entry is
//! not found says nothing meanwhile.

use crate::globals::Shared;

/// Not 0 from before the agent's first write until every program has come to its end
/// that ran during the last.
#[unsafe(link_section = ".data.rewrites")]
#[unsafe(no_mangle)]
static REWRITES: Shared<u32> = Shared::new(0);

/// How often one can be looked for in vain: each time takes the agent a write of this very
/// entry within the lookup.
pub const MISSES: u32 = 4;

/// To be asked after a lookup that found nothing.
#[inline(always)]
pub fn are_under_way() -> bool {
    // SAFETY: a live global.
    unsafe { REWRITES.0.get().read_volatile() != 0 }
}
