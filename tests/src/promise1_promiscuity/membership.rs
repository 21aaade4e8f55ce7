//! `PACKET_ADD_MEMBERSHIP`, which asks for no capability when it is called.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Result, ensure};

use super::VICTIM;
use crate::attack::packet::{MREQ_LEN, add_membership, join, packet_socket};
use crate::attack::{Membership, index_of};
use crate::rig::{
    Attack, DeviceState, Expected, Refusal, Stage, Trials, USUAL_POLICY, Watch, make,
};

const PAGE_SIZE: usize = 4096;

const JOINED: Expected = Expected {
    operation: "promiscuous.membership",
    via: "PACKET_ADD_MEMBERSHIP",
    interface: Some(VICTIM),
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
    on_a_socket_from_outside("promisc", Membership::Promiscuous, || {
        Ok(DeviceState::read(VICTIM)?.promiscuity == 1)
    })
    .twins(trials);
    on_a_socket_from_outside("multicast", Membership::Multicast, receives_multicast).twins(trials);
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

/// A bond filters unicast addresses.
fn unicast_on_a_filtering_device_passes(stage: &Stage<'_>) -> Result<()> {
    const BOND: &str = "filter0";
    let container = stage.guarded()?;
    container.set_up(|| {
        make::down(BOND, "bond")?;
        make::up(BOND)
    })?;
    let watch = Watch::begin(stage)?;
    let joined = container.attempt_and_hold(|| join(index_of(BOND)?, Membership::Unicast))?;
    joined.result?;
    ensure!(container.device(BOND)?.promiscuity == 0);
    watch.saw_no_rise()?;
    watch.saw_no_event()
}

/// On a socket that was made elsewhere it cannot be known what is asked for, so
/// every membership is refused (decision 9).
fn on_a_socket_from_outside(
    name: &str,
    membership: Membership,
    effect: fn() -> io::Result<bool>,
) -> Refusal {
    let expected = Expected {
        interface: None,
        ..JOINED
    };
    let join = move |socket: OwnedFd| {
        add_membership(socket.as_fd(), index_of(VICTIM)?, membership, MREQ_LEN)?;
        Ok(socket)
    };
    let name = format!("packet_add_membership_{name}_on_a_socket_from_outside");
    Refusal::with_inherited(name, expected, packet_socket, join, effect).on(|| make::dummy(VICTIM))
}

/// Whether the victim receives the group that [`add_membership`] joins.
fn receives_multicast() -> io::Result<bool> {
    let groups = fs::read_to_string("/proc/self/net/dev_mcast")?;
    let joined = |line: &str| line.contains(VICTIM) && line.ends_with("01005e010203");
    Ok(groups.lines().any(joined))
}
