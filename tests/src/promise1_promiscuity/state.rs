//! The other side of the line: keeping and clearing, and changing something else.

use std::io;

use anyhow::{Context as _, Result, ensure};

use super::{VICTIM, flag};
use crate::attack::ioctl::{Family, change_flags};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Target, sysfs};
use crate::rig::{
    Container, DeviceState, Expected, Refusal, Stage, Trials, USUAL_POLICY, Watch, errno_of, make,
};

const KEEP_DENIED: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
keep = "deny"
"#;

/// A request, and its name in tests and events.
type Request = (&'static str, &'static str, fn() -> io::Result<()>);

/// Requests that carry `IFF_PROMISC` to a device that has it, and change `IFF_UP`.
const KEEPS: [Request; 4] = [
    ("siocsifflags", "SIOCSIFFLAGS", || {
        change_flags(Family::Inet, VICTIM, 0, IFF_UP)
    }),
    ("rtm_setlink_with_a_zero_mask", "RTM_SETLINK", || {
        link::request(change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, 0))
    }),
    ("rtm_newlink_with_a_mask", "RTM_NEWLINK", || {
        let mask = IFF_PROMISC | IFF_UP;
        link::request(change(RTM_NEWLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, mask))
    }),
    ("sysfs_flags", "sysfs", || {
        sysfs::set_flags(VICTIM, IFF_PROMISC)
    }),
];

/// Requests that take it away.
const CLEARS: [Request; 3] = [
    ("siocsifflags", "SIOCSIFFLAGS", || {
        change_flags(Family::Inet, VICTIM, 0, IFF_PROMISC)
    }),
    ("rtm_setlink_with_a_mask", "RTM_SETLINK", || {
        link::request(change(RTM_SETLINK, Target::Name(VICTIM)).flags(0, IFF_PROMISC))
    }),
    ("rtm_setlink_with_a_zero_mask", "RTM_SETLINK", || {
        link::request(change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_UP, 0))
    }),
];

/// Requests that leave `IFF_PROMISC` out of their mask.
const OTHERS: [Request; 2] = [
    ("rtm_newlink_of_up", "RTM_NEWLINK", || {
        link::request(change(RTM_NEWLINK, Target::Name(VICTIM)).flags(0, IFF_UP))
    }),
    // What is not in the mask does not count, whatever ifi_flags says.
    (
        "rtm_setlink_with_promisc_outside_the_mask",
        "RTM_SETLINK",
        || link::request(change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, IFF_UP)),
    ),
];

pub fn add(trials: &mut Trials) {
    for (name, _, request) in KEEPS {
        let name = format!("{name}_that_keeps_promisc_passes");
        trials.guarded(USUAL_POLICY, &name, move |stage| {
            let state = passes_on_promiscuous(stage, request)?;
            ensure!(state.promiscuity == 1 && !state.is_up(), "{state:?}");
            Ok(())
        });
    }
    for (name, _, request) in CLEARS {
        let name = format!("{name}_that_clears_promisc_passes");
        trials.guarded(USUAL_POLICY, &name, move |stage| {
            let state = passes_on_promiscuous(stage, request)?;
            ensure!(state.promiscuity == 0 && state.is_up(), "{state:?}");
            Ok(())
        });
    }
    for (name, _, request) in OTHERS {
        let name = format!("{name}_passes_on_a_promiscuous_device");
        trials.guarded(USUAL_POLICY, &name, move |stage| {
            let state = passes_on_promiscuous(stage, request)?;
            ensure!(state.promiscuity == 1 && !state.is_up(), "{state:?}");
            Ok(())
        });
    }
    for (name, via, request) in KEEPS {
        let expected = Expected {
            operation: "promiscuous.keep",
            ..flag(via)
        };
        let name = format!("{name}_that_keeps_promisc_under_keep_deny");
        Refusal::new(name, expected, request, || {
            DeviceState::read(VICTIM).map(|state| state.promiscuity == 1 && !state.is_up())
        })
        .on(make_promiscuous)
        .under(KEEP_DENIED)
        .twins(trials);
    }
    for (name, _, request) in OTHERS {
        let name = format!("{name}_passes_keep_deny");
        trials.guarded(KEEP_DENIED, &name, move |stage| {
            passes_on_promiscuous(stage, request).map(drop)
        });
    }
    trials.guarded(
        USUAL_POLICY,
        "siocsifflags_after_a_clear_is_refused",
        set_after_clear,
    );
    trials.unguarded(
        USUAL_POLICY,
        "siocsifflags_after_a_clear_succeeds_unguarded",
        set_after_clear_succeeds,
    );
}

/// A guarded container with a device that is promiscuous by flag.
fn with_promiscuous_device(stage: &Stage<'_>) -> Result<Container> {
    let container = stage.guarded()?;
    container.set_up(make_promiscuous)?;
    Ok(container)
}

fn make_promiscuous() -> io::Result<()> {
    make::dummy(VICTIM)?;
    make::promiscuous(VICTIM)
}

fn passes_on_promiscuous(
    stage: &Stage<'_>,
    request: fn() -> io::Result<()>,
) -> Result<DeviceState> {
    let container = with_promiscuous_device(stage)?;
    let watch = Watch::begin(stage)?;
    container.run(request).context("the request, guarded")?;
    watch.saw_no_rise()?;
    watch.saw_no_event()?;
    container.device(VICTIM)
}

/// A guarded task may give it up, and then may not have it back.
fn set_after_clear(stage: &Stage<'_>) -> Result<()> {
    let container = with_promiscuous_device(stage)?;
    container.run(|| change_flags(Family::Inet, VICTIM, 0, IFF_PROMISC))?;
    let watch = Watch::begin(stage)?;
    let again = container.attempt(|| change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0))?;
    ensure!(errno_of(&again) == libc::EPERM);
    ensure!(container.device(VICTIM)?.promiscuity == 0);
    watch.saw_no_rise()?;
    flag("SIOCSIFFLAGS").check(&watch.events()?)
}

fn set_after_clear_succeeds(stage: &Stage<'_>) -> Result<()> {
    let container = stage.unguarded()?;
    container.set_up(make_promiscuous)?;
    container.run(|| change_flags(Family::Inet, VICTIM, 0, IFF_PROMISC))?;
    ensure!(container.device(VICTIM)?.promiscuity == 0);
    container.run(|| change_flags(Family::Inet, VICTIM, IFF_PROMISC, 0))?;
    ensure!(container.device(VICTIM)?.promiscuity == 1);
    Ok(())
}
