//! Devices that turn promiscuous because of what happens to another.

use std::io;

use super::{VICTIM, flag};
use crate::attack::ioctl::{
    Family, bond_enslave, bridge_add_port, bridge_add_port_private, change_flags,
};
use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Message, Target, index_of};
use crate::rig::{Attack, Expected, Trials, make};

const BRIDGE: &str = "bridge0";
const UPPER: &str = "upper0";

pub fn add(trials: &mut Trials) {
    bridge_ports(trials);
    passthru(trials);
    stacked(trials);
    over_veth(trials);
    members(trials);
}

fn bridge_ports(trials: &mut Trials) {
    let port = |via| Expected::of("promiscuous.bridge_port", via);
    let dummy_and_bridge = || {
        make::dummy(VICTIM)?;
        make::bridge(BRIDGE)
    };
    let master = |kind| {
        move || {
            let message = change(kind, Target::Name(VICTIM));
            link::request(message.master(index_of(BRIDGE)?))
        }
    };
    for (name, via, kind) in [
        ("rtm_newlink_master_bridge", "RTM_NEWLINK", RTM_NEWLINK),
        ("rtm_setlink_master_bridge", "RTM_SETLINK", RTM_SETLINK),
    ] {
        Attack::new(name, VICTIM, port(via), master(kind))
            .on(dummy_and_bridge)
            .twins(trials);
    }
    let newlink = port("RTM_NEWLINK");
    Attack::new(
        "rtm_newlink_that_creates_a_bridge_port",
        VICTIM,
        newlink,
        || link::request(link::create(VICTIM, "dummy").master(index_of(BRIDGE)?)),
    )
    .on(|| make::bridge(BRIDGE))
    .twins(trials);
    Attack::new("siocbraddif", VICTIM, port("SIOCBRADDIF"), || {
        bridge_add_port(BRIDGE, index_of(VICTIM)?)
    })
    .on(dummy_and_bridge)
    .twins(trials);
    let private = port("SIOCDEVPRIVATE");
    Attack::new("siocdevprivate_brctl_add_if", VICTIM, private, || {
        bridge_add_port_private(BRIDGE, index_of(VICTIM)?)
    })
    .on(dummy_and_bridge)
    .twins(trials);
}

fn passthru(trials: &mut Trials) {
    for (link_type, needs) in [
        ("macvlan", &["macvlan"] as &'static [_]),
        ("macvtap", &["macvtap"]),
    ] {
        let passthru = Expected::of("promiscuous.passthru", "RTM_NEWLINK");
        let create = move || -> io::Result<Message> {
            let lower = index_of(VICTIM)?;
            Ok(kind::macvlan(
                UPPER,
                link_type,
                lower,
                MacvlanMode::Passthru,
            ))
        };
        let name = format!("{link_type}_passthru_created_then_brought_up");
        Attack::new(name, VICTIM, passthru, move || {
            link::request(create()?)?;
            change_flags(Family::Inet, UPPER, IFF_UP, 0)
        })
        .needs(needs)
        .on(|| make::dummy(VICTIM))
        .twins(trials);
        let name = format!("{link_type}_passthru_created_up");
        Attack::new(name, VICTIM, passthru, move || {
            link::request(create()?.flags(IFF_UP, IFF_UP))
        })
        .needs(needs)
        .on(|| make::dummy(VICTIM))
        .twins(trials);
    }
    passthru_from_outside(trials);
}

/// The passthru device is there already, and one step is left.
fn passthru_from_outside(trials: &mut Trials) {
    let up = Expected::of("promiscuous.passthru", "SIOCSIFFLAGS");
    for (name, over_vlan) in [
        ("macvlan_passthru_over_a_dummy_brought_up", false),
        ("macvlan_passthru_over_a_vlan_brought_up", true),
    ] {
        Attack::new(name, VICTIM, up, || {
            change_flags(Family::Inet, UPPER, IFF_UP, 0)
        })
        .needs(&["macvlan", "vlan"])
        .on(move || {
            if over_vlan {
                make::vlan_over_dummy(VICTIM, "lower0")?;
            } else {
                make::dummy(VICTIM)?;
            }
            make::macvlan(UPPER, VICTIM, MacvlanMode::Passthru)
        })
        .twins(trials);
    }
    let flags = Expected::of("promiscuous.passthru", "RTM_NEWLINK");
    Attack::new("macvlan_passthru_loses_nopromisc", VICTIM, flags, || {
        let data = kind::macvlan_data(MacvlanMode::Passthru, Some(0));
        let message = change(RTM_NEWLINK, Target::Name(UPPER));
        link::request(message.link_info("macvlan", &data))
    })
    .needs(&["macvlan"])
    .on(|| {
        make::dummy(VICTIM)?;
        let (lower, quiet) = (index_of(VICTIM)?, kind::MACVLAN_FLAG_NOPROMISC);
        let mode = MacvlanMode::Passthru;
        link::request(kind::macvlan_with_flags(UPPER, lower, mode, quiet))?;
        make::up(UPPER)
    })
    .twins(trials);
}

/// A promiscuous device over a lower one, which then is so, too.
fn stacked(trials: &mut Trials) {
    let on_upper = Expected {
        interface: Some(UPPER),
        ..flag("SIOCSIFFLAGS")
    };
    Attack::new(
        "promisc_on_a_vlan_reaches_the_lower_device",
        VICTIM,
        on_upper,
        || change_flags(Family::Inet, UPPER, IFF_PROMISC, 0),
    )
    .needs(&["vlan"])
    .on(|| make::vlan_over_dummy(UPPER, VICTIM))
    .twins(trials);
    Attack::new(
        "promisc_on_a_macvlan_reaches_the_lower_device",
        VICTIM,
        on_upper,
        || change_flags(Family::Inet, UPPER, IFF_PROMISC, 0),
    )
    .needs(&["macvlan"])
    .on(|| {
        make::dummy(VICTIM)?;
        make::macvlan(UPPER, VICTIM, MacvlanMode::Bridge)?;
        make::up(UPPER)
    })
    .twins(trials);
    let opened = Expected::of("promiscuous.stacked", "SIOCSIFFLAGS");
    Attack::new("promiscuous_macvlan_brought_up", VICTIM, opened, || {
        change_flags(Family::Inet, UPPER, IFF_UP, 0)
    })
    .needs(&["macvlan"])
    .on(|| {
        make::dummy(VICTIM)?;
        make::macvlan(UPPER, VICTIM, MacvlanMode::Bridge)?;
        make::promiscuous(UPPER)
    })
    .twins(trials);
    for (via, family) in [("SIOCSIFFLAGS", true), ("RTM_SETLINK", false)] {
        let address = Expected::of("promiscuous.unicast_filter", via);
        let name = format!("macvlan_over_a_dummy_brought_up_by_{via}").to_lowercase();
        Attack::new(name, VICTIM, address, move || {
            if family {
                change_flags(Family::Inet, UPPER, IFF_UP, 0)
            } else {
                link::request(change(RTM_SETLINK, Target::Name(UPPER)).flags(IFF_UP, IFF_UP))
            }
        })
        .needs(&["macvlan"])
        .on(|| {
            make::dummy(VICTIM)?;
            make::macvlan(UPPER, VICTIM, MacvlanMode::Bridge)
        })
        .twins(trials);
    }
}

/// On a veth the rise comes within the call on every kernel; on a dummy, from
/// 7.x on, from a kernel worker.
fn over_veth(trials: &mut Trials) {
    let address = Expected::of("promiscuous.unicast_filter", "SIOCSIFFLAGS");
    Attack::new("macvlan_over_a_veth_brought_up", VICTIM, address, || {
        change_flags(Family::Inet, UPPER, IFF_UP, 0)
    })
    .needs(&["macvlan", "veth"])
    .on(|| {
        make::down(VICTIM, "veth")?;
        make::up(VICTIM)?;
        make::macvlan(UPPER, VICTIM, MacvlanMode::Bridge)
    })
    .twins(trials);
}

/// A promiscuous bond or team hands it to whoever joins.
fn members(trials: &mut Trials) {
    let joined = |via| Expected::of("promiscuous.stacked", via);
    let promiscuous_master = |link_type| {
        move || {
            make::down(VICTIM, "dummy")?;
            make::down(UPPER, link_type)?;
            make::up(UPPER)?;
            make::promiscuous(UPPER)
        }
    };
    let enslave = || make::enslave(VICTIM, UPPER);
    Attack::new(
        "rtm_setlink_master_promiscuous_bond",
        VICTIM,
        joined("RTM_SETLINK"),
        enslave,
    )
    .needs(&["bond"])
    .on(promiscuous_master("bond"))
    .twins(trials);
    Attack::new(
        "siocbondenslave_to_promiscuous_bond",
        VICTIM,
        joined("SIOCBONDENSLAVE"),
        || bond_enslave(UPPER, VICTIM),
    )
    .needs(&["bond"])
    .on(promiscuous_master("bond"))
    .twins(trials);
    Attack::new(
        "rtm_setlink_master_promiscuous_team",
        VICTIM,
        joined("RTM_SETLINK"),
        enslave,
    )
    .needs(&["team"])
    .on(promiscuous_master("team"))
    .twins(trials);
}
