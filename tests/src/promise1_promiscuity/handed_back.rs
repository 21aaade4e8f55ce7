//! Flags that the kernel reads from a device and asks for again: what a packet
//! socket of somebody else's brought about would become the device's own, and
//! outlive the socket.

use std::io;
use std::os::fd::OwnedFd;

use super::VICTIM;
use super::addresses::prepared;
use crate::attack::kind::{ipvlan, ipvlan_mode_l3, vrf};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{Membership, Target, index_of, packet};
use crate::rig::{Attack, Expected, Trials, USUAL_POLICY, Watch, make};

const VRF: &str = "vrf0";
const LOWER: &str = "lower0";

pub fn add(trials: &mut Trials) {
    let stacked = |via| Expected {
        operation: "promiscuous.stacked",
        via,
        interface: Some(VICTIM),
    };
    // cycle_netdev.
    Attack::new(
        "vrf_gets_a_device_that_somebody_listens_on",
        VICTIM,
        stacked("RTM_SETLINK"),
        || {
            let message = change(RTM_SETLINK, Target::Name(VICTIM));
            link::request(message.master(index_of(VRF)?))
        },
    )
    .on(|| {
        make::dummy(VICTIM)?;
        link::request(vrf(VRF, 10))?;
        packet::join(index_of(VICTIM)?, Membership::Promiscuous)
    })
    .needs(&["vrf"])
    .twins(trials);
    leaves_vrf(trials);
    // ipvlan_set_port_mode.
    Attack::new(
        "ipvlan_that_somebody_listens_on_changes_its_mode",
        VICTIM,
        stacked("RTM_NEWLINK"),
        || {
            let message = change(RTM_NEWLINK, Target::Name(VICTIM));
            link::request(message.link_info("ipvlan", &ipvlan_mode_l3()))
        },
    )
    .on(|| {
        make::dummy(LOWER)?;
        link::request(ipvlan(VICTIM, index_of(LOWER)?))?;
        make::up(VICTIM)?;
        packet::join(index_of(VICTIM)?, Membership::Promiscuous)
    })
    .needs(&["ipvlan"])
    .twins(trials);
}

/// A vrf with a port that somebody listens on.
fn listened_port() -> io::Result<OwnedFd> {
    link::request(vrf(VRF, 10))?;
    make::dummy(VICTIM)?;
    make::enslave(VICTIM, VRF)?;
    packet::join(index_of(VICTIM)?, Membership::Promiscuous)
}

/// The vrf goes (`vrf_dellink`).
fn leaves_vrf(trials: &mut Trials) {
    let stacked = |via, interface| Expected {
        operation: "promiscuous.stacked",
        via,
        interface: Some(interface),
    };
    let gone = stacked("rtnetlink", VRF);
    Attack::new(
        "vrf_of_a_device_that_somebody_listens_on_deleted",
        VICTIM,
        gone,
        || link::delete(VRF),
    )
    .on(listened_port)
    .needs(&["vrf"])
    .twins(trials);
    trials.guarded(USUAL_POLICY, "vrf_of_quiet_devices_deleted_passes", |stage| {
        let container = stage.guarded()?;
        let watch = Watch::begin(stage)?;
        container.run(prepared(
            "ip link add r0 type vrf table 9 && ip link set r0 up && ip link add r1 type vrf table 8 \
             && ip link set r1 up && ip link add d0 type dummy && ip link set d0 up \
             && ip link set d0 master r0 && ip link set d0 master r1 && ip link del r1 \
             && ip link del r0 && ip link del d0",
        ))?;
        watch.saw_no_rise()?;
        watch.saw_no_event()
    });
}
