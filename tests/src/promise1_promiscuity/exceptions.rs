//! `promiscuous.allow` and `promiscuous.side_effects` (decisions 6 and 7).

use std::io;

use anyhow::{Context as _, Result, ensure};

use super::{VICTIM, flag};
use crate::attack::ioctl::{self, Family, bridge_add_port, change_flags};
use crate::attack::kind::MacvlanMode;
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, Membership, Target, index_of, packet, tun};
use crate::rig::{Body, Expected, Stage, Trials, Watch, errno_of, make};

const EXCEPTIONS: &str = r#"version = 1
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

const EXCEPTED: &str = "mirror0";

pub fn add(trials: &mut Trials) {
    let tests: [(&str, Body); 8] = [
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
        (
            "siocsifflags_on_another_device_is_refused",
            flag_elsewhere_is_refused,
        ),
        (
            "siocsifflags_on_an_excepted_name_over_another_device_is_refused",
            stacked_is_refused,
        ),
        (
            "siocsifname_into_an_excepted_name_is_refused",
            rename_by_ioctl_is_refused,
        ),
        (
            "rtm_setlink_into_an_excepted_name_is_refused",
            rename_by_netlink_is_refused,
        ),
    ];
    for (name, test) in tests {
        trials.guarded(EXCEPTIONS, name, test);
    }
    trials.guarded(
        EXCEPTIONS,
        "rtm_newlink_of_an_excepted_name_is_refused",
        creation_is_refused,
    );
    trials.guarded(
        SIDE_EFFECTS,
        "bridge_port_passes_and_is_reported_where_side_effects_are_allowed",
        side_effect_is_allowed,
    );
    trials.guarded(
        SIDE_EFFECTS,
        "siocsifflags_is_refused_where_side_effects_are_allowed",
        flag_elsewhere_is_refused,
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

/// Runs `work` guarded after `set_up`; it must be refused, in these words.
fn is_refused(
    stage: &Stage<'_>,
    expected: Expected,
    set_up: fn() -> io::Result<()>,
    work: fn() -> io::Result<()>,
) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(set_up)?;
    let watch = Watch::begin(stage)?;
    let errno = errno_of(&container.attempt(work)?);
    let events = watch.events()?;
    ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
    watch.saw_no_rise()?;
    expected.check(&events)
}

fn flag_elsewhere_is_refused(stage: &Stage<'_>) -> Result<()> {
    is_refused(
        stage,
        flag("SIOCSIFFLAGS"),
        || make::dummy(VICTIM),
        || change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0),
    )
}

/// The name of the upper device is excepted, that of the lower is not.
fn stacked_is_refused(stage: &Stage<'_>) -> Result<()> {
    let expected = Expected {
        interface: None,
        ..flag("SIOCSIFFLAGS")
    };
    let set_up = || {
        make::vlan_over_dummy("filter0", VICTIM)?;
        make::macvlan(EXCEPTED, "filter0", MacvlanMode::Bridge)?;
        make::up(EXCEPTED)
    };
    is_refused(stage, expected, set_up, || {
        change_flags(Family::Inet, EXCEPTED, IFF_PROMISC, 0)
    })
}

fn excepted_name(via: &'static str) -> Expected {
    Expected {
        operation: "promiscuous.excepted_name",
        via,
        interface: None,
    }
}

fn rename_by_ioctl_is_refused(stage: &Stage<'_>) -> Result<()> {
    let set_up = || make::down(VICTIM, "dummy");
    is_refused(stage, excepted_name("SIOCSIFNAME"), set_up, || {
        ioctl::rename(VICTIM, EXCEPTED)
    })
}

fn rename_by_netlink_is_refused(stage: &Stage<'_>) -> Result<()> {
    let set_up = || make::down(VICTIM, "dummy");
    is_refused(stage, excepted_name("RTM_SETLINK"), set_up, || {
        let index = index_of(VICTIM)?;
        link::request(change(RTM_SETLINK, Target::Index(index)).name(EXCEPTED))
    })
}

fn creation_is_refused(stage: &Stage<'_>) -> Result<()> {
    is_refused(
        stage,
        excepted_name("RTM_NEWLINK"),
        || Ok(()),
        || link::request(link::create(EXCEPTED, "dummy")),
    )
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
