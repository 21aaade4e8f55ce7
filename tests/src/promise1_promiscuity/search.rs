//! Devices that are hard to find: what is not found for certain is not harmless.

use std::io;

use anyhow::{Result, ensure};

use super::VICTIM;
use crate::attack::ioctl::{Family, set_flags};
use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, RTM_NEWLINK, RTM_SETLINK, add_alternative_name, change};
use crate::attack::{IFF_UP, Message, Target, index_of, inet, transact};
use crate::rig::{
    Attack, Cgroup, Container, Expected, Stage, Trials, USUAL_POLICY, Watch, errno_of, make,
};

/// A macvlan over the victim, whose name takes all the room there is.
const MACVLAN: &str = "mvlan0123456789";
const LONGER: &str = "mvlan0123456789X";

/// What the programs look at in one call (`netadmin-ebpf/src/kernel/netdev.rs`).
const MAX_SEARCHED: usize = 1 << 18;
const DEVICES: usize = 512;
/// More alternative names of one device than they look at.
const MANY: u32 = 20;

pub fn add(trials: &mut Trials) {
    for (name, lead_astray) in [
        (
            "many_alternative_names",
            many_alternative_names as fn() -> _,
        ),
        ("a_longer_alternative_name", || {
            add_alternative_name("lo", LONGER)
        }),
    ] {
        let set_up = move || {
            make::dummy(VICTIM)?;
            make::macvlan(MACVLAN, VICTIM, MacvlanMode::Bridge)?;
            lead_astray()
        };
        let name = format!("macvlan_behind_{name}_brought_up");
        Attack::new(
            format!("{name}_by_siocsifflags"),
            VICTIM,
            filter("SIOCSIFFLAGS"),
            || set_flags(Family::Inet, MACVLAN, IFF_UP),
        )
        .on(set_up)
        .twins(trials);
        Attack::new(
            format!("{name}_by_rtm_newlink"),
            VICTIM,
            filter("RTM_NEWLINK"),
            || link::request(change(RTM_NEWLINK, Target::Name(MACVLAN)).flags(IFF_UP, IFF_UP)),
        )
        .on(set_up)
        .twins(trials);
    }
    Attack::new(
        "macvlan_by_its_last_alternative_name_of_many_brought_up",
        VICTIM,
        Expected::of("promiscuous.unjudged", "RTM_NEWLINK"),
        || {
            let last = format!("alt{MANY}");
            link::request(change(RTM_NEWLINK, Target::Name(&last)).flags(IFF_UP, IFF_UP))
        },
    )
    .on(|| {
        make::dummy(VICTIM)?;
        make::macvlan(MACVLAN, VICTIM, MacvlanMode::Bridge)?;
        (0..=MANY).try_for_each(|number| add_alternative_name(MACVLAN, &format!("alt{number}")))
    })
    .twins(trials);
    trials.guarded(
        USUAL_POLICY,
        "macvlan_at_the_end_of_a_long_hash_chain_brought_up_is_refused",
        at_the_end_of_a_chain,
    );
    trials.guarded(
        USUAL_POLICY,
        "rtm_setlink_by_as_many_names_as_are_looked_for_passes",
        |stage| seeks(stage, 0, 0),
    );
    trials.guarded(
        USUAL_POLICY,
        "rtm_setlink_by_more_names_than_are_looked_for_is_refused",
        |stage| seeks(stage, 1, libc::EPERM),
    );
}

/// A hash chain (`dev_index_hash`) longer than was once looked at: the device is at
/// its end, and one that is not found counted as harmless. The crowd is made once;
/// the guarded attempt goes first, the twin beside it is not guarded.
fn at_the_end_of_a_chain(stage: &Stage<'_>) -> Result<()> {
    const FIRST: u32 = 200;
    const BUCKETS: u32 = 256;
    const CHAIN: u32 = 1025;
    let container = stage.guarded()?;
    container.set_up(|| {
        make::dummy(VICTIM)?;
        let (lower, mode) = (index_of(VICTIM)?, MacvlanMode::Bridge);
        link::request(kind::macvlan(MACVLAN, "macvlan", lower, mode).index(FIRST))?;
        let number = |nth| FIRST + BUCKETS * nth;
        let crowd = (1..=CHAIN).map(number);
        let crowd = crowd.map(|index| link::create(&format!("d{index}"), "dummy").index(index));
        let crowd: Vec<_> = crowd.collect();
        crowd.chunks(64).try_for_each(transact)
    })?;
    let up = || link::request(change(RTM_SETLINK, Target::Index(FIRST)).flags(IFF_UP, IFF_UP));
    let watch = Watch::begin(stage)?;
    let errno = errno_of(&container.attempt(up)?);
    let events = watch.events()?;
    ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
    watch.saw_no_rise()?;
    filter("RTM_SETLINK").check(&events)?;
    container.sibling(&Cgroup::make(Cgroup::FREE)?)?.run(up)?;
    watch.saw_rise_of(VICTIM)
}

fn filter(via: &'static str) -> Expected {
    Expected::of("promiscuous.unicast_filter", via)
}

/// On `lo`, which is the first device of every namespace.
fn many_alternative_names() -> io::Result<()> {
    (0..16).try_for_each(|number| add_alternative_name("lo", &format!("alt{number}")))
}

/// A datagram that names absent devices, as many as can be looked for, and some
/// more: the kernel knows none of them, and we know that for certain, or not.
/// (Answers are not waited for: so many do not fit a socket.)
fn seeks(stage: &Stage<'_>, more: usize, expected: i32) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| (0..DEVICES).try_for_each(|n| make::down(&format!("d{n}"), "dummy")))?;
    // `lo` counts as well, and the last search needs a step to see the end.
    let per_name = DEVICES + 1;
    let names = (MAX_SEARCHED - per_name - 1) / per_name + 1 + more;
    let watch = Watch::begin(stage)?;
    let errno = sends(&container, names)?;
    ensure!(errno == expected, "{names} names: errno {errno}");
    ensure!(watch.events()?.len() == more);
    Ok(())
}

fn sends(container: &Container, names: usize) -> Result<i32> {
    let message = || change(RTM_SETLINK, Target::Name("absent")).flags(IFF_UP, IFF_UP);
    let messages: Vec<Message> = std::iter::repeat_with(message).take(names).collect();
    Ok(errno_of(&container.attempt(move || inet::post(&messages))?))
}
