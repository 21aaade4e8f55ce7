//! Socket options, each by the operation that it is.
//!
//! For `TCP_CONGESTION` the kernel asks whatever the algorithm is; the answer counts
//! for those that not everyone may use. `TCP_ULP` is in
//! ulp.rs. `setsockopt.other` are options of Phonet, J1939 and IEEE 802.15.4. Those of
//! iptables, ebtables, ipset and IPVS have their tools (area.rs).

use std::io;
use std::os::fd::AsFd as _;

use anyhow::{Result, bail, ensure};
use libc::{AF_INET, AF_INET6, AF_NETLINK, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};

use crate::attack::process::shell;
use crate::attack::sockopt::{open_socket, set_bytes};
use crate::rig::{
    Container, Stage, Trials, Watch, errno_of, with_net_admin_in_effect, with_none_in_effect,
};

const POLICY: &str = deny_all_but!();

const GRANTED: &str = deny_all_but!("setsockopt.*", "netlink.groups");

/// Operation; domain, type and protocol of the socket; level, option and value.
type Case = (&'static str, [i32; 3], [i32; 2], &'static [u8]);

const UDP: [i32; 3] = [AF_INET, SOCK_DGRAM, 0];
const TCP: [i32; 3] = [AF_INET, SOCK_STREAM, 0];
const UDP6: [i32; 3] = [AF_INET6, SOCK_DGRAM, 0];
const IGMP: [i32; 3] = [AF_INET, SOCK_RAW, libc::IPPROTO_IGMP];
const XFRM: [i32; 3] = [AF_NETLINK, SOCK_RAW, libc::NETLINK_XFRM];
const SOL_SOCKET: i32 = 1;

/// 2001:db8::1, and a device or more.
const ADDRESS: [u8; 20] = [
    0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
];
/// `struct in6_flowlabel_req`: the address, any label, IPV6_FL_A_GET,
/// IPV6_FL_S_EXCL, IPV6_FL_F_CREATE, and 200 seconds twice: more than anyone's.
const LABEL: [u8; 32] = [
    0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 200, 0, 200,
    0, 0, 0, 0, 0,
];

const CASES: &[Case] = &[
    ("setsockopt.SO_DEBUG", UDP, [SOL_SOCKET, 1], &[1, 0, 0, 0]),
    (
        "setsockopt.SO_PRIORITY",
        UDP,
        [SOL_SOCKET, 12],
        &[7, 0, 0, 0],
    ),
    (
        "setsockopt.SO_ATTACH_FILTER",
        TCP,
        [SOL_SOCKET, 26],
        &[0; 16],
    ),
    (
        "setsockopt.SO_SNDBUFFORCE",
        UDP,
        [SOL_SOCKET, 32],
        &[0, 16, 0, 0],
    ),
    (
        "setsockopt.SO_RCVBUFFORCE",
        UDP,
        [SOL_SOCKET, 33],
        &[0, 16, 0, 0],
    ),
    ("setsockopt.SO_MARK", UDP, [SOL_SOCKET, 36], &[7, 0, 0, 0]),
    // CLOCK_TAI.
    (
        "setsockopt.SO_TXTIME",
        UDP,
        [SOL_SOCKET, 61],
        &[11, 0, 0, 0, 0, 0, 0, 0],
    ),
    (
        "setsockopt.SO_BUSY_POLL",
        UDP,
        [SOL_SOCKET, 69],
        &[1, 0, 0, 0],
    ),
    // The budget: packets at a time.
    (
        "setsockopt.SO_BUSY_POLL",
        UDP,
        [SOL_SOCKET, 70],
        &[200, 0, 0, 0],
    ),
    ("setsockopt.IP_TRANSPARENT", UDP, [0, 19], &[1, 0, 0, 0]),
    ("setsockopt.IP_TRANSPARENT", UDP6, [41, 75], &[1, 0, 0, 0]),
    ("setsockopt.IP_XFRM_POLICY", UDP, [0, 17], &[0; 4]),
    ("setsockopt.IP_XFRM_POLICY", UDP6, [41, 35], &[0; 4]),
    // MRT_ADD_VIF, of a socket that has not said MRT_INIT.
    ("setsockopt.MRT", IGMP, [0, 202], &[0; 16]),
    ("setsockopt.TCP_REPAIR", TCP, [6, 19], &[1, 0, 0, 0]),
    ("setsockopt.TCP_CONGESTION", TCP, [6, 13], b"vegas"),
    ("setsockopt.IPV6_FLOWLABEL_MGR", UDP6, [41, 32], &LABEL),
    ("setsockopt.IPV6_JOIN_ANYCAST", UDP6, [41, 27], &ADDRESS),
    ("netlink.groups", XFRM, [270, 1], &[1, 0, 0, 0]),
];

/// Up to 6.1 the kernel asks for the capability to poll longer, and then no more.
const BUSY_POLL: Case = (
    "setsockopt.SO_BUSY_POLL",
    UDP,
    [SOL_SOCKET, 46],
    &[50, 0, 0, 0],
);

pub fn add(trials: &mut Trials) {
    trials.unguarded(POLICY, "socket_options_succeed_unguarded", |stage| {
        let container = stage.unguarded()?;
        let with = errnos(&container, with_the_capability)?;
        for ((case, with), without) in CASES.iter().zip(with).zip(unprivileged(&container)?) {
            ensure!(with != without, "{case:?}: {with} either way");
        }
        Ok(())
    });
    trials.guarded(POLICY, "socket_options_are_refused", refused);
    trials.guarded(
        GRANTED,
        "socket_options_pass_where_they_are_granted",
        |stage| {
            let unguarded = errnos(&stage.unguarded()?, with_the_capability)?;
            let watch = Watch::begin(stage)?;
            let guarded = errnos(&stage.guarded()?, with_the_capability)?;
            ensure!(guarded == unguarded, "{guarded:?} instead of {unguarded:?}");
            watch.saw_no_event()
        },
    );
    trials.guarded(
        POLICY,
        "so_busy_poll_is_as_without_the_capability",
        |stage| {
            let free = stage.unguarded()?;
            let [without] = errnos_of(&free, &[BUSY_POLL], without_it)?[..] else {
                bail!("not one answer");
            };
            let container = stage.guarded()?;
            let watch = Watch::begin(stage)?;
            ensure!(errnos_of(&container, &[BUSY_POLL], with_the_capability)? == [without]);
            let asked = if without == 0 {
                &[][..]
            } else {
                &[BUSY_POLL.0]
            };
            named(&watch, asked)
        },
    );
}

/// One event for each of these operations, and no other.
pub fn named(watch: &Watch, names: &[&str]) -> Result<()> {
    let events = watch.events()?;
    let told = events.iter().map(|event| event.operation.as_deref());
    ensure!(told.eq(names.iter().map(|name| Some(*name))), "{events:#?}");
    Ok(())
}

type Set<'a> = &'a mut dyn FnMut() -> io::Result<()>;

fn with_the_capability(set: Set<'_>) -> io::Result<()> {
    with_net_admin_in_effect(set)
}

fn without_it(set: Set<'_>) -> io::Result<()> {
    with_none_in_effect(set)
}

/// How each case ends when it is set with these capabilities. (Some sockets take
/// `CAP_NET_RAW` to make, with which some options may be set.)
fn errnos(container: &Container, within: fn(Set<'_>) -> io::Result<()>) -> Result<Vec<i32>> {
    let ran = container.set_up(|| shell("modprobe tcp_vegas"))?;
    ensure!(ran.status == 0, "{ran:#?}");
    errnos_of(container, CASES, within)
}

fn errnos_of(
    container: &Container,
    cases: &[Case],
    within: fn(Set<'_>) -> io::Result<()>,
) -> Result<Vec<i32>> {
    container.run(|| {
        let one = |(_, socket, [level, option], value): &Case| {
            let [domain, kind, protocol] = *socket;
            let socket = open_socket(domain, kind, protocol)?;
            let set = within(&mut || set_bytes(socket.as_fd(), *level, *option, value));
            Ok(errno_of(&set))
        };
        cases.iter().map(one).collect()
    })
}

fn unprivileged(container: &Container) -> Result<Vec<i32>> {
    errnos(container, without_it)
}

/// Each as without the capability, with one event.
fn refused(stage: &Stage<'_>) -> Result<()> {
    let expected = unprivileged(&stage.unguarded()?)?;
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errnos = errnos(&container, with_the_capability)?;
    ensure!(errnos == expected, "{errnos:?} instead of {expected:?}");
    let names: Vec<_> = CASES.iter().map(|(name, ..)| *name).collect();
    named(&watch, &names)
}
