//! What only Debian's plain kernels have, not those for the cloud: rings and pairs of CAN
//! devices. (See promise3_net_admin/plain.rs.)

use super::VICTIM;
use super::addresses::{permitted, prepared};
use crate::attack::IFF_PROMISC;
use crate::attack::kind::pair;
use crate::attack::link;
use crate::rig::{Attack, Expected, Trials};

pub fn add(trials: &mut Trials) {
    // vxcan_newlink.
    Attack::new(
        "rtm_newlink_of_a_vxcan_whose_peer_has_promisc",
        VICTIM,
        Expected::of("promiscuous.flag", "RTM_NEWLINK"),
        || link::request(pair("first0", "vxcan", VICTIM, IFF_PROMISC)),
    )
    .needs(&["vxcan"])
    .twins(trials);
    // hsr_portdev_setup.
    Attack::new(
        "hsr_ring_made",
        VICTIM,
        Expected::of("promiscuous.bridge_port", "RTM_NEWLINK"),
        || permitted("ip link add h0 type hsr slave1 d0 slave2 victim0 supervision 45"),
    )
    .on(prepared(
        "ip link add d0 type dummy && ip link set d0 up \
         && ip link add victim0 type dummy && ip link set victim0 up",
    ))
    .needs(&["hsr"])
    .twins(trials);
}
