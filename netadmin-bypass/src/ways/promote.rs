//! `PACKET_ADD_MEMBERSHIP`, and becoming the port of a master.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::device::{UPPER, VICTIM};
use super::{Call, Effect, Path};
use crate::attack::ioctl::{bond_enslave, bridge_add_port, bridge_add_port_private};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::packet::{MREQ_LEN, add_membership, packet_socket};
use crate::attack::{Membership, Target, index_of, openvswitch};
use crate::make;

const RISE: Effect = Effect::Promiscuity(VICTIM);
/// One byte more than a page, from where on the kernel ignores the copy that a
/// BPF program has seen, unless that says otherwise.
const LONG: usize = 4097;

pub fn paths() -> Vec<Path> {
    let mut paths = memberships();
    paths.extend(bridge_ports());
    paths.extend(datapath_ports());
    paths.extend(promiscuous_masters());
    paths
}

fn memberships() -> Vec<Path> {
    let join = |membership, optlen| {
        move || -> io::Result<OwnedFd> {
            let socket = packet_socket()?;
            add_membership(socket.as_fd(), index_of(VICTIM)?, membership, optlen)?;
            Ok(socket)
        }
    };
    let path = |name, membership, optlen| {
        Path::new(name, Call::Setsockopt, RISE, join(membership, optlen)).on(|| make::dummy(VICTIM))
    };
    vec![
        path("PACKET_MR_PROMISC", Membership::Promiscuous, MREQ_LEN).by_every_route(),
        path(
            "PACKET_MR_PROMISC, optlen 4097",
            Membership::Promiscuous,
            LONG,
        ),
        path(
            "PACKET_MR_UNICAST, no filter",
            Membership::Unicast,
            MREQ_LEN,
        ),
    ]
}

fn bridge_ports() -> Vec<Path> {
    let set_up = || {
        make::dummy(VICTIM)?;
        make::bridge(UPPER)
    };
    let by_message =
        |kind| move || link::request(change(kind, Target::Name(VICTIM)).master(index_of(UPPER)?));
    let at_creation = || link::request(link::create(VICTIM, "dummy").master(index_of(UPPER)?));
    let by_ioctl = || bridge_add_port(UPPER, index_of(VICTIM)?);
    let private = || bridge_add_port_private(UPPER, index_of(VICTIM)?);
    let set_link = by_message(RTM_SETLINK);
    let new_link = by_message(RTM_NEWLINK);
    vec![
        Path::new("bridge port, RTM_SETLINK", Call::Netlink, RISE, set_link).on(set_up),
        Path::new("bridge port, RTM_NEWLINK", Call::Netlink, RISE, new_link).on(set_up),
        Path::new("bridge port, at creation", Call::Netlink, RISE, at_creation)
            .on(|| make::bridge(UPPER)),
        Path::new("bridge port, SIOCBRADDIF", Call::Ioctl, RISE, by_ioctl).on(set_up),
        Path::new("bridge port, SIOCDEVPRIVATE", Call::Ioctl, RISE, private).on(set_up),
    ]
}

fn datapath_ports() -> Vec<Path> {
    let is_there = || {
        openvswitch::add_datapath(UPPER)?;
        openvswitch::delete_datapath(UPPER)
    };
    let port = || openvswitch::add_port(UPPER, VICTIM);
    vec![
        Path::new("Open vSwitch port", Call::Netlink, RISE, port).on(|| {
            make::dummy(VICTIM)?;
            openvswitch::add_datapath(UPPER)
        }),
        Path::new("Open vSwitch datapath", Call::Netlink, RISE, || {
            openvswitch::add_datapath(VICTIM)
        })
        .on(is_there),
    ]
}

/// A promiscuous bond or team hands it to whoever joins. (A guard that refuses
/// to make the bond promiscuous has closed the way.)
fn promiscuous_masters() -> Vec<Path> {
    let master = |link_type| {
        move || {
            make::down(VICTIM, "dummy")?;
            make::down(UPPER, link_type)?;
            make::up(UPPER)?;
            make::promiscuous(UPPER)
        }
    };
    let enslave = || make::enslave(VICTIM, UPPER);
    vec![
        Path::new(
            "promiscuous bond, RTM_SETLINK",
            Call::Netlink,
            RISE,
            enslave,
        )
        .on(master("bond")),
        Path::new(
            "promiscuous bond, SIOCBONDENSLAVE",
            Call::Ioctl,
            RISE,
            || bond_enslave(UPPER, VICTIM),
        )
        .on(master("bond")),
        Path::new(
            "promiscuous team, RTM_SETLINK",
            Call::Netlink,
            RISE,
            enslave,
        )
        .on(master("team")),
    ]
}
