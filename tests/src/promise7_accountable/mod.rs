//! Promise 7: every refusal yields one event that says all.

mod metrics;
mod program_log;

use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;

use crate::attack::ioctl::{Family, bridge_add_port, change_flags};
use crate::attack::link::{RTM_SETLINK, change};
use crate::attack::sockopt::udp_socket;
use crate::attack::{IFF_PROMISC, SocketOption, Target, index_of, transact};
use crate::rig::{
    Agent, Body, Cgroup, Container, Event, Stage, Trials, USUAL_POLICY, Watch, errno_of, make,
};

const AUDIT: &str = r#"version = 1
[[policy]]
name = "cnf"
mode = "audit"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_PRIORITY = { deny = [13] }
SO_DEBUG = "deny"
"#;

/// All tests of this promise.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("promise7");
    let usual: [(&str, Body); 5] = [
        ("an_event_names_everything", names_everything),
        (
            "an_event_of_an_option_names_the_value_if_it_is_known",
            names_the_option,
        ),
        (
            "each_refused_message_of_a_datagram_has_its_event",
            one_for_each_message,
        ),
        ("a_thousand_refusals_are_a_thousand_events", a_thousand),
        ("a_rise_names_who_and_how_much", a_rise),
    ];
    for (name, test) in usual {
        trials.guarded(USUAL_POLICY, name, test);
    }
    let audit: [(&str, Body); 4] = [
        ("audit_lets_the_flag_pass_and_reports_it", audit_flag),
        (
            "audit_lets_a_bridge_port_pass_and_reports_it",
            audit_bridge_port,
        ),
        ("audit_lets_options_pass_and_reports_them", audit_options),
        (
            "audit_leaves_the_refusal_of_another_module_as_it_is",
            refused_by_another,
        ),
    ];
    for (name, test) in audit {
        trials.guarded(AUDIT, name, test);
    }
    trials.alone("events_go_to_standard_output_without_a_file", to_stdout);
    program_log::add(&mut trials);
    metrics::add(&mut trials);
    trials.finish()
}

fn promisc_on_dev0() -> std::io::Result<i32> {
    change_flags(Family::Inet, "dev0", IFF_PROMISC, 0)?;
    Ok(0)
}

/// The line on which the usual policy says this.
fn line_of(words: &str) -> Option<u32> {
    let line = USUAL_POLICY
        .lines()
        .position(|line| line.starts_with(words))?;
    u32::try_from(line + 1).ok()
}

fn the_one(events: Vec<Event>) -> Result<Event> {
    match <[Event; 1]>::try_from(events) {
        Ok([event]) => Ok(event),
        Err(events) => bail!("{} events instead of one: {events:#?}", events.len()),
    }
}

fn names_everything(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    let index = container.device("dev0")?.index;
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt_and_hold(promisc_on_dev0)?;
    let event = the_one(watch.events()?)?;
    let cgroup = Cgroup::make(Cgroup::GUARDED)?;
    ensure!(event.schema == 1 && event.event == "refused", "{event:#?}");
    let process = &event.process;
    let who = (process.pid, process.tid, process.uid, process.cgroup_id);
    ensure!(
        who == (attempt.process.pid, process.pid, 0, cgroup.id()?),
        "{event:#?}"
    );
    ensure!(process.comm == "netadmin-vmtest", "{event:#?}");
    ensure!(
        event.is_from(Cgroup::GUARDED) && event.is_about("dev0"),
        "{event:#?}"
    );
    let interface = event
        .interface
        .as_ref()
        .and_then(|interface| interface.index);
    ensure!(interface == Some(index), "{event:#?}");
    let rule = (event.rule.as_deref(), event.line);
    ensure!(
        rule == (Some("promiscuous.default"), line_of("default")),
        "{event:#?}"
    );
    let what = (
        event.operation.as_deref(),
        event.via.as_deref(),
        event.errno.as_deref(),
    );
    let expected = (
        Some("promiscuous.flag"),
        Some("SIOCSIFFLAGS"),
        Some("EPERM"),
    );
    ensure!(what == expected, "{event:#?}");
    ensure!(
        event.value.is_none() && event.value_known.is_none(),
        "{event:#?}"
    );
    ensure!(is_recent(&event.time)?, "{event:#?}");
    Ok(())
}

/// RFC 3339 with nanoseconds, and of this minute: the guest's clock says so, too.
fn is_recent(time: &str) -> Result<bool> {
    let now = crate::attack::process::shell("date -u +%Y-%m-%dT%H")?.stdout;
    let whole = time.len() == "2026-01-01T00:00:00.000000000Z".len() && time.ends_with('Z');
    Ok(whole && time.starts_with(now.trim()))
}

fn names_the_option(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let set = container.attempt(|| SocketOption::Priority.set(udp_socket()?.as_fd(), 7))?;
    ensure!(errno_of(&set) == libc::EPERM);
    let event = the_one(watch.events()?)?;
    ensure!(event.line == line_of("SO_PRIORITY"), "{event:#?}");
    ensure!(event.interface.is_none(), "{event:#?}");
    match (event.value_known, event.value) {
        (Some(true), Some(7)) | (Some(false), None) => Ok(()),
        _ => bail!("neither known nor unknown: {event:#?}"),
    }
}

fn one_for_each_message(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let names = ["dev0", "dev1", "dev2"];
    container.set_up(|| names.iter().try_for_each(|name| make::dummy(name)))?;
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt(|| {
        let message =
            |name: &&str| change(RTM_SETLINK, Target::Name(name)).flags(IFF_PROMISC, IFF_PROMISC);
        transact(&names.iter().map(message).collect::<Vec<_>>())
    })?;
    ensure!(errno_of(&attempt) == libc::EPERM);
    let events = watch.events()?;
    let about = |(event, name): (&Event, &&str)| event.is_about(name);
    let all = events.len() == names.len() && events.iter().zip(&names).all(about);
    ensure!(all, "{events:#?}");
    Ok(())
}

fn a_thousand(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let refused = container.run(|| {
        let socket = udp_socket()?;
        let set = |_: &u32| SocketOption::Mark.set(socket.as_fd(), 1).is_err();
        Ok((0..1000).filter(set).count())
    })?;
    let events = watch.events()?;
    ensure!(
        refused == 1000 && events.len() == 1000,
        "{refused}, {}",
        events.len()
    );
    let in_order = events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1);
    ensure!(in_order, "the sequence numbers have gaps");
    Ok(())
}

fn a_rise(stage: &Stage<'_>) -> Result<()> {
    let container = stage.unguarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    let index = container.device("dev0")?.index;
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt_and_hold(promisc_on_dev0)?;
    attempt.result?;
    let rises = watch.rises()?;
    let rise = rises.iter().find(|rise| rise.is_about("dev0"));
    let rise = rise.context("no rise of dev0")?;
    let counts = rise
        .promiscuity
        .as_ref()
        .map(|count| (count.before, count.after));
    ensure!(counts == Some((0, 1)), "{rise:#?}");
    ensure!(rise.kernel_thread == Some(false), "{rise:#?}");
    ensure!(rise.process.pid == attempt.process.pid, "{rise:#?}");
    let interface = rise
        .interface
        .as_ref()
        .and_then(|interface| interface.index);
    ensure!(interface == Some(index), "{rise:#?}");
    Ok(())
}

/// Runs `work` guarded in mode audit: it passes, with these operations reported.
fn passes_and_reports(
    stage: &Stage<'_>,
    container: &Container,
    work: fn() -> std::io::Result<i32>,
    operations: &[&str],
) -> Result<()> {
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt_and_hold(work)?;
    attempt.result.context("in mode audit")?;
    let events = watch.events()?;
    let would = events.iter().all(|event| event.event == "would_refuse");
    ensure!(would, "{events:#?}");
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| event.operation.as_deref())
        .collect();
    ensure!(told == operations, "{events:#?}");
    Ok(())
}

fn audit_flag(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    passes_and_reports(stage, &container, promisc_on_dev0, &["promiscuous.flag"])?;
    ensure!(container.device("dev0")?.promiscuity == 1);
    Ok(())
}

fn audit_bridge_port(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| {
        make::dummy("dev0")?;
        make::bridge("bridge0")
    })?;
    let add = || bridge_add_port("bridge0", index_of("dev0")?).map(|()| 0);
    passes_and_reports(stage, &container, add, &["promiscuous.bridge_port"])?;
    ensure!(container.device("dev0")?.promiscuity == 1);
    Ok(())
}

/// The capability module refuses before us: its answer stands where ours would be
/// to let it pass, and is not ours to report.
fn refused_by_another(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.without_capabilities();
    let watch = Watch::begin(stage)?;
    let set = || SocketOption::Debug.set(udp_socket()?.as_fd(), 1);
    let errno = errno_of(&container.attempt(set)?);
    ensure!(errno == libc::EACCES, "errno {errno}");
    watch.saw_no_event()
}

fn audit_options(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let set = || {
        let socket = udp_socket()?;
        SocketOption::Debug.set(socket.as_fd(), 1)?;
        SocketOption::Priority.set(socket.as_fd(), 13)?;
        SocketOption::Priority.set(socket.as_fd(), 12)?;
        SocketOption::Priority.get(socket.as_fd())
    };
    let operations = ["setsockopt.SO_DEBUG", "setsockopt.SO_PRIORITY"];
    passes_and_reports(stage, &container, set, &operations)
}

fn to_stdout() -> Result<()> {
    let agent = Agent::start_with_stdout(USUAL_POLICY)?;
    let mark = agent.mark()?;
    let container = Container::guarded()?;
    let set = container.attempt(|| SocketOption::Debug.set(udp_socket()?.as_fd(), 1))?;
    ensure!(errno_of(&set) == libc::EACCES);
    let event = the_one(agent.events_since(mark)?)?;
    ensure!(
        event.operation.as_deref() == Some("setsockopt.SO_DEBUG"),
        "{event:#?}"
    );
    ensure!(agent.stop()? == 0);
    Ok(())
}
