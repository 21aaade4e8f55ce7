//! What only Debian's plain kernels have, not those for the cloud: wireless, CAN, PPP,
//! RDMA, QRTR. `cargo xtask test` runs these tests on such a kernel, too; on the others
//! they are ignored.

use std::io;

use anyhow::{Result, ensure};

use super::area::Area;
use super::{areas, ppp};
use crate::attack::{bind, ioctl};
use crate::rig::{Cgroup, Container, Expected, Stage, Trials, Watch, errno_of};

/// What makes devices.
pub const POLICY: &str = deny_all_but!("link.*", "tun.*", "ioctl.ethtool.*", "route.*");

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
        name: "can_gateway",
        allow: &["can.*"],
        probe: "modprobe -a vcan can-gw",
        set_up: "ip link add can0 type vcan && ip link add can1 type vcan",
        lines: &["cangw -A -s can0 -d can1 -e", "cangw -D -s can0 -d can1 -e"],
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
    twins(trials, "siocsiwcommit", "[ -e /proc/net/wireless ]", COMMIT);
    twins(trials, "qrtr_bind", "modprobe qrtr", QRTR);
    twins(trials, "bluetooth_bind", "modprobe bluetooth", BLUETOOTH);
}

/// What needs no device, because the kernel asks before it looks for one. (Bluetooth
/// and QRTR are of the host's network alone.)
#[derive(Clone, Copy)]
struct Asked {
    act: fn() -> io::Result<()>,
    operation: &'static str,
    via: &'static str,
    /// With the capability; 0: it succeeds.
    errno: i32,
    errno_without: i32,
}

/// Of a device that is not wireless.
const COMMIT: Asked = Asked {
    act: || ioctl::wireless_commit("lo"),
    operation: "ioctl.wireless",
    via: "ioctl",
    errno: libc::EOPNOTSUPP,
    errno_without: libc::EPERM,
};

/// `qrtr_port_assign`.
const QRTR: Asked = Asked {
    act: bind::qrtr_port,
    operation: "unclassified",
    via: "capable",
    errno: 0,
    errno_without: libc::EACCES,
};

/// `hci_sock_bind`.
const BLUETOOTH: Asked = Asked {
    act: bind::bluetooth_user_channel,
    operation: "unclassified",
    via: "capable",
    errno: libc::ENODEV,
    errno_without: libc::EPERM,
};

fn twins(trials: &mut Trials, name: &str, probe: &'static str, asked: Asked) {
    let unguarded = format!("{name}_is_looked_at_unguarded");
    trials.where_it_is(probe, POLICY, &unguarded, move |_stage| {
        let container = Container::on_the_host(&Cgroup::make(Cgroup::FREE)?)?;
        let errno = errno_of(&container.attempt(asked.act)?);
        ensure!(errno == asked.errno, "errno {errno}");
        Ok(())
    });
    let guarded = format!("{name}_is_refused");
    trials.where_it_is(probe, POLICY, &guarded, move |stage| refused(stage, asked));
}

fn refused(stage: &Stage<'_>, asked: Asked) -> Result<()> {
    let container = Container::on_the_host(&Cgroup::make(Cgroup::GUARDED)?)?;
    let watch = Watch::begin(stage)?;
    let errno = errno_of(&container.attempt(asked.act)?);
    ensure!(errno == asked.errno_without, "errno {errno}");
    Expected::of(asked.operation, asked.via).check(&watch.events()?)
}
