//! `RTM_NEWLINK` and `RTM_SETLINK` that carry `IFF_PROMISC`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use super::{VICTIM, flag};
use crate::attack::kind::pair;
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, add_alternative_name, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Message, Target, index_of, transact};
use crate::rig::{Attack, Expected, Trials, make};

const ALTERNATIVE: &str = "alternative0";
/// Longer than `IFNAMSIZ`, which `IFLA_IFNAME` cannot hold.
const LONG_ALTERNATIVE: &str = "the-alternative-name-of-victim0";
const GROUP: u32 = 77;

/// `ifi_flags` and `ifi_change`, and what tests call them.
const MASKS: [(&str, u32, u32); 3] = [
    ("a_zero_mask", IFF_UP | IFF_PROMISC, 0),
    ("a_full_mask", IFF_UP | IFF_PROMISC, u32::MAX),
    ("a_mask_of_promisc", IFF_PROMISC, IFF_PROMISC),
];

const MESSAGES: [(&str, &str, u16); 2] = [
    ("rtm_newlink", "RTM_NEWLINK", RTM_NEWLINK),
    ("rtm_setlink", "RTM_SETLINK", RTM_SETLINK),
];

pub fn add(trials: &mut Trials) {
    for (message, via, kind) in MESSAGES {
        for (mask, flags, changed) in MASKS {
            let name = format!("{message}_by_index_with_{mask}");
            on_victim(&name, flag(via), move || {
                let target = Target::Index(index_of(VICTIM)?);
                link::request(change(kind, target).flags(flags, changed))
            })
            .twins(trials);
        }
        for (way, target) in [
            ("name", Target::Name(VICTIM)),
            ("altname_in_ifname", Target::Name(ALTERNATIVE)),
            ("altname", Target::AlternativeName(ALTERNATIVE)),
            ("long_altname", Target::AlternativeName(LONG_ALTERNATIVE)),
        ] {
            let name = format!("{message}_by_{way}");
            // An event names the device in the words of the message.
            let expected = Expected {
                interface: (way == "name").then_some(VICTIM),
                ..flag(via)
            };
            on_victim(&name, expected, move || {
                link::request(change(kind, target).flags(IFF_PROMISC, IFF_PROMISC))
            })
            .twins(trials);
        }
    }
    datagrams(trials);
    at_creation(trials);
    pairs(trials);
    elsewhere(trials);
}

/// Several messages in one datagram: every one counts.
fn datagrams(trials: &mut Trials) {
    for (place, before, after) in [("first", 0, 3), ("last", 3, 0), ("after_500", 500, 1)] {
        let name = format!("rtm_setlink_in_a_datagram_{place}");
        on_victim(&name, flag("RTM_SETLINK"), move || {
            let mut messages = vec![harmless(); before];
            messages.push(promisc());
            messages.extend(vec![harmless(); after]);
            transact(&messages)
        })
        .twins(trials);
    }
    let clear = || change(RTM_SETLINK, Target::Name(VICTIM)).flags(0, IFF_PROMISC);
    on_victim(
        "rtm_setlink_clear_then_keep_in_a_datagram",
        flag("RTM_SETLINK"),
        move || transact(&[clear(), promisc()]),
    )
    .on(|| {
        make::dummy(VICTIM)?;
        make::promiscuous(VICTIM)
    })
    .seen_by_the_witness_alone()
    .twins(trials);
    // The device of that name is another one by the time it is judged.
    let expected = Expected {
        interface: None,
        ..flag("RTM_SETLINK")
    };
    Attack::new(
        "rtm_setlink_rename_then_keep_by_name_in_a_datagram",
        VICTIM,
        expected,
        || {
            let rename = |index, name| change(RTM_SETLINK, Target::Index(index)).name(name);
            let (keeper, victim) = (index_of("keeper0")?, index_of(VICTIM)?);
            let keep = change(RTM_SETLINK, Target::Name("keeper0"));
            transact(&[
                rename(keeper, "spare0"),
                rename(victim, "keeper0"),
                keep.flags(IFF_PROMISC, IFF_PROMISC),
            ])
        },
    )
    .on(|| {
        make::down("keeper0", "dummy")?;
        make::promiscuous("keeper0")?;
        make::down(VICTIM, "dummy")
    })
    .renaming_to("keeper0")
    .twins(trials);
}

fn at_creation(trials: &mut Trials) {
    on_victim(
        "rtm_newlink_that_would_create_and_finds_the_device",
        flag("RTM_NEWLINK"),
        || link::request(link::create_or_change(VICTIM, "dummy").flags(IFF_PROMISC, IFF_PROMISC)),
    )
    .twins(trials);
    let expected = Expected {
        interface: None,
        ..flag("RTM_NEWLINK")
    };
    for (mask, flags, changed) in MASKS {
        let name = format!("rtm_newlink_that_creates_with_{mask}");
        Attack::new(name, VICTIM, expected, move || {
            link::request(link::create(VICTIM, "dummy").flags(flags, changed))
        })
        .twins(trials);
    }
}

/// The second device of a pair.
fn pairs(trials: &mut Trials) {
    let expected = Expected {
        interface: None,
        ..flag("RTM_NEWLINK")
    };
    // netkit_new_link takes no flags for its own.
    Attack::new(
        "rtm_newlink_of_a_veth_whose_peer_has_promisc",
        VICTIM,
        expected,
        || link::request(pair("first0", "veth", VICTIM, IFF_PROMISC)),
    )
    .twins(trials);
}

/// By group, and with an attribute that names a namespace.
fn elsewhere(trials: &mut Trials) {
    let expected = Expected {
        interface: None,
        ..flag("RTM_NEWLINK")
    };
    Attack::new("rtm_newlink_by_group", VICTIM, expected, || {
        link::request(change(RTM_NEWLINK, Target::Group(GROUP)).flags(IFF_PROMISC, IFF_PROMISC))
    })
    .on(|| {
        make::dummy(VICTIM)?;
        link::request(change(RTM_SETLINK, Target::Name(VICTIM)).group(GROUP))
    })
    .twins(trials);
    let expected = Expected {
        interface: None,
        ..flag("RTM_SETLINK")
    };
    on_victim("rtm_setlink_with_its_own_namespace", expected, || {
        let namespace = File::open("/proc/self/ns/net")?;
        link::request(promisc().namespace(namespace.as_raw_fd()))
    })
    .twins(trials);
}

fn on_victim(
    name: &str,
    expected: Expected,
    act: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> Attack {
    Attack::new(name, VICTIM, expected, act).on(|| {
        make::dummy(VICTIM)?;
        add_alternative_name(VICTIM, ALTERNATIVE)?;
        add_alternative_name(VICTIM, LONG_ALTERNATIVE)
    })
}

fn promisc() -> Message {
    change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, IFF_PROMISC)
}

fn harmless() -> Message {
    change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_UP, IFF_UP)
}
