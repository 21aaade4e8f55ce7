//! Flags that the kernel reads from a device and asks for again: what a packet
//! socket of somebody else's brought about would become the device's own, and
//! outlive the socket.

use super::VICTIM;
use crate::attack::kind::{ipvlan, ipvlan_mode_l3, vrf};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{Membership, Target, index_of, packet};
use crate::rig::{Attack, Expected, Trials, make};

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
