//! An allow-list that grants one area: its tools work, and all others fail as
//! without the capability.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};

use super::area::{AREAS, Area, BASE};
use super::places::pf_key;
use super::plain;
use crate::attack::process::{Ran, shell};
use crate::rig::{Cgroup, Container, DEFERRED, Event, Stage, Trials, Watch, poll};

/// One policy for each area.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let head = "version = 1\n".to_owned();
    let all = AREAS.iter().chain(plain::AREAS);
    all.fold(head, |text, area| text + &policy(area))
});

fn policy(area: &Area) -> String {
    format!(
        "[[policy]]\nname = \"{}\"\nmatch.cgroups = [\"{}/**\"]\n\
         [policy.net_admin]\ndefault = \"deny\"\nallow = {:?}\n",
        area.name,
        cgroup_of(area),
        area.allow
    )
}

fn cgroup_of(area: &Area) -> String {
    format!("/netadmin-test/guarded/{}", area.name)
}

/// The tests of these areas, three for each.
pub fn add(trials: &mut Trials, areas: &'static [Area]) {
    for area in areas {
        let mut add = |name: String, body: fn(&Stage<'_>, &'static Area) -> Result<()>| {
            trials.where_it_is(area.probe, &POLICY, &name, move |stage| body(stage, area));
        };
        let name = area.name;
        add(format!("{name}_succeeds_unguarded"), |stage, area| {
            works(&stage.unguarded()?, area)
        });
        add(
            format!("{name}_works_where_it_alone_is_granted"),
            is_granted,
        );
        add(
            format!("{name}_is_refused_where_another_is_granted"),
            is_refused,
        );
    }
}

/// Reading, under the same policies.
pub fn add_dumps(trials: &mut Trials) {
    trials.guarded(&POLICY, "dumps_are_as_without_the_capability", dumps);
}

fn is_granted(stage: &Stage<'_>, area: &'static Area) -> Result<()> {
    let container = within(area)?;
    let watch = Watch::begin(stage)?;
    works(&container, area)?;
    watch.saw_no_event()
}

/// A container under the policy of an area. Its control group is matched by its
/// path, which takes the agent a moment; no policy here grants PF_KEY.
fn within(area: &Area) -> Result<Container> {
    let cgroup = Cgroup::make(&cgroup_of(area)).context("make a control group")?;
    let container = Container::within(&cgroup)?;
    let guarded = poll(DEFERRED, || match container.attempt(pf_key) {
        Ok(result) => result.is_err().then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    guarded.context("it is not guarded yet")??;
    Ok(container)
}

fn set_up(container: &Container, area: &Area) -> Result<()> {
    for line in [BASE, area.set_up] {
        let ran = container.set_up(|| shell(line))?;
        ensure!(ran.status == 0, "`{line}`, from outside: {ran:#?}");
    }
    Ok(())
}

/// All lines in one process of the container: what each printed.
fn run(container: &Container, area: &'static Area) -> Result<Vec<Ran>> {
    container.run(|| area.lines.iter().map(|line| shell(line)).collect())
}

fn works(container: &Container, area: &'static Area) -> Result<()> {
    set_up(container, area)?;
    for (line, ran) in area.lines.iter().zip(run(container, area)?) {
        ensure!(ran.status == 0, "`{line}`: {ran:#?}");
    }
    Ok(())
}

/// Under the policy of another area each line fails as it does without the
/// capability.
fn is_refused(stage: &Stage<'_>, area: &'static Area) -> Result<()> {
    let other = AREAS.iter().find(|other| other.name != area.name);
    let container = within(other.context("another area")?)?;
    set_up(&container, area)?;
    let free = Cgroup::make(Cgroup::FREE).context("make a control group")?;
    let without = run(&container.sibling(&free)?.without_net_admin(), area)?;
    let watch = Watch::begin(stage)?;
    let all = run(&container, area)?;
    let events = watch.events()?;
    for ((line, ran), without) in area.lines.iter().zip(all).zip(without) {
        // `ss -K` does not look at the answers, and ipset says nothing of what it
        // could not send: their events, below, have to do.
        let is_silent = ["ss ", "ipset "].iter().any(|tool| line.starts_with(tool));
        let fails = ran.status != 0 && reason(&ran) == reason(&without);
        ensure!(
            fails || is_silent,
            "`{line}`: {ran:#?}, without the capability {without:#?}, {events:#?}"
        );
    }
    let processes: BTreeSet<_> = events.iter().map(|event| event.process.pid).collect();
    ensure!(
        processes.len() == area.lines.len(),
        "events of {} processes, not {}: {events:#?}",
        processes.len(),
        area.lines.len()
    );
    events.iter().try_for_each(|event| check(event, area))
}

/// What a tool makes of the errno. (What precedes it may differ: what is refused
/// when it is sent is told as such.)
fn reason(ran: &Ran) -> &str {
    const EPERM: &str = "Operation not permitted";
    let told = [&ran.stderr, &ran.stdout];
    if told.iter().any(|text| text.contains(EPERM)) {
        return EPERM;
    }
    let last = ran.stderr.trim_end().rsplit(": ").next();
    last.unwrap_or_default()
}

/// A refusal by default of an operation of this area.
fn check(event: &Event, area: &Area) -> Result<()> {
    let operation = event.operation.as_deref().unwrap_or_default();
    let right = area.has(operation)
        && event.event == "refused"
        && event.rule.as_deref() == Some("net_admin.default")
        && event.errno.as_deref() == Some("EPERM");
    ensure!(right, "{event:#?}");
    Ok(())
}

/// What anyone may read, in dumps large enough to go on in `recvmsg`.
fn dumps(stage: &Stage<'_>) -> Result<()> {
    const DUMPS: &str = "ip -d -s link; ip addr; ip route show table all; ip rule; ip neigh; \
        tc qdisc; bridge fdb; ss -tanem; ethtool -k dev0; cat /proc/net/dev; ifconfig -a";
    const MANY: &str = "i=1; while [ $i -le 200 ]; do echo link add d$i type dummy; i=$((i+1)); \
        done | ip -batch -";
    // Shows a part to the capability alone (bond_fill_info), also in the first answer,
    // which comes before the send has returned.
    const BOND: &str = "ip link add bond0 type bond mode 802.3ad ad_actor_sys_prio 7";
    let container = within(&AREAS[0])?;
    let set_up = container.set_up(|| {
        shell(&format!(
            "{BASE} && {BOND} && {MANY} && ip link set dev0 down"
        ))
    })?;
    ensure!(set_up.status == 0, "{set_up:#?}");
    let unprivileged =
        container.set_up(|| shell(&format!("capsh --drop=cap_net_admin -- -c '{DUMPS}'")))?;
    let watch = Watch::begin(stage)?;
    let guarded = container.run(|| shell(DUMPS))?;
    ensure!(guarded.stdout.lines().count() > 600, "{guarded:#?}");
    ensure!(
        guarded.stdout == unprivileged.stdout,
        "{}\ninstead of\n{}",
        guarded.stdout,
        unprivileged.stdout
    );
    watch.saw_no_event()
}
