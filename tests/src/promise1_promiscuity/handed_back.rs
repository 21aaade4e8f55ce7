//! Flags that the kernel reads from a device and asks for again: what a packet
//! socket of somebody else's brought about would become the device's own, and
//! outlive the socket.

use std::io;
use std::os::fd::OwnedFd;

use super::VICTIM;
use super::addresses::{Act, prepared};
use crate::attack::kind::{ipvlan, ipvlan_mode_l3, vrf};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change, create};
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
    shares_a_mode(trials);
}

/// All ipvlans of a device share a mode, and a change of it sets the flags of each anew
/// (`ipvlan_set_port_mode`).
fn shares_a_mode(trials: &mut Trials) {
    let ways: [(&str, Act); 4] = [
        ("ipvlan_that_somebody_listens_on_changes_its_mode", || {
            change_mode(VICTIM)
        }),
        (
            "ipvlan_beside_one_that_somebody_listens_on_changes_its_mode",
            || change_mode("other0"),
        ),
        ("ipvlan_made_beside_one_that_somebody_listens_on", || {
            link::request(create("new0", "ipvlan").lower(index_of(LOWER)?))
        }),
        ("ipvlan_made_over_one_that_somebody_listens_on", || {
            link::request(create("new0", "ipvlan").lower(index_of(VICTIM)?))
        }),
    ];
    for (name, act) in ways {
        let stacked = Expected::of("promiscuous.stacked", "RTM_NEWLINK");
        Attack::new(name, VICTIM, stacked, act)
            .on(|| {
                two_ipvlans()?;
                packet::join(index_of(VICTIM)?, Membership::Promiscuous)
            })
            .needs(&["ipvlan"])
            .twins(trials);
    }
    trials.guarded(
        USUAL_POLICY,
        "ipvlans_of_a_mode_of_their_own_pass",
        |stage| {
            let container = stage.guarded()?;
            container.set_up(two_ipvlans)?;
            let watch = Watch::begin(stage)?;
            container.run(|| {
                change_mode("other0")?;
                link::request(create("new0", "ipvlan").lower(index_of(LOWER)?))?;
                link::request(create("new1", "ipvlan").lower(index_of("new0")?))
            })?;
            watch.saw_no_rise()?;
            watch.saw_no_event()
        },
    );
}

fn two_ipvlans() -> io::Result<()> {
    make::dummy(LOWER)?;
    for name in [VICTIM, "other0"] {
        link::request(ipvlan(name, index_of(LOWER)?))?;
    }
    make::up(VICTIM)
}

fn change_mode(name: &str) -> io::Result<()> {
    let message = change(RTM_NEWLINK, Target::Name(name));
    link::request(message.link_info("ipvlan", &ipvlan_mode_l3()))
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
