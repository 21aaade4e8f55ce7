//! What the demo runs, in order.

use super::attempt::{Act, Attempt, Call, DEVICE};
use crate::attack::inet::{add_address, add_routes};
use crate::attack::ioctl::{Family, bridge_add_port, change_flags};
use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, Target, change, create};
use crate::attack::{IFF_PROMISC, IFF_UP, SocketOption, index_of};
use crate::rig::make;

const OPTIONS: &str = "Socket options, as in the article";
const FLAGS: &str = "Promiscuous mode: by ioctl, by packet socket, by rtnetlink";
const SIDE_EFFECTS: &str = "Promiscuous mode: as a side effect";
const EVERYDAY: &str = "Everyday work";

/// Everything, in the order in which it is shown.
pub fn attempts() -> Vec<Attempt> {
    let mut all = socket_options();
    all.extend(promiscuous());
    all.extend(side_effects());
    all.extend(everyday());
    all
}

fn nothing() -> std::io::Result<()> {
    Ok(())
}

fn attack(section: &'static str, label: &'static str, set_up: Call, act: Act) -> Attempt {
    Attempt {
        section,
        label,
        is_attack: true,
        set_up,
        act,
    }
}

fn work(label: &'static str, set_up: Call, act: Act) -> Attempt {
    Attempt {
        is_attack: false,
        ..attack(EVERYDAY, label, set_up, act)
    }
}

fn socket_options() -> Vec<Attempt> {
    use SocketOption::{Debug, Mark, Priority, RcvBufForce, SndBufForce};
    let set = |label, option, value| attack(OPTIONS, label, nothing, Act::Option(option, value));
    let allowed = Attempt {
        is_attack: false,
        ..set("setsockopt SO_PRIORITY 2", Priority, 2)
    };
    vec![
        allowed,
        set("setsockopt SO_PRIORITY 7", Priority, 7),
        set("setsockopt SO_PRIORITY -1", Priority, -1),
        set("setsockopt SO_DEBUG 1", Debug, 1),
        set("setsockopt SO_RCVBUFFORCE 8388608", RcvBufForce, 8 << 20),
        set("setsockopt SO_SNDBUFFORCE 8388608", SndBufForce, 8 << 20),
        set("setsockopt SO_MARK 13", Mark, 13),
    ]
}

fn promiscuous() -> Vec<Attempt> {
    let by = |label, act| attack(FLAGS, label, nothing, act);
    vec![
        by(
            "ifconfig eth0 promisc",
            Act::Tool("ifconfig eth0 promisc", || {
                change_flags(Family::Inet, DEVICE, IFF_PROMISC, 0)
            }),
        ),
        by(
            "ioctl SIOCSIFFLAGS on an AF_UNIX socket",
            Act::Library(|| change_flags(Family::Unix, DEVICE, IFF_PROMISC, 0)),
        ),
        by("tcpdump -i eth0", Act::Tcpdump("")),
        by(
            "ip link set eth0 promisc on",
            Act::Tool("ip link set eth0 promisc on", || {
                let message = change(RTM_NEWLINK, Target::Name(DEVICE));
                link::request(message.flags(IFF_PROMISC, IFF_PROMISC))
            }),
        ),
        by(
            "RTM_SETLINK with ifi_change = 0",
            Act::Library(|| {
                let message = change(RTM_SETLINK, Target::Name(DEVICE));
                link::request(message.flags(IFF_UP | IFF_PROMISC, 0))
            }),
        ),
    ]
}

fn side_effects() -> Vec<Attempt> {
    let by = |label, set_up, act| attack(SIDE_EFFECTS, label, set_up, act);
    vec![
        by(
            "brctl addif br0 eth0",
            || make::bridge("br0"),
            Act::Tool("brctl addif br0 eth0", || {
                bridge_add_port("br0", index_of(DEVICE)?)
            }),
        ),
        by(
            "ip link set eth0 master br0",
            || make::bridge("br0"),
            Act::Tool("ip link set eth0 master br0", || {
                make::enslave(DEVICE, "br0")
            }),
        ),
        by(
            "ip link add link eth0 type macvlan mode passthru, and up",
            nothing,
            Act::Tool(
                "ip link add link eth0 name mv0 type macvlan mode passthru && ip link set mv0 up",
                passthru,
            ),
        ),
        by(
            "ip link set eth0.7 promisc on (a vlan over eth0)",
            || {
                link::request(kind::vlan("eth0.7", index_of(DEVICE)?, 7))?;
                make::up("eth0.7")
            },
            Act::Tool("ip link set eth0.7 promisc on", || {
                make::promiscuous("eth0.7")
            }),
        ),
        by(
            "ip link set mv0 up (a macvlan over eth0)",
            || make::macvlan("mv0", DEVICE, MacvlanMode::Bridge),
            Act::Tool("ip link set mv0 up", || make::up("mv0")),
        ),
    ]
}

fn passthru() -> std::io::Result<()> {
    make::macvlan("mv0", DEVICE, MacvlanMode::Passthru)?;
    make::up("mv0")
}

fn everyday() -> Vec<Attempt> {
    let plain = |line, call| work(line, nothing, Act::Tool(line, call));
    vec![
        plain("ip link set eth0 mtu 1400", || {
            link::request(change(RTM_NEWLINK, Target::Name(DEVICE)).mtu(1400))
        }),
        plain("ip addr add 192.0.2.1/24 dev eth0", || {
            add_address(index_of(DEVICE)?, [192, 0, 2, 1].into(), 24)
        }),
        plain("ip route add 198.51.100.0/24 dev eth0", || {
            add_routes(index_of(DEVICE)?, 1, 1).map(drop)
        }),
        work(
            "ip link set eth0 down (promiscuous before, and it stays so)",
            || make::promiscuous(DEVICE),
            Act::Tool("ip link set eth0 down", || {
                change_flags(Family::Inet, DEVICE, 0, IFF_UP)
            }),
        ),
        work(
            "ip link set eth0 promisc off",
            || make::promiscuous(DEVICE),
            Act::Tool("ip link set eth0 promisc off", || {
                change_flags(Family::Inet, DEVICE, 0, IFF_PROMISC)
            }),
        ),
        plain("ip link add br1 type bridge", || {
            link::request(create("br1", "bridge"))
        }),
        work(
            "ip link add link eth0 type vlan id 9, and up",
            nothing,
            Act::Tool(
                "ip link add link eth0 name eth0.9 type vlan id 9 && ip link set eth0.9 up",
                || {
                    link::request(kind::vlan("eth0.9", index_of(DEVICE)?, 9))?;
                    make::up("eth0.9")
                },
            ),
        ),
        plain("bridge fdb show", nothing),
        work("tcpdump -p -i eth0", nothing, Act::Tcpdump("-p")),
    ]
}
