//! Datagrams as long as the walk goes, one header shorter, and one longer.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Result, ensure};

use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::netlink::{NLMSG_NOOP, datagram, route_socket, send};
use crate::attack::{IFF_PROMISC, Message, SocketOption, Target};
use crate::rig::{Container, Stage, Trials, Watch, errno_of, make};

/// `netadmin_common::netlink::MAX_STEPS`.
const MAX_STEPS: usize = 1 << 17;
/// The last message, its one attribute, the end of its attributes, the end.
const LAST: usize = 4;
const MTU: u32 = 1_234;
const DEVICE: &str = "dev0";
/// Given, because messages are made before there is a device to ask for it.
const INDEX: u32 = 7_001;

/// Does not rule on `SO_SNDBUFFORCE`, which so long a datagram needs.
const POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
"#;

pub fn add(trials: &mut Trials) {
    for (name, headers, passes) in [
        ("one_below_the_bound_passes", MAX_STEPS - 1, true),
        ("at_the_bound_passes", MAX_STEPS, true),
        ("one_above_the_bound_is_refused", MAX_STEPS + 1, false),
    ] {
        let name = format!("netlink_datagram_{name}");
        trials.unguarded(
            POLICY,
            &format!("{name}_succeeds_unguarded"),
            move |stage| changes_the_mtu(&stage.unguarded()?, headers),
        );
        trials.guarded(POLICY, &name, move |stage| {
            is_judged(stage, headers, passes)
        });
    }
    trials.guarded(
        POLICY,
        "netlink_datagram_at_the_bound_that_ends_in_promisc_is_refused",
        |stage| {
            let container = stage.guarded()?;
            ensure!(post(&container, MAX_STEPS, promisc)? == libc::EPERM);
            ensure!(container.device(DEVICE)?.promiscuity == 0);
            Ok(())
        },
    );
}

fn mtu() -> Message {
    let message = change(RTM_SETLINK, Target::Index(INDEX));
    message.mtu(MTU)
}

fn promisc() -> Message {
    change(RTM_SETLINK, Target::Index(INDEX))
        .flags(IFF_PROMISC, IFF_PROMISC)
        .mtu(MTU)
}

/// Sends a datagram of so many headers, of which all but the last message's do
/// nothing; the errno.
fn post(container: &Container, headers: usize, last: fn() -> Message) -> Result<i32> {
    container.set_up(|| {
        link::request(link::create(DEVICE, "dummy").index(INDEX))?;
        make::up(DEVICE)
    })?;
    let nothing = Message::new(NLMSG_NOOP, 0, &[]);
    let mut bytes = datagram(&vec![nothing; headers - LAST]);
    bytes.extend(datagram(&[last()]));
    container.run(|| Ok(errno_of(&send(&large_socket()?, &bytes))))
}

fn large_socket() -> io::Result<OwnedFd> {
    let socket = route_socket()?;
    SocketOption::SndBufForce.set(socket.as_fd(), 4 << 20)?;
    Ok(socket)
}

fn mtu_of(container: &Container) -> Result<u32> {
    container.set_up(|| {
        let text = std::fs::read_to_string(format!("/sys/class/net/{DEVICE}/mtu"))?;
        text.trim().parse().map_err(io::Error::other)
    })
}

fn changes_the_mtu(container: &Container, headers: usize) -> Result<()> {
    let errno = post(container, headers, mtu)?;
    ensure!(errno == 0, "errno {errno}");
    ensure!(
        mtu_of(container)? == MTU,
        "the last message was not acted upon"
    );
    Ok(())
}

fn is_judged(stage: &Stage<'_>, headers: usize, passes: bool) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    if passes {
        changes_the_mtu(&container, headers)?;
        return watch.saw_no_event();
    }
    let errno = post(&container, headers, mtu)?;
    let events = watch.events()?;
    ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
    ensure!(mtu_of(&container)? != MTU, "refused, but acted upon");
    ensure!(events.len() == 1, "{events:#?}");
    Ok(())
}
