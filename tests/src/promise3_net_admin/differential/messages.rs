//! rtnetlink messages made up at random: many that can be carried out, and some
//! of any type.

use netadmin_bypass::attack::kind::{MacvlanMode, macvlan_data};
use netadmin_bypass::attack::link::{self, RTM_DELLINK, RTM_NEWLINK, RTM_SETLINK, Target};
use netadmin_bypass::attack::netlink::{Message, NLM_F_CREATE, NLM_F_EXCL, Nested};
use netadmin_bypass::fuzz::Random;

use super::world::{DEVICES, FIRST_INDEX, NOBODY, SPARE};

const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
const RTM_NEWRULE: u16 = 32;
const RTM_NEWQDISC: u16 = 36;
const RTM_NEWADDRLABEL: u16 = 72;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_NEWLINKPROP: u16 = 108;
const NLM_F_REPLACE: u16 = 0x100;

const AF_INET: u8 = 2;
const AF_BRIDGE: u8 = 7;

/// One message.
pub fn make_up(random: &mut Random) -> Message {
    match random.below(16) {
        0..4 => change(random),
        4 => create(random),
        5 => link::change(RTM_DELLINK, target(random)),
        6 | 7 => address(random),
        8 => route(random),
        9 => rule(random),
        10 => neighbour(random),
        11 => queue(random),
        12 => alternative_name(random),
        13 => random_choice(random),
        _ => any(random),
    }
}

fn index(random: &mut Random) -> u32 {
    match random.below(8) {
        0 => 9_999,
        1 => 0,
        _ => FIRST_INDEX + u32::try_from(random.below(DEVICES.len())).unwrap_or_default(),
    }
}

fn target(random: &mut Random) -> Target<'static> {
    match random.below(8) {
        0..4 => Target::Index(index(random)),
        4 => Target::Name(random.choose(&DEVICES)),
        5 => Target::Name(random.choose(&SPARE)),
        6 => Target::AlternativeName(random.choose(&SPARE)),
        _ => Target::Name(NOBODY),
    }
}

fn change(random: &mut Random) -> Message {
    const FLAGS: [u32; 8] = [0, 0x1, 0x100, 0x200, 0x1000, 0x80, 0x1001, 0x4];
    let kind = random.choose(&[RTM_NEWLINK, RTM_SETLINK]);
    let flags = random.choose(&FLAGS) | random.choose(&FLAGS);
    let change = random.choose(&[0, u32::MAX, flags, 1, 0x100]);
    let mut message = link::change(kind, target(random)).flags(flags, change);
    for _ in 0..random.below(3) {
        message = attribute(random, message);
    }
    message
}

fn attribute(random: &mut Random, message: Message) -> Message {
    match random.below(10) {
        0 => message.mtu(random.choose(&[68, 1_400, 1_500, 70_000])),
        1 => message.master(random.choose(&[0, FIRST_INDEX + 2, FIRST_INDEX + 4, 9_999])),
        2 => message.address([2, 0, 0, 0, 0, random.number().to_le_bytes()[0]]),
        3 => message.group(random.choose(&[0, 4])),
        4 => message.number(13, 77),
        5 => message.text(20, "an alias"),
        6 => message.attribute(random.choose(&[16, 17, 33, 39]), &[random.choose(&[0, 1])]),
        7 => message.name(random.choose(&SPARE)),
        8 => message.link_info("bridge", &Nested::default().attribute(5, &[1, 0, 0, 0])),
        _ => message.attribute(random.choose(&[12, 21, 24, 26, 43, 99, 0x8001]), &[0; 4]),
    }
}

fn create(random: &mut Random) -> Message {
    const KINDS: [&str; 10] = [
        "dummy",
        "bridge",
        "veth",
        "vlan",
        "macvlan",
        "ifb",
        "vrf",
        "vxlan",
        "bond",
        "no-such-kind",
    ];
    let kind = random.choose(&KINDS);
    let data = match kind {
        "vlan" => Nested::default().attribute(1, &9u16.to_ne_bytes()),
        "macvlan" => macvlan_data(MacvlanMode::Bridge, None),
        "vrf" => Nested::default().attribute(1, &9u32.to_ne_bytes()),
        "vxlan" => Nested::default().attribute(1, &9u32.to_ne_bytes()),
        _ => Nested::default(),
    };
    let name = random.choose(&SPARE);
    let message = if random.once_in(4) {
        link::create_or_change(name, kind)
    } else {
        link::create_with(name, kind, &data)
    };
    let flags = random.choose(&[0, 1, 0x1000]);
    message.lower(index(random)).flags(flags, flags)
}

/// `IFA_LOCAL`.
fn address(random: &mut Random) -> Message {
    let last = u8::try_from(random.below(3)).unwrap_or_default();
    let fixed = with_index([AF_INET, 24, 0, 0], random);
    let kind = RTM_NEWADDR + u16::from(random.once_in(3));
    let flags = NLM_F_CREATE | random.choose(&[0, NLM_F_EXCL, NLM_F_REPLACE]);
    Message::new(kind, flags, &fixed).attribute(2, &[192, 0, 2, last])
}

/// The family's four bytes, and an index.
fn with_index(first: [u8; 4], random: &mut Random) -> Vec<u8> {
    [first, index(random).to_ne_bytes()].concat()
}

/// `RTA_DST`, `RTA_OIF`.
fn route(random: &mut Random) -> Message {
    let kind = RTM_NEWROUTE + u16::from(random.once_in(3));
    // Table main, protocol boot, scope link, unicast.
    let fixed = [AF_INET, 24, 0, 0, 254, 3, 253, 1, 0, 0, 0, 0];
    Message::new(kind, NLM_F_CREATE, &fixed)
        .attribute(1, &[198, 51, 100 + random.choose(&[0, 1]), 0])
        .number(4, index(random))
}

/// `FRA_SRC`, `FRA_PRIORITY`.
fn rule(random: &mut Random) -> Message {
    let kind = RTM_NEWRULE + u16::from(random.once_in(3));
    let fixed = [AF_INET, 0, 32, 0, 9, 0, 0, 1, 0, 0, 0, 0];
    Message::new(kind, NLM_F_CREATE | NLM_F_EXCL, &fixed)
        .attribute(2, &[192, 0, 2, random.choose(&[8, 9])])
        .number(6, 77)
}

/// `NDA_DST`, `NDA_LLADDR`.
fn neighbour(random: &mut Random) -> Message {
    let kind = RTM_NEWNEIGH + u16::from(random.once_in(3));
    let family = random.choose(&[AF_INET, AF_INET, AF_BRIDGE]);
    let mut fixed = with_index([family, 0, 0, 0], random);
    // NUD_PERMANENT; NTF_MASTER or NTF_SELF.
    fixed.extend([0x80, 0, random.choose(&[0, 2, 4]), 0]);
    let message = Message::new(kind, NLM_F_CREATE, &fixed);
    let message = if family == AF_INET {
        message.attribute(1, &[203, 0, 113, random.choose(&[7, 8])])
    } else {
        message
    };
    message.attribute(2, &[2, 0, 0, 0, 1, random.choose(&[1, 2])])
}

/// `TCA_KIND`, at the root.
fn queue(random: &mut Random) -> Message {
    let kind = RTM_NEWQDISC + u16::from(random.once_in(3));
    let mut fixed = with_index([0; 4], random);
    fixed.extend(0x1_0000u32.to_ne_bytes());
    fixed.extend(u32::MAX.to_ne_bytes());
    fixed.extend([0; 4]);
    let flags = NLM_F_CREATE | random.choose(&[0, NLM_F_EXCL, NLM_F_REPLACE]);
    Message::new(kind, flags, &fixed).text(1, random.choose(&["pfifo", "bfifo", "none"]))
}

fn alternative_name(random: &mut Random) -> Message {
    let kind = RTM_NEWLINKPROP + u16::from(random.once_in(3));
    let name = format!("{}\0", random.choose(&SPARE));
    let list = Nested::default().attribute(53, name.as_bytes());
    let mut fixed = [0; 16];
    fixed[4..8].copy_from_slice(&index(random).to_ne_bytes());
    Message::new(kind, NLM_F_CREATE | NLM_F_EXCL, &fixed).attribute(0x8000 | 52, list.bytes())
}

fn random_choice(random: &mut Random) -> Message {
    if random.once_in(2) {
        // NHA_ID, NHA_BLACKHOLE: one of a device goes when a kernel worker finds
        // that the device has no carrier (nexthop_flush_dev).
        let kind = RTM_NEWNEXTHOP + u16::from(random.once_in(3));
        let fixed = [AF_INET, 0, 0, 0, 0, 0, 0, 0];
        let message = Message::new(kind, NLM_F_CREATE, &fixed).number(1, 7);
        return message.attribute(4, &[]);
    }
    // IFAL_ADDRESS, IFAL_LABEL.
    let kind = RTM_NEWADDRLABEL + u16::from(random.once_in(3));
    let fixed = [10, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut prefix = [0; 16];
    prefix[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
    Message::new(kind, NLM_F_CREATE | NLM_F_EXCL, &fixed)
        .attribute(1, &prefix)
        .number(2, 9)
}

/// Of any type, with an index where most have one.
fn any(random: &mut Random) -> Message {
    let kind = 16 + u16::try_from(random.below(112)).unwrap_or_default();
    let family = random.choose(&[0, AF_INET, AF_BRIDGE, 10, 128]);
    let mut fixed = with_index([family, 0, 0, 0], random);
    fixed.resize(random.choose(&[8, 12, 16, 20, 32]), 0);
    Message::new(kind, random.choose(&[0, NLM_F_CREATE]), &fixed)
}
