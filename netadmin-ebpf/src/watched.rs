//! Whether a call can matter under any policy in force: what each program asks
//! first. A global and no map of its own, so that asking is one load; the agent
//! writes it before the policies that it is about come into force.

use core::ptr::addr_of;

use netadmin_common::watched::Watched;

use crate::globals::Shared;

/// Until the agent says otherwise, everything matters.
#[unsafe(link_section = ".data.watched")]
#[unsafe(no_mangle)]
static WATCHED: Shared<Watched> = Shared::new(Watched::ALL);

/// 1 once a new cgroup found no room in `GUARDS`. What has no entry is then under
/// its nearest ancestor that has one.
#[unsafe(link_section = ".data.overflow")]
#[unsafe(no_mangle)]
static OVERFLOW: Shared<u32> = Shared::new(0);

/// Reads one field of [`WATCHED`].
macro_rules! watched {
    ($field:ident) => {
        // SAFETY: a whole word of a live global.
        unsafe { addr_of!((*WATCHED.0.get()).$field).read_volatile() }
    };
}

/// Whether some policy rules on pieces of the capability.
#[inline(always)]
pub fn pieces() -> bool {
    watched!(pieces) != 0
}

/// How an option of this number matters, at whatever level.
#[derive(Clone, Copy)]
pub enum Concern {
    /// Not at all.
    None,
    /// Where the registers may not name it.
    Line,
    /// Its value does.
    Value,
}

/// How an option matters under the policies in force.
#[inline(always)]
pub fn option(optname: u32) -> Concern {
    if watched!(lines).wrapping_shr(optname) & 1 != 0 {
        Concern::Line
    } else if watched!(values).wrapping_shr(optname) & 1 != 0 {
        Concern::Value
    } else {
        Concern::None
    }
}

/// Whether a new cgroup ever found no room.
#[inline(always)]
pub fn has_overflowed() -> bool {
    // SAFETY: a live global.
    unsafe { OVERFLOW.0.get().read_volatile() != 0 }
}

/// Says that a new cgroup found no room.
#[inline(always)]
pub fn set_overflow() {
    // SAFETY: a live global, which is only ever set to this.
    unsafe { OVERFLOW.0.get().write_volatile(1) };
}
