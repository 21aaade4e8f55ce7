//! The level counts: the same numbers mean something else at other levels.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Result, ensure};

use crate::attack::packet::packet_socket;
use crate::attack::sockopt::{open_socket, set_bytes, udp_socket};
use crate::rig::{Stage, Trials, USUAL_POLICY, Watch, errno_of};

const SO_REUSEADDR: i32 = 2;
const SO_SNDBUF: i32 = 7;

/// Level, number and value of harmless options, on the socket that has them.
type Harmless = (fn() -> io::Result<OwnedFd>, i32, i32, i32);

fn tcp_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_INET, libc::SOCK_STREAM, 0)
}

/// The numbers of `SO_DEBUG` (1), `SO_PRIORITY` (12), `SO_SNDBUFFORCE` (32),
/// `SO_RCVBUFFORCE` (33) and `SO_MARK` (36) at other levels, with the name that
/// each has there; and other options of `SOL_SOCKET`.
const HARMLESS: [(&str, Harmless); 10] = [
    ("IP_TOS", (udp_socket, libc::IPPROTO_IP, 1, 0x10)),
    ("IP_RECVTTL", (udp_socket, libc::IPPROTO_IP, 12, 1)),
    ("IP_MULTICAST_TTL", (udp_socket, libc::IPPROTO_IP, 33, 99)),
    ("TCP_NODELAY", (tcp_socket, libc::IPPROTO_TCP, 1, 1)),
    ("TCP_QUICKACK", (tcp_socket, libc::IPPROTO_TCP, 12, 99)),
    ("TCP_INQ", (tcp_socket, libc::IPPROTO_TCP, 36, 1)),
    ("UDP_CORK", (udp_socket, libc::IPPROTO_UDP, 1, 1)),
    ("PACKET_RESERVE", (packet_socket, libc::SOL_PACKET, 12, 99)),
    (
        "SO_REUSEADDR",
        (udp_socket, libc::SOL_SOCKET, SO_REUSEADDR, 1),
    ),
    (
        "SO_SNDBUF",
        (udp_socket, libc::SOL_SOCKET, SO_SNDBUF, 65536),
    ),
];

pub fn add(trials: &mut Trials) {
    for (name, harmless) in HARMLESS {
        trials.guarded(
            USUAL_POLICY,
            &format!("setsockopt_{}_passes", name.to_lowercase()),
            move |stage| passes(stage, harmless),
        );
    }
    trials.guarded(
        USUAL_POLICY,
        "setsockopt_with_bad_arguments_fails_as_unguarded",
        bad_arguments_fail_alike,
    );
}

fn passes(stage: &Stage<'_>, (socket, level, number, value): Harmless) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    container.run(|| set_bytes(socket()?.as_fd(), level, number, &value.to_ne_bytes()))?;
    watch.saw_no_event()
}

/// A value that is too short, and options that do not exist.
fn bad_arguments_fail_alike(stage: &Stage<'_>) -> Result<()> {
    fn attempts() -> io::Result<Vec<i32>> {
        let socket = udp_socket()?;
        let set = |level, number, len| {
            errno_of(&set_bytes(socket.as_fd(), level, number, &[7; 64][..len]))
        };
        let mut errnos = Vec::new();
        for number in [1, 12, 32, 33, 36, 4711] {
            errnos.extend([0, 1, 3].map(|len| set(libc::SOL_SOCKET, number, len)));
            errnos.push(set(4711, number, 4));
        }
        Ok(errnos)
    }
    let guarded = stage.guarded()?;
    let unguarded = stage.unguarded()?.run(attempts)?;
    let watch = Watch::begin(stage)?;
    let errnos = guarded.run(attempts)?;
    ensure!(errnos == unguarded, "{errnos:?} instead of {unguarded:?}");
    watch.saw_no_event()
}
