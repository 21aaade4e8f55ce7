//! The article's options, each as an attack and its refusal.

use std::io;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::attack::SocketOption;
use crate::attack::sockopt::{set_bytes, udp_socket};
use crate::rig::{Container, Event, Stage, Trials, USUAL_POLICY, Watch};

/// One call, and what `getsockopt` said before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// 0 for success.
    pub errno: i32,
    before: i32,
    /// What is in force then.
    pub after: i32,
}

/// Sets the option on a new socket.
pub fn call(option: SocketOption, value: i32) -> io::Result<Call> {
    call_with(option, &value.to_ne_bytes())
}

fn call_with(option: SocketOption, value: &[u8]) -> io::Result<Call> {
    let socket = udp_socket()?;
    let socket = socket.as_fd();
    let before = option.get(socket)?;
    let result = set_bytes(socket, libc::SOL_SOCKET, option.number(), value);
    Ok(Call {
        errno: crate::rig::errno_of(&result),
        before,
        after: option.get(socket)?,
    })
}

/// What is set, and what `getsockopt` then says.
const ATTACKS: [(&str, SocketOption, i32, i32); 9] = [
    ("so_priority_7", SocketOption::Priority, 7, 7),
    ("so_priority_minus_1", SocketOption::Priority, -1, -1),
    ("so_priority_99", SocketOption::Priority, 99, 99),
    (
        "so_priority_int_min",
        SocketOption::Priority,
        i32::MIN,
        i32::MIN,
    ),
    ("so_debug_on", SocketOption::Debug, 1, 1),
    (
        "so_sndbufforce",
        SocketOption::SndBufForce,
        8 << 20,
        16 << 20,
    ),
    (
        "so_rcvbufforce",
        SocketOption::RcvBufForce,
        8 << 20,
        16 << 20,
    ),
    ("so_mark_1", SocketOption::Mark, 1, 1),
    ("so_mark_all_ones", SocketOption::Mark, -1, -1),
];

pub fn add(trials: &mut Trials) {
    for (name, option, value, reads) in ATTACKS {
        trials.unguarded(
            USUAL_POLICY,
            &format!("setsockopt_{name}_succeeds_unguarded"),
            move |stage| succeeds(stage, option, &value.to_ne_bytes(), reads),
        );
        trials.guarded(
            USUAL_POLICY,
            &format!("setsockopt_{name}_is_refused"),
            move |stage| is_refused(stage, option, &value.to_ne_bytes()),
        );
    }
    for len in [8, 4096, 4097, 1 << 16] {
        let mut value = vec![0; len];
        value[..4].copy_from_slice(&7i32.to_ne_bytes());
        let twin = value.clone();
        trials.unguarded(
            USUAL_POLICY,
            &format!("setsockopt_so_priority_7_in_{len}_bytes_succeeds_unguarded"),
            move |stage| succeeds(stage, SocketOption::Priority, &twin, 7),
        );
        trials.guarded(
            USUAL_POLICY,
            &format!("setsockopt_so_priority_7_in_{len}_bytes_is_refused"),
            move |stage| is_refused(stage, SocketOption::Priority, &value),
        );
    }
    for value in 0..=6 {
        trials.guarded(
            USUAL_POLICY,
            &format!("setsockopt_so_priority_{value}_passes"),
            move |stage| passes(stage, SocketOption::Priority, value),
        );
    }
    // The kernel asks for no capability there.
    trials.guarded(USUAL_POLICY, "setsockopt_so_debug_off_passes", |stage| {
        passes(stage, SocketOption::Debug, 0)
    });
    trials.guarded(
        USUAL_POLICY,
        "setsockopt_so_priority_on_a_socket_from_outside_is_judged",
        socket_from_outside,
    );
}

fn succeeds(stage: &Stage<'_>, option: SocketOption, value: &[u8], reads: i32) -> Result<()> {
    let container = stage.unguarded()?;
    let watch = Watch::begin(stage)?;
    let call = container.run(|| call_with(option, value))?;
    ensure!(call.errno == 0 && call.after == reads, "{call:?}");
    ensure!(call.before != reads, "shows nothing: {call:?}");
    watch.saw_no_event()
}

fn is_refused(stage: &Stage<'_>, option: SocketOption, value: &[u8]) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let call = container.run(|| call_with(option, value))?;
    let events = watch.events()?;
    let (errno, name) = match option {
        SocketOption::Debug => (libc::EACCES, "EACCES"),
        _ => (libc::EPERM, "EPERM"),
    };
    ensure!(call.errno == errno, "{call:?}; {events:#?}");
    ensure!(
        call.after == call.before,
        "it was set all the same: {call:?}"
    );
    let [event] = &events[..] else {
        bail!("{} events instead of one: {events:#?}", events.len());
    };
    check(event, option, name)
}

/// One refusal of this option, by the policy that the tests use.
fn check(event: &Event, option: SocketOption, errno: &str) -> Result<()> {
    let operation = format!("setsockopt.{}", option.name());
    let right = event.event == "refused"
        && event.policy.as_deref() == Some("cnf")
        && event.rule.as_deref() == Some(&operation)
        && event.operation.as_deref() == Some(&operation)
        && event.via.as_deref() == Some("setsockopt")
        && event.errno.as_deref() == Some(errno)
        && event.interface.is_none();
    ensure!(right, "expected {operation}, {errno}: {event:#?}");
    Ok(())
}

fn passes(stage: &Stage<'_>, option: SocketOption, value: i32) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let call = container.run(|| call(option, value))?;
    ensure!(call.errno == 0 && call.after == value, "{call:?}");
    watch.saw_no_event()
}

/// Where the kernel's own line is the rule, it matters not whose socket it is.
fn socket_from_outside(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let set = |container: &Container, value| {
        let attempt = container.attempt_with_inherited(udp_socket, move |socket| {
            SocketOption::Priority.set(socket.as_fd(), value)
        });
        attempt.map(|attempt| crate::rig::errno_of(&attempt.result))
    };
    let watch = Watch::begin(stage)?;
    ensure!(set(&container, 6)? == 0);
    watch.saw_no_event()?;
    ensure!(set(&container, 7)? == libc::EPERM);
    let events = watch.events()?;
    let first = events.first().context("no event")?;
    ensure!(events.len() == 1, "{events:#?}");
    check(first, SocketOption::Priority, "EPERM")
}
