//! Room in the map of guarded cgroups. Entries that only inherit may not fill it:
//! beyond their part, what has no entry is under its nearest ancestor that has one.

use core::ptr::addr_of;

use netadmin_common::{
    GuardEntry, GuardRecord,
    birth::Known,
    guard::{Room, entered_place},
};

use crate::{
    globals::Shared,
    guard,
    kernel::Address,
    maps::{ENTERED, GUARDS},
    unentered, watched,
};

/// `E2BIG` (asm-generic/errno-base.h): what a full map answers.
const E2BIG: i32 = 7;

/// The agent's word.
#[unsafe(link_section = ".data.room")]
#[unsafe(no_mangle)]
static ROOM: Shared<Room> = Shared::new(Room {
    admitted: 0,
    most: i64::MAX,
});

/// Entries that inherit: made here, less those removed here. Births and deaths of
/// cgroups come one at a time (`TRACE_CGROUP_PATH` takes `trace_cgroup_path_lock`).
#[unsafe(link_section = ".data.born")]
#[unsafe(no_mangle)]
static BORN: Shared<i64> = Shared::new(0);

/// Why a new cgroup has no entry.
pub struct Failure {
    /// The kernel's, or `-E2BIG` for one that its ancestors guard as well.
    pub errno: i32,
    /// Its number among the [`unentered`], or 0.
    pub number: u64,
}

/// Enters a new cgroup, if there is room. What finds none is noted.
#[inline(always)]
pub fn enter(group: Address, id: u64, record: GuardRecord) -> Result<(), Failure> {
    let record = record.inheriting(guard::is_inherited(group, &record));
    if record.inherits() && is_full() {
        watched::set_overflow();
        return Err(Failure {
            errno: -E2BIG,
            number: 0,
        });
    }
    ENTERED
        .set(entered_place(id), 1, 0)
        .and_then(|()| GUARDS.insert(id, GuardEntry::new(id, &record), 0))
        .map_err(|errno| Failure {
            errno,
            number: unentered::note(group, id),
        })?;
    count(&record, 1);
    Ok(())
}

/// Removes a cgroup that is gone.
#[inline(always)]
pub fn leave(id: u64) {
    if let Known::Guard(record) = guard::copy_of(id) {
        count(&record, -1);
        let _unguarded = GUARDS.remove(id);
    }
}

#[inline(always)]
fn is_full() -> bool {
    let room = ROOM.0.get();
    // SAFETY: whole words of live globals.
    let (admitted, most, born) = unsafe {
        (
            addr_of!((*room).admitted).read_volatile(),
            addr_of!((*room).most).read_volatile(),
            BORN.0.get().read_volatile(),
        )
    };
    born + admitted >= most
}

#[inline(always)]
fn count(record: &GuardRecord, change: i64) {
    if record.inherits() {
        // SAFETY: a live global; nobody else writes it meanwhile.
        unsafe {
            BORN.0
                .get()
                .write_volatile(BORN.0.get().read_volatile() + change)
        };
    }
}
