//! Socket options that ask for a capability.

use std::io;
use std::os::fd::AsFd as _;

use super::{Call, Effect, Path};
use crate::attack::SocketOption;
use crate::attack::control::{self, Sender};
use crate::attack::sockopt::{set_bytes, udp_socket};

pub fn paths() -> Vec<Path> {
    let set = |name, option, value| {
        Path::new(name, Call::Setsockopt, Effect::Told, move || {
            set_at_length(option, value, 4)
        })
    };
    vec![
        set("SO_PRIORITY 7", SocketOption::Priority, 7).by_every_route(),
        set("SO_PRIORITY -1", SocketOption::Priority, -1),
        Path::new(
            "SO_PRIORITY 7, optlen 4097",
            Call::Setsockopt,
            Effect::Told,
            || set_at_length(SocketOption::Priority, 7, 4097),
        ),
        set("SO_DEBUG", SocketOption::Debug, 1).by_every_route(),
        set("SO_MARK", SocketOption::Mark, 1).by_every_route(),
        set("SO_SNDBUFFORCE", SocketOption::SndBufForce, 8 << 20),
        set("SO_RCVBUFFORCE", SocketOption::RcvBufForce, 8 << 20),
        given("SO_MARK, control message", SocketOption::Mark).by_every_route(),
        given("SO_PRIORITY 7, control message", SocketOption::Priority)
            .on(|| control::is_there(SocketOption::Priority)),
    ]
}

/// Given with one packet alone.
fn given(name: &'static str, option: SocketOption) -> Path {
    Path::new(name, Call::Control, Effect::Told, move || {
        control::arrives(Sender::Udp, option, 7)
    })
}

/// Sets it on a new socket, and looks whether it is set.
fn set_at_length(option: SocketOption, value: i32, optlen: usize) -> io::Result<()> {
    let socket = udp_socket()?;
    let mut bytes = vec![0; optlen];
    bytes[..4].copy_from_slice(&value.to_ne_bytes());
    let before = option.get(socket.as_fd())?;
    let result = set_bytes(socket.as_fd(), libc::SOL_SOCKET, option.number(), &bytes);
    match option.get(socket.as_fd())? {
        after if after != before => Ok(()),
        _ => result.and(Err(io::Error::other("the call succeeds and sets nothing"))),
    }
}
