//! `PACKET_ADD_MEMBERSHIP`, which asks for no capability when it is called.

use std::os::fd::AsFd as _;

use anyhow::{Result, ensure};

use super::VICTIM;
use crate::attack::packet::{MREQ_LEN, add_membership, join, packet_socket};
use crate::attack::{Membership, index_of};
use crate::rig::{Attack, Expected, Stage, Trials, USUAL_POLICY, Watch, make};

const PAGE_SIZE: usize = 4096;

const JOINED: Expected = Expected {
    operation: "promiscuous.membership",
    via: "setsockopt",
    interface: None,
};

pub fn add(trials: &mut Trials) {
    for optlen in [MREQ_LEN, 40, PAGE_SIZE, PAGE_SIZE + 1, 1 << 16] {
        let name = format!("packet_add_membership_promisc_of_{optlen}_bytes");
        Attack::new(name, VICTIM, JOINED, move || {
            let socket = packet_socket()?;
            add_membership(
                socket.as_fd(),
                index_of(VICTIM)?,
                Membership::Promiscuous,
                optlen,
            )?;
            Ok(socket)
        })
        .on(|| make::dummy(VICTIM))
        .twins(trials);
    }
    // Promiscuous already, by flag: the count rises all the same.
    Attack::new(
        "packet_add_membership_promisc_on_top_of_the_flag",
        VICTIM,
        JOINED,
        || join(index_of(VICTIM)?, Membership::Promiscuous),
    )
    .on(|| {
        make::dummy(VICTIM)?;
        make::promiscuous(VICTIM)
    })
    .twins(trials);
    let unicast = Expected {
        operation: "promiscuous.unicast_filter",
        ..JOINED
    };
    Attack::new(
        "packet_add_membership_unicast_without_filter",
        VICTIM,
        unicast,
        || join(index_of(VICTIM)?, Membership::Unicast),
    )
    .on(|| make::dummy(VICTIM))
    .twins(trials);
    for (membership, name) in [
        (Membership::Multicast, "multicast"),
        (Membership::AllMulticast, "allmulti"),
    ] {
        let name = format!("packet_add_membership_{name}_passes");
        trials.guarded(USUAL_POLICY, &name, move |stage| passes(stage, membership));
    }
    trials.guarded(
        USUAL_POLICY,
        "packet_add_membership_unicast_with_filter_passes",
        unicast_on_a_filtering_device_passes,
    );
}

fn passes(stage: &Stage<'_>, membership: Membership) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy(VICTIM))?;
    let watch = Watch::begin(stage)?;
    let joined = container.attempt_and_hold(|| join(index_of(VICTIM)?, membership))?;
    joined.result?;
    ensure!(container.device(VICTIM)?.promiscuity == 0);
    watch.saw_no_rise()?;
    watch.saw_no_event()
}

/// A vlan hands the address down to the device below, which is a dummy and
/// would rise: so the vlan stands on a vlan.
fn unicast_on_a_filtering_device_passes(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::down("team0", "bond"))?;
    container.set_up(|| make::up("team0"))?;
    let watch = Watch::begin(stage)?;
    let joined = container.attempt_and_hold(|| join(index_of("team0")?, Membership::Unicast))?;
    joined.result?;
    ensure!(container.device("team0")?.promiscuity == 0);
    watch.saw_no_rise()?;
    watch.saw_no_event()
}
