//! Generic netlink families that register: known before anybody can send to them.
//!
//! The agent lists the families and follows the notifications, which takes a moment;
//! a task can have a module loaded (`ctrl_getfamily`) and use its family at once. Only
//! those that matter to promiscuity are taken here.

use aya_ebpf::{macros::fexit, programs::FExitContext};
use netadmin_common::{
    OperationKind, Text,
    netlink::{FAMILY_RAISES, RAISING_FAMILIES},
};

use crate::{
    kernel::{Address, layout},
    maps::FAMILIES,
};

const DATAPATH: Text = Text::new(RAISING_FAMILIES[0].as_bytes());
const VPORT: Text = Text::new(RAISING_FAMILIES[1].as_bytes());

/// `genl_register_family(family)`, which gives out the id.
#[fexit(function = "genl_register_family")]
pub fn family(ctx: FExitContext) -> i32 {
    let failed: i32 = ctx.arg(1);
    if failed == 0
        && let Some(family) = Address::argument(&ctx, 0)
        && let Some(name) = family.read(&layout::GENL_FAMILY_NAME)
        && [DATAPATH, VPORT].contains(&Text::from_memory(name).terminated())
        && let Some(id) = family.read::<u32>(&layout::GENL_FAMILY_ID)
        && let Some(entry) = FAMILIES.get_ptr_mut(id)
    {
        // SAFETY: a live entry of the map; the agent writes the same.
        unsafe { entry.write(OperationKind::GenlOpenvswitch as u32 | FAMILY_RAISES) };
    }
    0
}
