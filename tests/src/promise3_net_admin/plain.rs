//! What only Debian's plain kernels have, not those for the cloud: wireless, PPP, RDMA.
//! `cargo xtask test` runs these tests on such a kernel, too; on the others
//! they are ignored.

use std::io;

use anyhow::{Result, ensure};

use super::area::Area;
use super::{areas, ppp};
use crate::attack::ioctl;
use crate::rig::{Expected, Stage, Trials, Watch, errno_of};

/// What makes devices.
pub const POLICY: &str = deny_all_but!("link.*", "tun.*", "ioctl.ethtool", "route.*");

/// Takes a wireless device of the machine into the container: they cannot be made
/// there. It comes back when the container's network ends.
const WIRELESS: &str = "for phy in $(nsenter -t 1 -n iw phy | sed -n 's/^Wiphy //p'); do \
    nsenter -t 1 -n -m iw phy $phy set netns $$ && break; done; \
    ip link set $(ls /sys/class/net | grep wlan) name radio0";

/// Loads the driver once: each time it would make more of them.
const HAS_WIRELESS: &str = "modprobe mac80211_hwsim radios=8";

/// The areas with a tool.
pub const AREAS: &[Area] = &[
    Area {
        name: "wireless",
        allow: &["genl.nl80211"],
        probe: HAS_WIRELESS,
        set_up: WIRELESS,
        lines: &["iw dev radio0 set type ibss"],
    },
    Area {
        name: "wireless_extensions",
        allow: &["ioctl.wireless"],
        probe: HAS_WIRELESS,
        set_up: WIRELESS,
        lines: &[
            "iwconfig radio0 mode monitor",
            "iwconfig radio0 mode managed",
        ],
    },
    Area {
        name: "rdma",
        allow: &["rdma.*"],
        probe: "modprobe rdma_rxe",
        set_up: "true",
        // Its name is known in every namespace.
        lines: &["rdma link add rxe$$ type rxe netdev dev0"],
    },
];

pub fn add(trials: &mut Trials) {
    areas::add(trials, AREAS);
    ppp::add(trials);
    let probe = "[ -e /proc/net/wireless ]";
    let name = "siocsiwcommit_is_looked_at_unguarded";
    trials.where_it_is(probe, POLICY, name, |stage| {
        let errno = errno_of(&stage.unguarded()?.attempt(commit)?);
        ensure!(errno == libc::EOPNOTSUPP, "errno {errno}");
        Ok(())
    });
    trials.where_it_is(probe, POLICY, "siocsiwcommit_is_refused", refused);
}

/// The kernel asks for the capability before it looks whether the device is wireless.
fn commit() -> io::Result<()> {
    ioctl::wireless_commit("lo")
}

fn refused(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errno = errno_of(&container.attempt(commit)?);
    ensure!(errno == libc::EPERM, "errno {errno}");
    Expected::of("ioctl.wireless", "ioctl").check(&watch.events()?)
}
