//! `IFF_PROMISC` asked for by flag.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use super::device::{ALTERNATIVE, LONG_ALTERNATIVE, OTHER, VICTIM};
use super::{Call, Effect, Path};
use crate::attack::ioctl::{Family, change_flags, set_flags};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, add_alternative_name, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Message, Target, index_of, sysfs, transact};
use crate::make;

const RISE: Effect = Effect::Promiscuity(VICTIM);
const GROUP: u32 = 4_711;

pub fn paths() -> Vec<Path> {
    let mut paths = by_ioctl();
    paths.extend(by_message());
    paths.extend(by_datagram());
    paths.extend(at_creation());
    let write = || sysfs::set_flags(VICTIM, IFF_UP | IFF_PROMISC);
    paths.push(
        Path::new("sysfs flags", Call::File, RISE, write)
            .on(victim)
            .by_every_route(),
    );
    paths
}

fn victim() -> io::Result<()> {
    make::dummy(VICTIM)
}

fn by_ioctl() -> Vec<Path> {
    let on = |name, family| {
        let act = move || change_flags(family, VICTIM, IFF_PROMISC, 0);
        Path::new(name, Call::Ioctl, RISE, act).on(victim)
    };
    let by_alternative = || set_flags(Family::Inet, ALTERNATIVE, IFF_UP | IFF_PROMISC);
    vec![
        on("SIOCSIFFLAGS, AF_INET", Family::Inet).by_every_route(),
        on("SIOCSIFFLAGS, AF_INET6", Family::Inet6),
        on("SIOCSIFFLAGS, AF_PACKET", Family::Packet),
        on("SIOCSIFFLAGS, AF_UNIX", Family::Unix),
        on("SIOCSIFFLAGS, AF_NETLINK", Family::Netlink),
        Path::new(
            "SIOCSIFFLAGS, alternative name",
            Call::Ioctl,
            RISE,
            by_alternative,
        )
        .on(with_alternative_names),
    ]
}

fn with_alternative_names() -> io::Result<()> {
    victim()?;
    add_alternative_name(VICTIM, ALTERNATIVE)?;
    add_alternative_name(VICTIM, LONG_ALTERNATIVE)
}

fn promisc(kind: u16, target: Target<'_>) -> Message {
    change(kind, target).flags(IFF_PROMISC, IFF_PROMISC)
}

fn by_message() -> Vec<Path> {
    let path = |name, make_message: fn() -> io::Result<Message>| {
        Path::new(name, Call::Netlink, RISE, move || {
            link::request(make_message()?)
        })
        .on(with_alternative_names)
    };
    let by_group = || {
        victim()?;
        link::request(change(RTM_SETLINK, Target::Name(VICTIM)).group(GROUP))
    };
    vec![
        path("RTM_SETLINK, by index", || {
            Ok(promisc(RTM_SETLINK, Target::Index(index_of(VICTIM)?)))
        })
        .by_every_route(),
        path("RTM_NEWLINK, by index", || {
            Ok(promisc(RTM_NEWLINK, Target::Index(index_of(VICTIM)?)))
        }),
        path("RTM_SETLINK, zero mask", || {
            let target = Target::Index(index_of(VICTIM)?);
            Ok(change(RTM_SETLINK, target).flags(IFF_UP | IFF_PROMISC, 0))
        }),
        path("RTM_SETLINK, by name", || {
            Ok(promisc(RTM_SETLINK, Target::Name(VICTIM)))
        }),
        path("RTM_SETLINK, alternative name in IFLA_IFNAME", || {
            Ok(promisc(RTM_SETLINK, Target::Name(ALTERNATIVE)))
        }),
        path("RTM_SETLINK, IFLA_ALT_IFNAME", || {
            Ok(promisc(
                RTM_SETLINK,
                Target::AlternativeName(LONG_ALTERNATIVE),
            ))
        }),
        path("RTM_NEWLINK, by group", || {
            Ok(promisc(RTM_NEWLINK, Target::Group(GROUP)))
        })
        .on(by_group),
    ]
}

fn by_datagram() -> Vec<Path> {
    let last_of_many = || {
        let harmless = change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_UP, IFF_UP);
        let mut messages = vec![harmless; 500];
        messages.push(promisc(RTM_SETLINK, Target::Name(VICTIM)));
        transact(&messages)
    };
    let renamed = || {
        let victim = Target::Index(index_of(VICTIM)?);
        transact(&[
            change(RTM_SETLINK, victim).name(OTHER),
            promisc(RTM_SETLINK, Target::Name(OTHER)),
            change(RTM_SETLINK, victim).name(VICTIM),
        ])
    };
    let own_namespace = || {
        let namespace = File::open("/proc/self/ns/net")?;
        let message = promisc(RTM_SETLINK, Target::Name(VICTIM));
        link::request(message.namespace(namespace.as_raw_fd()))
    };
    vec![
        Path::new(
            "RTM_SETLINK, last of a datagram of 501",
            Call::Netlink,
            RISE,
            last_of_many,
        )
        .on(victim),
        Path::new(
            "RTM_SETLINK, renamed within the datagram",
            Call::Netlink,
            RISE,
            renamed,
        )
        .on(|| make::down(VICTIM, "dummy")),
        Path::new(
            "RTM_SETLINK, IFLA_NET_NS_FD of its own",
            Call::Netlink,
            RISE,
            own_namespace,
        )
        .on(victim),
    ]
}

fn at_creation() -> Vec<Path> {
    let create = || link::request(link::create(VICTIM, "dummy").flags(IFF_PROMISC, IFF_PROMISC));
    let find = || {
        let message = link::create_or_change(VICTIM, "dummy");
        link::request(message.flags(IFF_PROMISC, IFF_PROMISC))
    };
    vec![
        Path::new("RTM_NEWLINK, at creation", Call::Netlink, RISE, create),
        Path::new("RTM_NEWLINK, creates or finds", Call::Netlink, RISE, find).on(victim),
    ]
}
