//! Requests: what is asked for, and asking.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use serde::{Deserialize, Serialize};

use super::random::Random;
use super::world::{ALL, ALTERNATIVE, GROUP, SPARE, World};
use crate::attack::ioctl::{self, Family};
use crate::attack::kind::{MacvlanMode, macvlan_data};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, Target};
use crate::attack::netlink::{Nested, datagram, first_error, route_socket, send};
use crate::attack::packet::packet_socket;
use crate::attack::sockopt::{set_bytes, udp_socket};
use crate::attack::{IFF_ALLMULTI, IFF_PROMISC, IFF_UP, Message, index_of};

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// rtnetlink; what it asks for is in its bytes.
    Netlink,
    /// An ioctl or a membership that can raise something.
    Dangerous,
    /// One that cannot.
    Harmless,
}

/// A request.
pub enum Op {
    Netlink(Vec<u8>),
    Flags(&'static str, u32),
    Mtu(&'static str, u32),
    Rename(&'static str),
    BridgePort(&'static str),
    Membership(&'static str, u16, Vec<u8>),
    Option(i32, i32, i32),
}

const FLAGS: [u32; 7] = [
    0,
    IFF_UP,
    IFF_PROMISC,
    IFF_ALLMULTI,
    0x1000,
    0x80,
    IFF_UP | IFF_PROMISC,
];
const KINDS: [&str; 6] = ["dummy", "bridge", "vlan", "macvlan", "veth", "no-such-kind"];

impl Op {
    /// Makes one up.
    pub fn make_up(random: &mut Random, _world: &World) -> Self {
        let device = random.choose(&ALL);
        match random.below(16) {
            0..8 => Self::Netlink(make_up_datagram(random)),
            8..10 => Self::Flags(device, random.choose(&FLAGS) | random.choose(&FLAGS)),
            10 => Self::Mtu(device, random.choose(&[0, 67, 68, 1400, 65_536])),
            11 => Self::Rename(device),
            12 => Self::BridgePort(device),
            13..15 => {
                let kind = random.choose(&[0u16, 1, 2, 3, 4]);
                let len = random.choose(&[0usize, 8, 15, 16, 17, 40, 4_097]);
                let mut request = vec![0u8; len.max(16)];
                request[6..16].copy_from_slice(&[6, 0, 2, 0, 0, 0, 0, 9, 0, 0]);
                request.truncate(len);
                Self::Membership(device, kind, request)
            }
            _ => Self::Option(
                random.choose(&[libc::SOL_SOCKET, libc::SOL_SOCKET, libc::SOL_IP]),
                random.choose(&[
                    libc::SO_PRIORITY,
                    libc::SO_MARK,
                    libc::SO_DEBUG,
                    libc::SO_SNDBUF,
                ]),
                random.choose(&[0, 1, 6, 7, -1]),
            ),
        }
    }

    /// Asks, and returns the errno.
    pub fn carry_out(&self, _world: &World) -> i32 {
        match self.ask() {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(-1),
        }
    }

    fn ask(&self) -> io::Result<()> {
        match self {
            Self::Netlink(bytes) => {
                let socket = route_socket()?;
                send(&socket, bytes)?;
                first_error(&socket)
            }
            Self::Flags(device, flags) => ioctl::set_flags(Family::Inet, device, *flags),
            Self::Mtu(device, mtu) => ioctl::set_mtu(device, *mtu),
            Self::Rename(device) => ioctl::rename(device, SPARE),
            Self::BridgePort(device) => {
                ioctl::bridge_add_port(super::world::BRIDGE, index_of(device)?)
            }
            Self::Membership(device, kind, request) => join(device, *kind, request),
            Self::Option(level, name, value) => {
                set_bytes(udp_socket()?.as_fd(), *level, *name, &value.to_ne_bytes())
            }
        }
    }

    /// What the comparison may expect of it.
    pub fn class(&self) -> Class {
        match self {
            Self::Netlink(_) => Class::Netlink,
            Self::Flags(_, flags) if flags & (IFF_UP | IFF_PROMISC) == 0 => Class::Harmless,
            Self::Mtu(..) | Self::Rename(_) => Class::Harmless,
            Self::Membership(_, kind, _) if ![1, 3].contains(kind) => Class::Harmless,
            Self::Option(level, ..) if *level != libc::SOL_SOCKET => Class::Harmless,
            _ => Class::Dangerous,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::Netlink(bytes) => format!("netlink, {} bytes", bytes.len()),
            Self::Flags(device, flags) => format!("SIOCSIFFLAGS {device} {flags:#x}"),
            Self::Mtu(device, mtu) => format!("SIOCSIFMTU {device} {mtu}"),
            Self::Rename(device) => format!("SIOCSIFNAME {device} {SPARE}"),
            Self::BridgePort(device) => format!("SIOCBRADDIF {device}"),
            Self::Membership(device, kind, request) => {
                format!(
                    "PACKET_ADD_MEMBERSHIP {device} {kind}, {} bytes",
                    request.len()
                )
            }
            Self::Option(level, name, value) => format!("setsockopt {level} {name} {value}"),
        }
    }

    /// A datagram's bytes.
    pub fn bytes(&self) -> String {
        match self {
            Self::Netlink(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            _ => String::new(),
        }
    }
}

/// The membership is given up with the socket, after the devices were looked at
/// from the socket's own call: so what it raised has to be seen here.
fn join(device: &str, kind: u16, request: &[u8]) -> io::Result<()> {
    let socket: OwnedFd = packet_socket()?;
    let mut request = request.to_vec();
    if request.len() >= 8 {
        request[..4].copy_from_slice(&index_of(device)?.to_ne_bytes());
        request[4..6].copy_from_slice(&kind.to_ne_bytes());
    }
    set_bytes(socket.as_fd(), libc::SOL_PACKET, 1, &request)?;
    // Held until this process ends, or the device does.
    std::mem::forget(socket);
    Ok(())
}

fn make_up_datagram(random: &mut Random) -> Vec<u8> {
    let count = 1 + random.below(3) * random.below(2);
    let messages: Vec<_> = (0..count).map(|_| make_up_message(random)).collect();
    let mut bytes = datagram(&messages);
    if random.once_in(4) {
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            bytes[place] =
                random.choose(&[0, 1, 4, 16, 0xff, bytes[place] ^ 0x80, bytes[place] ^ 1]);
        }
    }
    if random.once_in(12) {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

fn make_up_message(random: &mut Random) -> Message {
    let flags = random.choose(&FLAGS) | random.choose(&FLAGS);
    let change = random.choose(&[0, u32::MAX, flags, IFF_PROMISC, IFF_UP]);
    let message = if random.once_in(3) {
        let kind = random.choose(&KINDS);
        let mode = random.choose(&[
            MacvlanMode::Private,
            MacvlanMode::Bridge,
            MacvlanMode::Passthru,
        ]);
        let data = match kind {
            "macvlan" => macvlan_data(mode, random.once_in(2).then_some(1)),
            "vlan" => Nested::default().attribute(1, &9u16.to_ne_bytes()),
            _ => Nested::default(),
        };
        let lower = index_of(random.choose(&ALL)).unwrap_or(9_999);
        link::create_with(SPARE, kind, &data).lower(lower)
    } else {
        let kind = random.choose(&[RTM_NEWLINK, RTM_SETLINK]);
        let device = random.choose(&ALL);
        link::change(kind, target(random, device))
    };
    make_up_attributes(random, message.flags(flags, change))
}

fn target<'a>(random: &mut Random, device: &'a str) -> Target<'a> {
    match random.below(12) {
        0..6 => Target::Index(index_of(device).unwrap_or(9_999)),
        6..9 => Target::Name(device),
        9 => Target::AlternativeName(ALTERNATIVE),
        10 => Target::Group(GROUP),
        _ => Target::Name("fuzznone0"),
    }
}

fn make_up_attributes(random: &mut Random, mut message: Message) -> Message {
    for _ in 0..random.below(3) {
        let other = index_of(random.choose(&ALL)).unwrap_or(9_999);
        message = match random.below(8) {
            0 | 1 => message.mtu(random.choose(&[68, 1400, 1500, 65_536])),
            2 => message.master(other),
            3 => message.master(0),
            4 => message.address([2, 0, 0, 0, 0, random.number().to_le_bytes()[0]]),
            5 => message.group(random.choose(&[0, GROUP])),
            6 => message.attribute(random.choose(&[13, 20, 43, 99, 0x8001]), &[0; 4]),
            _ => message.name(SPARE),
        };
    }
    message
}
