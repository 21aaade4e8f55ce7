//! Values given as control messages of one packet: on every kind of socket, by every
//! call that brings one.

use std::io;

use anyhow::{Result, ensure};

use crate::attack::control::{Sender, arrive, is_there};
use crate::attack::{Abi, Arrival, Route, SocketOption};
use crate::rig::{Container, Event, Stage, Trials, Watch, errno_of};

/// Sets, so that only the value tells.
const SETS: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { deny = [13] }
SO_MARK = { allow = [5, 7] }
"#;

const ALLOWED: i32 = 5;
const REFUSED: i32 = 13;

/// One packet: on which socket, by which call, with what.
type Case = (Sender, Route, SocketOption);

pub fn add(trials: &mut Trials) {
    trials.guarded(
        SETS,
        "control_messages_within_a_set_arrive",
        every_one_arrives,
    );
    trials.guarded(
        SETS,
        "control_messages_outside_a_set_are_refused",
        every_one_is_refused,
    );
    trials.unguarded(
        SETS,
        "control_messages_outside_a_set_succeed_unguarded",
        every_one_arrives_unguarded,
    );
    trials.guarded(
        SETS,
        "control_messages_of_a_task_without_net_raw_are_judged",
        without_net_raw,
    );
    trials.guarded(
        SETS,
        "sendmmsg_of_an_allowed_mark_and_another_is_refused_in_between",
        one_after_another,
    );
    trials.unguarded(
        SETS,
        "sendmmsg_of_an_allowed_mark_and_another_succeeds_unguarded",
        one_after_another_unguarded,
    );
}

/// Every kind of socket, and of UDP every way.
fn cases(container: &Container) -> Result<Vec<Case>> {
    let usual = Sender::ALL.map(|sender| (sender, Route::USUAL));
    let ways = [
        (Abi::Native, Arrival::Sendmmsg),
        (Abi::Native, Arrival::Ring),
        (Abi::Native, Arrival::RingWorker),
        (Abi::Native, Arrival::RingPoll),
        (Abi::Int80, Arrival::Usual),
        (Abi::Int80, Arrival::Sendmmsg),
        (Abi::Int80, Arrival::Socketcall),
        (Abi::Int80, Arrival::Ring),
    ];
    let ways = ways.map(|(abi, arrival)| (Sender::Udp, Route::new(abi, arrival)));
    let mut options = vec![SocketOption::Mark];
    // From 6.14 on.
    if errno_of(&container.attempt(|| is_there(SocketOption::Priority))?) == 0 {
        options.push(SocketOption::Priority);
    }
    let all = options.into_iter().flat_map(|option| {
        let ways = usual.into_iter().chain(ways);
        ways.map(move |(sender, route)| (sender, route, option))
    });
    Ok(all.collect())
}

fn prepare(container: &Container) -> Result<Vec<Case>> {
    container.set_up(|| std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0"))?;
    cases(container)
}

fn send(container: &Container, case: Case, values: &[i32]) -> Result<io::Result<usize>> {
    let (sender, route, option) = case;
    container.attempt(|| route.take(|| arrive(sender, option, values)))
}

fn every_one_arrives(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let cases = prepare(&container)?;
    let watch = Watch::begin(stage)?;
    for case in cases {
        let sent = send(&container, case, &[ALLOWED])?;
        ensure!(errno_of(&sent) == 0, "{case:?}: {sent:?}");
    }
    watch.saw_no_event()
}

fn every_one_arrives_unguarded(stage: &Stage<'_>) -> Result<()> {
    let container = stage.unguarded()?;
    for case in prepare(&container)? {
        let sent = send(&container, case, &[REFUSED])?;
        ensure!(matches!(sent, Ok(1)), "{case:?}: {sent:?}");
    }
    Ok(())
}

/// Each has its event, with the value.
fn every_one_is_refused(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let cases = prepare(&container)?;
    let watch = Watch::begin(stage)?;
    for case in &cases {
        let sent = send(&container, *case, &[REFUSED])?;
        ensure!(errno_of(&sent) == libc::EPERM, "{case:?}: {sent:?}");
    }
    let events = watch.events()?;
    ensure!(events.len() == cases.len(), "{cases:#?}: {events:#?}");
    for (event, (_, _, option)) in events.iter().zip(cases) {
        ensure!(tells(event, option), "{event:#?}");
    }
    Ok(())
}

fn tells(event: &Event, option: SocketOption) -> bool {
    let operation = format!("setsockopt.{}", option.name());
    event.event == "refused"
        && event.operation.as_deref() == Some(&operation)
        && event.rule.as_deref() == Some(&operation)
        && event.via.as_deref() == Some("sendmsg")
        && event.errno.as_deref() == Some("EPERM")
        && event.value_known == Some(true)
        && event.value == Some(REFUSED.into())
}

/// The kernel's first question, for `CAP_NET_RAW`, then never comes to our hook.
fn without_net_raw(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.without_net_raw();
    let watch = Watch::begin(stage)?;
    let send = |value| {
        let packet = move || crate::attack::control::send(Sender::Udp, SocketOption::Mark, value);
        container.attempt(packet).map(|sent| errno_of(&sent))
    };
    ensure!(send(ALLOWED)? == 0);
    watch.saw_no_event()?;
    ensure!(send(REFUSED)? == libc::EPERM);
    let events = watch.events()?;
    let told = events.iter().all(|event| tells(event, SocketOption::Mark));
    ensure!(told && events.len() == 1, "{events:#?}");
    Ok(())
}

/// To the same address, of which the kernel asks `socket_sendmsg` only once
/// (`____sys_sendmsg`).
fn one_after_another(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let case = (Sender::Udp, Route::USUAL, SocketOption::Mark);
    let sent = send(&container, case, &[ALLOWED, REFUSED, ALLOWED])?;
    ensure!(matches!(sent, Ok(1)), "{sent:?}");
    let events = watch.events()?;
    let told = events.iter().all(|event| tells(event, SocketOption::Mark));
    ensure!(told && events.len() == 1, "{events:#?}");
    Ok(())
}

fn one_after_another_unguarded(stage: &Stage<'_>) -> Result<()> {
    let case = (Sender::Udp, Route::USUAL, SocketOption::Mark);
    let sent = send(&stage.unguarded()?, case, &[ALLOWED, REFUSED, ALLOWED])?;
    ensure!(matches!(sent, Ok(3)), "{sent:?}");
    Ok(())
}
