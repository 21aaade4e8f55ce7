//! Requests made up at random.

use netadmin_bypass::attack::netlink::{Message, datagram};
use netadmin_bypass::fuzz::Random;

use super::families::Families;
use super::messages;
use super::request::{ARGUMENT, Request};
use super::world::{DEVICES, NOBODY, SPARE};

const NETLINK_ROUTE: u16 = 0;
const NETLINK_SOCK_DIAG: u16 = 4;
const NETLINK_XFRM: u16 = 6;
const NETLINK_NETFILTER: u16 = 12;
const NETLINK_GENERIC: u16 = 16;
const NETLINK_CRYPTO: u16 = 21;

/// The request of this number: with the same seed, the same.
pub fn make_up(seed: u64, case: u64, families: &Families) -> Request {
    let mut random = Random::new(seed, case);
    let random = &mut random;
    match random.below(24) {
        0..10 => netlink(random, NETLINK_ROUTE, messages::make_up),
        10 => netlink(random, NETLINK_NETFILTER, netfilter),
        11 => netlink(random, NETLINK_XFRM, ipsec),
        12 | 13 => netlink(random, NETLINK_GENERIC, |random| generic(random, families)),
        14 => other_netlink(random),
        15..18 => ioctl(random),
        18..21 => option(random),
        21 => file(random),
        22 => Request::Bind {
            protocol: random.choose(&[0, 4, 6, 9, 12, 15, 16]),
            groups: random.choose(&[1, 2, 0x40, 0x8000_0000]),
        },
        _ => Request::Socket {
            socket: random.choose(&[
                (libc::AF_KEY, libc::SOCK_RAW, 2),
                (libc::AF_KEY, libc::SOCK_DGRAM, 0),
                (libc::AF_PACKET, libc::SOCK_RAW, 0),
                (libc::AF_INET, libc::SOCK_RAW, 1),
                (libc::AF_NETLINK, libc::SOCK_RAW, 0),
            ]),
        },
    }
}

/// A datagram of one message, or of a few; now and then malformed.
fn netlink(
    random: &mut Random,
    protocol: u16,
    mut message: impl FnMut(&mut Random) -> Message,
) -> Request {
    let count = 1 + usize::from(random.once_in(6)) * (1 + random.below(2));
    let messages: Vec<_> = (0..count).map(|_| message(random)).collect();
    let mut bytes = datagram(&messages);
    if random.once_in(8) {
        let place = random.below(bytes.len());
        bytes[place] = random.choose(&[0, 1, 4, 16, 0xff, bytes[place] ^ 0x80]);
    }
    if random.once_in(24) {
        bytes.truncate(random.below(bytes.len()));
    }
    Request::Netlink { protocol, bytes }
}

fn below(random: &mut Random, limit: u16) -> u16 {
    u16::try_from(random.below(usize::from(limit))).unwrap_or_default()
}

/// Any command. (A subsystem that is not there is looked for by modprobe, which
/// takes long.)
fn netfilter(random: &mut Random) -> Message {
    let subsystem = random.choose(&[1, 1, 2, 3, 6, 10, 10, 10, 11, 12]);
    let kind = subsystem << 8 | below(random, 28);
    Message::new(kind, random.choose(&[0, 0x400]), &[2, 0, 0, 0])
}

fn ipsec(random: &mut Random) -> Message {
    let len = random.choose(&[0, 4, 8, 64, 168, 224, 256]);
    Message::new(16 + below(random, 26), 0, &vec![0; len])
}

fn generic(random: &mut Random, families: &Families) -> Message {
    let id = random.choose(&families.ids());
    let command = random.number().to_le_bytes()[0] % 24;
    let message = Message::new(id, 0, &[command, 1, 0, 0]);
    if random.once_in(2) {
        message.number(1 + below(random, 4), 1)
    } else {
        message
    }
}

fn other_netlink(random: &mut Random) -> Request {
    if random.once_in(3) {
        let bytes = datagram(&[Message::new(16 + below(random, 8), 0, &[0; 8])]);
        let protocol = NETLINK_CRYPTO;
        return Request::Netlink { protocol, bytes };
    }
    // SOCK_DIAG_BY_FAMILY, SOCK_DESTROY; sizeof(struct inet_diag_req_v2).
    netlink(random, NETLINK_SOCK_DIAG, |random| {
        let mut fixed = vec![0; random.choose(&[2, 8, 56])];
        fixed[0] = random.choose(&[2, 10, 16, 17]);
        fixed[1] = random.choose(&[6, 17]);
        Message::new(random.choose(&[18, 20, 21]), 0, &fixed)
    })
}

/// Those that the catalogue has, and others (linux/sockios.h).
const COMMANDS: [u32; 34] = [
    0x890b, 0x890c, 0x8914, 0x8914, 0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8923,
    0x8924, 0x8930, 0x8931, 0x8932, 0x8936, 0x8937, 0x8940, 0x8941, 0x8943, 0x8946, 0x8947, 0x8949,
    0x8953, 0x8955, 0x8971, 0x8983, 0x8990, 0x8995, 0x89a0, 0x89a1, 0x89a2, 0x89b0,
];

fn ioctl(random: &mut Random) -> Request {
    if random.once_in(12) {
        return Request::Tun(random.choose(&SPARE));
    }
    let command = match random.below(6) {
        0 => 0x8900 + u32::from(below(random, 256)),
        1 => random.choose(&[0x89f0, 0x89f1, 0x89ff, 0x8b00, 0x8982, 0x8b1a]),
        _ => random.choose(&COMMANDS),
    };
    let mut bytes = vec![0; ARGUMENT];
    let name = match random.below(20) {
        0 => NOBODY,
        1 => random.choose(&SPARE),
        _ => random.choose(&DEVICES),
    };
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    let flags = [0u16, 1, 0x100, 0x1000, 0x1001, 0x80, 68, 1_400];
    bytes[16..18].copy_from_slice(&random.choose(&flags).to_ne_bytes());
    let domain = random.choose(&[libc::AF_INET, libc::AF_INET, libc::AF_PACKET, libc::AF_UNIX]);
    Request::Ioctl {
        domain,
        command,
        bytes,
    }
}

fn option(random: &mut Random) -> Request {
    let sockets = [
        (libc::AF_INET, libc::SOCK_DGRAM, 0),
        (libc::AF_INET, libc::SOCK_STREAM, 0),
        (libc::AF_INET6, libc::SOCK_DGRAM, 0),
        (libc::AF_INET6, libc::SOCK_STREAM, 0),
        (libc::AF_INET, libc::SOCK_RAW, 2),
        (libc::AF_NETLINK, libc::SOCK_RAW, 0),
    ];
    let socket = random.choose(&sockets);
    let level = random.choose(&[0, 1, 1, 1, 6, 41, 270]);
    let name = match random.below(4) {
        0 => random.choose(&[64, 65, 66, 67, 83, 96, 128, 200, 201, 1_152, 1_157, 1_200]),
        1 => random.choose(&[
            1, 12, 13, 16, 17, 19, 26, 27, 31, 32, 33, 34, 36, 61, 69, 70, 75,
        ]),
        _ => i32::from(below(random, 90)),
    };
    if random.once_in(4) {
        return Request::GetOption {
            socket,
            level,
            name,
        };
    }
    let value: i32 = random.choose(&[0, 1, 2, 7, 100, -1]);
    let mut value = value.to_ne_bytes().to_vec();
    value.resize(random.choose(&[4, 4, 4, 1, 0, 8, 16, 40]), 0);
    Request::SetOption {
        socket,
        level,
        name,
        value,
    }
}

fn file(random: &mut Random) -> Request {
    if random.once_in(2) {
        // (Of a device that an earlier request has removed there is no file to refuse.)
        let device = random.choose(&["lo", "all", "default"]);
        return Request::Sysctl {
            path: format!(
                "/proc/sys/net/ipv4/conf/{device}/{}",
                random.choose(&SYSCTLS)
            ),
            text: random.choose(&["0", "1"]),
        };
    }
    Request::Sysfs {
        device: random.choose(&DEVICES),
        file: random.choose(&[
            "mtu",
            "flags",
            "tx_queue_len",
            "ifalias",
            "group",
            "carrier",
        ]),
        text: random.choose(&["0", "1", "1400", "0x1001", "0x1003"]),
    }
}

const SYSCTLS: [&str; 3] = ["forwarding", "rp_filter", "arp_ignore"];
