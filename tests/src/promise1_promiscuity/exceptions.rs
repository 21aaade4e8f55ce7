//! `promiscuous.allow` and `promiscuous.side_effects` (decisions 6 and 7).

use std::io;

use anyhow::{Context as _, Result, ensure};

use super::addresses::prepared;
use super::{VICTIM, flag, names};
use crate::attack::ioctl::{Family, bridge_add_port, change_flags};
use crate::attack::kind::MacvlanMode;
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, Membership, Target, index_of, packet, tun};
use crate::rig::{Attack, Body, Expected, Stage, Trials, Watch, make};

pub const EXCEPTIONS: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
allow = [{ kind = "tun" }, "mirror*"]
"#;

const SIDE_EFFECTS: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
side_effects = "allow"
"#;

pub const EXCEPTED: &str = "mirror0";

pub fn add(trials: &mut Trials) {
    let passing: [(&str, Body); 4] = [
        (
            "siocsifflags_on_an_excepted_name_passes",
            flag_on_name_passes,
        ),
        (
            "rtm_setlink_on_an_excepted_name_passes",
            setlink_on_name_passes,
        ),
        (
            "packet_add_membership_on_an_excepted_name_passes",
            membership_on_name_passes,
        ),
        (
            "siocsifflags_on_an_excepted_kind_passes",
            flag_on_kind_passes,
        ),
    ];
    for (name, test) in passing {
        trials.guarded(EXCEPTIONS, name, test);
    }
    flag_on("siocsifflags_on_another_device", EXCEPTIONS, trials);
    flag_on(
        "siocsifflags_where_side_effects_are_allowed",
        SIDE_EFFECTS,
        trials,
    );
    over_another_device(trials);
    beside_another_port(trials);
    names::add(trials);
    trials.guarded(
        SIDE_EFFECTS,
        "bridge_port_passes_and_is_reported_where_side_effects_are_allowed",
        side_effect_is_allowed,
    );
}

/// Runs `work` guarded; it must pass, raise the device, and leave no event.
fn raises_in_silence<K>(
    stage: &Stage<'_>,
    device: &str,
    set_up: impl FnOnce() -> io::Result<K>,
    work: fn() -> io::Result<Option<std::os::fd::OwnedFd>>,
) -> Result<()> {
    let container = stage.guarded()?;
    let _held = container.set_up_and_hold(set_up)?;
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt_and_hold(work)?;
    attempt.result.context("excepted, but refused")?;
    let state = container.device(device)?;
    ensure!(state.promiscuity == 1, "{state:?}");
    watch.saw_rise_of(device)?;
    watch.saw_no_event()
}

fn flag_on_name_passes(stage: &Stage<'_>) -> Result<()> {
    raises_in_silence(
        stage,
        EXCEPTED,
        || make::dummy(EXCEPTED),
        || change_flags(Family::Inet, EXCEPTED, IFF_PROMISC, 0).map(|()| None),
    )
}

fn setlink_on_name_passes(stage: &Stage<'_>) -> Result<()> {
    raises_in_silence(
        stage,
        EXCEPTED,
        || make::dummy(EXCEPTED),
        || {
            let message = change(RTM_SETLINK, Target::Name(EXCEPTED));
            link::request(message.flags(IFF_PROMISC, IFF_PROMISC)).map(|()| None)
        },
    )
}

fn membership_on_name_passes(stage: &Stage<'_>) -> Result<()> {
    raises_in_silence(
        stage,
        EXCEPTED,
        || make::dummy(EXCEPTED),
        || packet::join(index_of(EXCEPTED)?, Membership::Promiscuous).map(Some),
    )
}

fn flag_on_kind_passes(stage: &Stage<'_>) -> Result<()> {
    raises_in_silence(
        stage,
        "any0",
        || tun::tap("any0"),
        || change_flags(Family::Inet, "any0", IFF_PROMISC, 0).map(|()| None),
    )
}

fn flag_on(name: &str, policy: &'static str, trials: &mut Trials) {
    Attack::new(name, VICTIM, flag("SIOCSIFFLAGS"), || {
        change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0)
    })
    .on(|| make::dummy(VICTIM))
    .under(policy)
    .twins(trials);
}

/// The name of the upper device is excepted, that of the lowest is not.
fn over_another_device(trials: &mut Trials) {
    let expected = Expected {
        interface: None,
        ..flag("SIOCSIFFLAGS")
    };
    Attack::new(
        "siocsifflags_on_an_excepted_name_over_another_device",
        VICTIM,
        expected,
        || change_flags(Family::Inet, EXCEPTED, IFF_PROMISC, 0),
    )
    .on(|| {
        make::vlan_over_dummy("filter0", VICTIM)?;
        make::macvlan(EXCEPTED, "filter0", MacvlanMode::Bridge)?;
        make::up(EXCEPTED)
    })
    .under(EXCEPTIONS)
    .twins(trials);
}

/// An excepted port makes the other one of its bridge promiscuous, which was not
/// (`br_manage_promisc`).
fn beside_another_port(trials: &mut Trials) {
    Attack::new(
        "excepted_name_joins_a_bridge_beside_a_quiet_port",
        VICTIM,
        Expected::of("promiscuous.bridge_port", "RTM_SETLINK"),
        || {
            let message = change(RTM_SETLINK, Target::Name(EXCEPTED));
            link::request(message.master(index_of("bridge0")?))
        },
    )
    .on(prepared(
        "ip link add bridge0 type bridge vlan_filtering 1 && ip link set bridge0 up \
         && ip link add d0 type dummy && ip link set d0 up \
         && ip link add link d0 name victim0 type vlan id 7 && ip link set victim0 up \
         && ip link set victim0 master bridge0 && ip link add mirror0 type dummy",
    ))
    .under(EXCEPTIONS)
    .needs(&["bridge"])
    .twins(trials);
}

fn side_effect_is_allowed(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| {
        make::dummy(VICTIM)?;
        make::bridge("bridge0")
    })?;
    let watch = Watch::begin(stage)?;
    container.run(|| bridge_add_port("bridge0", index_of(VICTIM)?))?;
    ensure!(container.device(VICTIM)?.promiscuity == 1);
    watch.saw_rise_of(VICTIM)?;
    let events = watch.events()?;
    let [event] = &events[..] else {
        anyhow::bail!("{} events instead of one: {events:#?}", events.len());
    };
    let right = event.event == "allowed"
        && event.operation.as_deref() == Some("promiscuous.bridge_port")
        && event.errno.is_none();
    ensure!(right, "{event:#?}");
    Ok(())
}
