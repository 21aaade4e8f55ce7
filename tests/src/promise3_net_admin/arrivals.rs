//! The same operations on every way that a call can arrive: by other ABIs, by
//! other calls, by io_uring. And a family that registers late; and audit mode.

use std::io;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};

use super::differential::families::id;
use crate::attack::ioctl;
use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::attack::netlink::{datagram, first_error, route_socket, send};
use crate::attack::process::shell;
use crate::attack::sockopt::{open_socket, set_bytes, udp_socket};
use crate::attack::{Abi, Arrival, Message, Route, sysctl, sysfs};
use crate::rig::{Container, DEFERRED, Stage, Trials, Watch, errno_of, make, poll};

const NOTHING: &str = deny_all_but!();

const THESE: &str = deny_all_but!(
    "link.mtu",
    "sysfs.write",
    "sysctl.write",
    "setsockopt.SO_RCVBUFFORCE"
);

const L2TP: &str = deny_all_but!("genl.l2tp");

const AUDIT: &str = r#"version = 1
[[policy]]
name = "cnf"
mode = "audit"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.net_admin]
default = "deny"
"#;

/// What is done, and the ways on which it can arrive.
type Act = (&'static str, fn() -> io::Result<()>, &'static [Arrival]);

const RINGS: [Arrival; 4] = [
    Arrival::Ring,
    Arrival::RingWorker,
    Arrival::RingPoll,
    Arrival::RingTaskWork,
];

const ACTS: &[Act] = &[
    ("SIOCSIFMTU", || ioctl::set_mtu("dev0", 1_400), &[]),
    (
        "RTM_SETLINK",
        set_mtu,
        &[
            Arrival::Sendmsg,
            Arrival::Sendmmsg,
            Arrival::Write,
            Arrival::Writev,
            Arrival::Splice,
            Arrival::Sendfile,
        ],
    ),
    ("RTM_SETLINK by io_uring", set_mtu, &RINGS),
    (
        "sysfs",
        || sysfs::write("dev0", "mtu", "1400"),
        &[Arrival::Writev],
    ),
    (
        "sysfs by io_uring",
        || sysfs::write("dev0", "mtu", "1400"),
        &RINGS,
    ),
    ("sysctl", set_filter, &[Arrival::Writev]),
    ("sysctl by io_uring", set_filter, &RINGS),
    ("SO_RCVBUFFORCE", force, &[]),
    ("SO_RCVBUFFORCE by io_uring", force, &RINGS),
];

fn set_mtu() -> io::Result<()> {
    let socket = route_socket()?;
    let message = link::change(RTM_SETLINK, Target::Name("dev0")).mtu(1_400);
    send(&socket, &datagram(&[message]))?;
    first_error(&socket)
}

/// Its owner may write this file without any capability.
fn set_filter() -> io::Result<()> {
    sysctl::write("ipv4/conf/dev0/rp_filter", "1")
}

fn force() -> io::Result<()> {
    let value = 4_096i32.to_ne_bytes();
    set_bytes(udp_socket()?.as_fd(), libc::SOL_SOCKET, 33, &value)
}

pub fn add(trials: &mut Trials) {
    trials.unguarded(NOTHING, "every_arrival_succeeds_unguarded", |stage| {
        let all = arrivals(&stage.unguarded()?)?;
        let usual = all.iter().filter(|(_, route, _)| *route == Route::USUAL);
        for (name, _, errno) in usual {
            ensure!(*errno == 0, "{name}: errno {errno}");
        }
        let done = all.iter().filter(|(.., errno)| *errno == 0).count();
        ensure!(done * 2 > all.len(), "only {done} succeed: {all:?}");
        Ok(())
    });
    trials.guarded(NOTHING, "every_arrival_is_refused", |stage| {
        compare(stage, |unguarded, guarded| {
            guarded == libc::EPERM || unguarded != 0 && guarded == unguarded
        })
    });
    trials.guarded(NOTHING, "a_family_that_registers_late_is_known", late);
    let name = "a_family_passes_from_the_first_message_on";
    trials.guarded(L2TP, name, at_once);
    trials.guarded(THESE, "every_arrival_passes_where_it_is_granted", |stage| {
        compare(stage, |unguarded, guarded| unguarded == guarded)
    });
    trials.guarded(AUDIT, "audit_reports_pieces_and_lets_them_pass", audit);
}

type Arrived = (&'static str, Route, i32);

fn arrivals(container: &Container) -> Result<Vec<Arrived>> {
    container.set_up(|| make::dummy("dev0"))?;
    let ways = || {
        ACTS.iter().flat_map(|(name, act, arrivals)| {
            let others = arrivals
                .iter()
                .map(|arrival| Route::new(Abi::Native, *arrival));
            let usual = [Abi::Native, Abi::Int80].map(|abi| Route::new(abi, Arrival::Usual));
            let all = usual.into_iter().filter(|_| !name.contains("io_uring"));
            all.chain(others).map(move |route| (*name, *act, route))
        })
    };
    let errnos: Vec<i32> = container.run(|| {
        let one = |(_, act, route): (_, fn() -> io::Result<()>, Route)| errno_of(&route.take(act));
        Ok(ways().map(one).collect())
    })?;
    let arrived = ways().zip(errnos);
    Ok(arrived
        .map(|((name, _, route), errno)| (name, route, errno))
        .collect())
}

fn compare(stage: &Stage<'_>, is_right: fn(i32, i32) -> bool) -> Result<()> {
    let unguarded = arrivals(&stage.unguarded()?)?;
    let guarded = arrivals(&stage.guarded()?)?;
    for ((name, route, unguarded), (.., guarded)) in unguarded.into_iter().zip(guarded) {
        ensure!(
            is_right(unguarded, guarded),
            "{name}, {route:?}: {unguarded} unguarded, {guarded} guarded"
        );
    }
    Ok(())
}

const FOU_CMD_ADD: u8 = 1;

/// Takes modules out; what uses one may be of a namespace that is just going.
fn unload(container: &Container, modules: &str) -> Result<()> {
    let line = format!(
        "for m in {modules}; do modprobe -r $m; done; for m in {modules}; do \
        ! grep -q \"^$m \" /proc/modules || exit 1; done"
    );
    let gone = poll(DEFERRED, || match container.set_up(|| shell(&line)) {
        Ok(ran) => (ran.status == 0).then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    gone.with_context(|| format!("not all of {modules} can be unloaded"))?
}

/// It is refused by its name from the first message on.
fn late(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    unload(&container, "fou")?;
    let loaded = container.set_up(|| shell("modprobe fou"))?;
    ensure!(loaded.status == 0, "{loaded:#?}");
    let family = id("fou")?.context("no family fou")?;
    let operation = attempt(stage, &container, family)?;
    ensure!(operation == "genl.fou", "{operation}");
    Ok(())
}

/// The task's own question for the family has the module loaded.
fn at_once(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    for _ in 0..2 {
        unload(&container, "l2tp_eth l2tp_netlink l2tp_core")?;
        let ran = container.run(|| shell("ip l2tp show tunnel"))?;
        ensure!(ran.status == 0, "{ran:#?}, {:#?}", watch.events()?);
    }
    watch.saw_no_event()
}

/// The operation as which a message to the family is refused.
fn attempt(stage: &Stage<'_>, container: &Container, family: u16) -> Result<String> {
    let watch = Watch::begin(stage)?;
    let made = container.attempt(|| {
        let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)?;
        let message = Message::new(family, 0, &[FOU_CMD_ADD, 1, 0, 0]);
        send(&socket, &datagram(&[message]))?;
        first_error(&socket)
    })?;
    ensure!(errno_of(&made) == libc::EPERM, "{made:?}");
    let events = watch.events()?;
    let operation = events.last().and_then(|event| event.operation.clone());
    operation.with_context(|| format!("no event: {events:#?}"))
}

fn audit(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    let watch = Watch::begin(stage)?;
    container.run(|| {
        set_mtu()?;
        sysfs::write("dev0", "mtu", "1300")?;
        ioctl::set_mtu("dev0", 1_200)?;
        force()?;
        sysctl::write("ipv4/conf/dev0/forwarding", "1")
    })?;
    let events = watch.events()?;
    let told: Vec<_> = events
        .iter()
        .map(|event| event.operation.as_deref())
        .collect();
    let expected = [
        "link.mtu",
        "sysfs.write",
        "link.mtu",
        "setsockopt.SO_RCVBUFFORCE",
        "sysctl.write",
    ];
    let would = events.iter().all(|event| event.event == "would_refuse");
    ensure!(told == expected.map(Some) && would, "{events:#?}");
    Ok(())
}
