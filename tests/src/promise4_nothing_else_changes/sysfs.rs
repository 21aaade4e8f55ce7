//! What was judged of one call is not for the next.

use std::io;

use anyhow::{Result, ensure};

use crate::attack::ioctl::set_mtu;
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Target, sysfs};
use crate::rig::{Container, Trials, USUAL_POLICY, errno_of, make, with_none_in_effect};

const DEVICE: &str = "device0";

pub fn add(trials: &mut Trials) {
    trials.guarded(
        USUAL_POLICY,
        "a_write_to_sysfs_refused_by_another_module_leaves_nothing_behind",
        |stage| nothing_is_left(&stage.guarded()?),
    );
    trials.unguarded(
        USUAL_POLICY,
        "a_write_to_sysfs_refused_by_another_module_leaves_nothing_behind_unguarded",
        |stage| nothing_is_left(&stage.unguarded()?),
    );
}

/// The capability module refuses the write after it was judged, and the question
/// never comes to us. The refusal once stayed with the task, and met what it did
/// next.
fn nothing_is_left(container: &Container) -> Result<()> {
    container.set_up(|| make::dummy(DEVICE))?;
    let errnos = container.run(|| {
        let write = || sysfs::set_flags(DEVICE, IFF_UP | IFF_PROMISC);
        let written = with_none_in_effect(write);
        let next: [io::Result<()>; 3] = [
            sysfs::write(DEVICE, "mtu", "1400"),
            link::request(change(RTM_SETLINK, Target::Name(DEVICE)).mtu(1401)),
            set_mtu(DEVICE, 1402),
        ];
        let next = next.map(|result| errno_of(&result));
        Ok((errno_of(&written), next))
    })?;
    ensure!(errnos == (libc::EPERM, [0; 3]), "{errnos:?}");
    Ok(())
}
