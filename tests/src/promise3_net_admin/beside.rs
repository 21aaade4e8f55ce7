//! What a message does beside the operation that it seems to be takes that other
//! operation, too.

use std::io;

use anyhow::{Result, ensure};

use crate::attack::Message;
use crate::attack::link::{self, RTM_DELLINK, Target};
use crate::attack::netlink::{transact, transact_on};
use crate::attack::process::shell;
use crate::attack::sockopt::open_socket;
use crate::rig::{Expected, Refusal, Stage, Trials, Watch, errno_of};

/// Removes links, and nothing else: not in other namespaces.
const DELETES: &str = deny_all_but!("link.delete");

/// All of IPsec but what moves states with their policies.
const IPSEC: &str = deny_all_but!("xfrm.policy", "xfrm.read");

/// Under which number init's namespace is known; linux/net_namespace.h.
const OUTSIDE: u32 = 7;
const RTM_NEWNSID: u16 = 88;
const NETNSA_NSID: u16 = 1;
const NETNSA_PID: u16 = 2;
const IFLA_TARGET_NETNSID: u16 = 46;

/// linux/xfrm.h, and the size of `struct xfrm_userpolicy_id`.
const XFRM_MSG_MIGRATE: u16 = 33;
const USERPOLICY_ID: [u8; 64] = [0; 64];

pub fn add(trials: &mut Trials) {
    let moves = Expected::of("link.namespace", "rtnetlink");
    let name = "rtm_dellink_in_another_namespace";
    Refusal::new(name, moves, delete_outside, is_deleted)
        .on(pair_with_outside)
        .under(DELETES)
        .twins(trials);
    trials.unguarded(IPSEC, "xfrm_migrate_is_looked_at_unguarded", |stage| {
        let errno = errno_of(&stage.unguarded()?.attempt(send_migrate)?);
        ensure!(errno == libc::EINVAL, "errno {errno}");
        Ok(())
    });
    trials.guarded(IPSEC, "xfrm_migrate_is_refused", migrate_is_refused);
}

/// `own0` here, and its other end outside.
fn pair_with_outside() -> io::Result<()> {
    let family = [0; 4];
    let names = Message::new(RTM_NEWNSID, 0, &family)
        .number(NETNSA_NSID, OUTSIDE)
        .number(NETNSA_PID, 1);
    transact(&[names])?;
    let made = shell("ip link add own0 type veth peer name outside0 netns 1")?;
    match made.status {
        0 => Ok(()),
        _ => Err(io::Error::other(made.stderr)),
    }
}

/// Root here has the capability over every namespace of the same user namespace.
fn delete_outside() -> io::Result<()> {
    let message = link::change(RTM_DELLINK, Target::Name("outside0"));
    transact(&[message.number(IFLA_TARGET_NETNSID, OUTSIDE)])
}

fn is_deleted() -> io::Result<bool> {
    Ok(shell("ip link show own0")?.status != 0)
}

/// Without what to migrate to: `xfrm_do_migrate` says EINVAL.
fn send_migrate() -> io::Result<()> {
    let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_XFRM)?;
    transact_on(
        &socket,
        &[Message::new(XFRM_MSG_MIGRATE, 0, &USERPOLICY_ID)],
    )
}

fn migrate_is_refused(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errno = errno_of(&container.attempt(send_migrate)?);
    ensure!(errno == libc::EPERM, "errno {errno}");
    let expected = Expected::of("xfrm.migrate", "netlink");
    expected.check(&watch.events()?)
}
