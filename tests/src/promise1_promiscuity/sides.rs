//! Lines that a policy draws, from the side on which nothing is refused; and datagrams
//! of which a part is.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Result, ensure};
use nix::sched::{CloneFlags, unshare};

use super::exceptions::{EXCEPTED, EXCEPTIONS};
use super::{VICTIM, flag};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::netlink::datagram;
use crate::attack::sockopt::open_socket;
use crate::attack::{IFF_PROMISC, Message, Target, index_of, ioctl, transact};
use crate::rig::{
    Container, Expected, Refusal, Stage, Trials, USUAL_POLICY, Watch, errno_of, make,
};

pub fn add(trials: &mut Trials) {
    a_part_of_a_datagram(trials);
    trials.guarded(
        USUAL_POLICY,
        "rtm_setlink_keep_behind_another_change_in_a_datagram_passes",
        keep_behind_mtu,
    );
    trials.guarded(
        USUAL_POLICY,
        "rtm_setlink_to_another_process_is_judged_on_netlink_route_alone",
        to_another_process,
    );
    trials.guarded(
        EXCEPTIONS,
        "names_beside_the_excepted_ones_pass",
        other_names,
    );
    trials.guarded(
        USUAL_POLICY,
        "a_master_that_is_not_there_is_refused_as_unjudged",
        absent_master,
    );
    trials.guarded(
        USUAL_POLICY,
        "everyday_work_in_an_own_network_namespace_passes",
        own_namespace,
    );
}

/// Decision 4: one refused message refuses them all.
fn a_part_of_a_datagram(trials: &mut Trials) {
    let act = || {
        let target = || change(RTM_SETLINK, Target::Name(VICTIM));
        transact(&[
            target().mtu(1_300),
            target().flags(IFF_PROMISC, IFF_PROMISC),
        ])
    };
    let effect = || Ok(mtu()? == "1300\n");
    let name = "rtm_setlink_of_an_mtu_before_promisc_in_a_datagram";
    Refusal::new(name, flag("RTM_SETLINK"), act, effect)
        .on(|| make::dummy(VICTIM))
        .twins(trials);
}

fn mtu() -> io::Result<String> {
    std::fs::read_to_string(format!("/sys/class/net/{VICTIM}/mtu"))
}

/// The other side of that, and of what is followed inside a datagram.
fn keep_behind_mtu(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| {
        make::dummy(VICTIM)?;
        make::promiscuous(VICTIM)
    })?;
    let watch = Watch::begin(stage)?;
    let target = || change(RTM_SETLINK, Target::Name(VICTIM));
    let mtu = container.run(|| {
        transact(&[target().mtu(1_300), target().flags(IFF_PROMISC, 0)])?;
        mtu()
    })?;
    ensure!(mtu == "1300\n", "{mtu}");
    let state = container.device(VICTIM)?;
    ensure!(state.promiscuity == 1 && !state.is_up(), "{state:?}");
    watch.saw_no_rise()?;
    watch.saw_no_event()
}

fn promisc() -> Message {
    change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, IFF_PROMISC)
}

/// Decision 4: the hook does not see the receiver, but the protocol.
fn to_another_process(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    for (protocol, errno) in [
        (libc::NETLINK_USERSOCK, 0),
        (libc::NETLINK_ROUTE, libc::EPERM),
    ] {
        let sent = container.run(|| {
            let receiver = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
            let sender = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
            Ok(errno_of(&send_to(&sender, port_of(&receiver)?)))
        })?;
        ensure!(sent == errno, "protocol {protocol}: errno {sent}");
    }
    Ok(())
}

/// Binds a socket, and tells its address.
fn port_of(socket: &OwnedFd) -> io::Result<libc::sockaddr_nl> {
    // SAFETY: all zeroes are a value of this struct.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    let mut len = size_of_val(&address) as libc::socklen_t;
    let place = (&raw mut address).cast::<libc::sockaddr>();
    // SAFETY: the address lives through the calls, and `len` is its length.
    let done = unsafe {
        libc::bind(socket.as_raw_fd(), place, len) == 0
            && libc::getsockname(socket.as_raw_fd(), place, &raw mut len) == 0
    };
    if done {
        Ok(address)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn send_to(socket: &OwnedFd, address: libc::sockaddr_nl) -> io::Result<()> {
    let bytes = datagram(&[promisc()]);
    // SAFETY: bytes and address are as long as said.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Decision 6: only the names that the policy excepts are not to be taken.
fn other_names(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::down(VICTIM, "dummy"))?;
    let watch = Watch::begin(stage)?;
    container.run(|| {
        ioctl::rename(VICTIM, "other0")?;
        let message = change(RTM_SETLINK, Target::Index(index_of("other0")?));
        link::request(message.name("other1"))?;
        make::down("other2", "dummy")?;
        index_of("other1").map(drop)
    })?;
    ensure!(index_in(&container, EXCEPTED)? == 0);
    watch.saw_no_event()
}

fn index_in(container: &Container, name: &str) -> Result<u32> {
    container.set_up(|| Ok(index_of(name).unwrap_or(0)))
}

/// Decision 7: what cannot be judged is refused. (Unguarded it is EINVAL.)
fn absent_master(stage: &Stage<'_>) -> Result<()> {
    const NONE: u32 = 987_654;
    let enslave = |container: &Container| {
        container.set_up(|| make::dummy(VICTIM))?;
        let message = || change(RTM_SETLINK, Target::Name(VICTIM)).master(NONE);
        container.attempt(|| link::request(message()))
    };
    let unguarded = errno_of(&enslave(&stage.unguarded()?)?);
    ensure!(unguarded == libc::EINVAL, "unguarded: errno {unguarded}");
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let guarded = errno_of(&enslave(&container)?);
    ensure!(guarded == libc::EPERM, "guarded: errno {guarded}");
    Expected::of("promiscuous.unjudged", "RTM_SETLINK").check(&watch.events()?)
}

/// Decision 8: a deny holds in namespaces of one's own; the rest works there.
fn own_namespace(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let promisc = container.run(|| {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        make::up("lo")?;
        make::dummy(VICTIM)?;
        make::down("other0", "dummy")?;
        ioctl::set_mtu(VICTIM, 1_300)?;
        ioctl::rename("other0", "other1")?;
        let target = change(RTM_SETLINK, Target::Name(VICTIM));
        link::request(target.address([2, 0, 0, 0, 0, 7]))?;
        Ok(errno_of(&link::request(promisc())))
    })?;
    ensure!(promisc == libc::EPERM, "errno {promisc}");
    watch.saw_no_rise()?;
    flag("RTM_SETLINK").check(&watch.events()?)
}
