//! The shared records, as aya's typed maps want them.

use netadmin_common::ethtool::{EthtoolPlace, Sight};
use netadmin_common::glob::GlobRecord;
use netadmin_common::guard::Room;
use netadmin_common::unentered::Unentered;
use netadmin_common::watched::Watched;
use netadmin_common::{GuardEntry, PolicyRecord, event::EventAccount};

use aya::maps::{MapData, MapError, PerCpuArray};

/// A record that crosses the border to the kernel.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<T>(pub T);

// SAFETY: `repr(C)`, fixed widths, explicit padding (asserted in netadmin-common),
// and any bytes are a value.
unsafe impl aya::Pod for Record<PolicyRecord> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<GuardEntry> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<EventAccount> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<GlobRecord> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<Watched> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<Room> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<Unentered> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<EthtoolPlace> {}
// SAFETY: as above.
unsafe impl aya::Pod for Record<Sight> {}

/// The programs' account of the events, for each processor.
pub type Account = PerCpuArray<MapData, Record<EventAccount>>;

/// The sum over all processors.
pub fn sum(account: &Account) -> Result<EventAccount, MapError> {
    let cpus = account.get(&0, 0)?;
    let cpus = cpus.iter().map(|cpu| &cpu.0);
    Ok(cpus.fold(EventAccount::default(), |sum, cpu| sum.plus(cpu)))
}
