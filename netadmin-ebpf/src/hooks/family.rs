//! Generic netlink families that register: known before anybody can send to them.
//!
//! A task can have a module loaded (`ctrl_getfamily`) and use its family at once. The
//! agent lists the families at its start, and follows the notifications, which takes a
//! moment and needs it to run.

use aya_ebpf::{macros::fexit, programs::FExitContext};
use netadmin_common::{Text, netlink::family_entry};

use crate::{
    kernel::{Address, layout},
    maps::FAMILIES,
};

/// `genl_register_family(family)`, which gives out the id.
#[fexit(function = "genl_register_family")]
pub fn family(ctx: FExitContext) -> i32 {
    let failed: i32 = ctx.arg(1);
    if failed == 0
        && let Some(family) = Address::argument(&ctx, 0)
        && let Some(name) = family.read(&layout::GENL_FAMILY_NAME)
        && let Some(id) = family.read::<u32>(&layout::GENL_FAMILY_ID)
        && let Some(entry) = FAMILIES.get_ptr_mut(id)
    {
        // SAFETY: a live entry of the map; the agent writes the same.
        unsafe { entry.write(family_entry(&Text::from_memory(name).terminated())) };
    }
    0
}
