//! Sets of values, complements included: what the article could not write.

use std::io;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};

use super::options::{Call, call};
use crate::attack::SocketOption;
use crate::attack::sockopt::udp_socket;
use crate::rig::{Container, Event, Running, Stage, Trials, Watch, errno_of};

/// Not 13 and not 42.
const COMPLEMENT: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { deny = [13, 42] }
SO_MARK = { deny = [13, 42] }
"#;

/// More than 0 and less than 6.
const BETWEEN: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { allow = ["1..=5"] }
SO_MARK = { allow = ["1..=5"] }
"#;

/// Exactly these; 0xffffffff is -1 to an option that the kernel reads as int.
const EXACTLY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.setsockopt]
SO_PRIORITY = { allow = [0, 8, 0x20000, 0x20008, 0xffffffff] }
SO_MARK = { allow = [0, 8, 0x20000, 0x20008, 0xffffffff] }
"#;

struct Set {
    name: &'static str,
    policy: &'static str,
    members: &'static [i32],
    others: &'static [i32],
}

const SETS: [Set; 3] = [
    Set {
        name: "not_13_and_not_42",
        policy: COMPLEMENT,
        members: &[0, 12, 14, 41, 43, 7, -1, i32::MAX, i32::MIN],
        others: &[13, 42],
    },
    Set {
        name: "more_than_0_and_less_than_6",
        policy: BETWEEN,
        members: &[1, 2, 5],
        others: &[0, 6, 7, -1, i32::MAX, i32::MIN],
    },
    Set {
        name: "exactly_five_values",
        policy: EXACTLY,
        members: &[0, 8, 0x20000, 0x20008, -1],
        others: &[1, 7, 9, 0x1ffff, 0x20001, 0x20007, 0x20009, -2, i32::MAX],
    },
];

pub fn add(trials: &mut Trials) {
    for set in SETS {
        for option in [SocketOption::Priority, SocketOption::Mark] {
            let name = option.name().to_lowercase();
            trials.guarded(
                set.policy,
                &format!("setsockopt_{name}_of_{}_passes", set.name),
                move |stage| members_pass(stage, option, set.members),
            );
            trials.guarded(
                set.policy,
                &format!("setsockopt_{name}_outside_{}_is_refused", set.name),
                move |stage| others_are_refused(stage, option, set.others),
            );
            trials.unguarded(
                set.policy,
                &format!("setsockopt_{name}_outside_{}_succeeds_unguarded", set.name),
                move |stage| others_succeed_unguarded(stage, option, set.others),
            );
        }
        trials.guarded(
            set.policy,
            &format!(
                "setsockopt_on_a_socket_from_outside_is_refused_under_{}",
                set.name
            ),
            move |stage| socket_from_outside(stage, set.members),
        );
        trials.unguarded(
            set.policy,
            &format!(
                "setsockopt_on_a_socket_from_outside_succeeds_unguarded_under_{}",
                set.name
            ),
            move |stage| socket_from_outside_unguarded(stage, set.members),
        );
    }
}

fn calls(option: SocketOption, values: &[i32]) -> io::Result<Vec<Call>> {
    values.iter().map(|value| call(option, *value)).collect()
}

fn members_pass(stage: &Stage<'_>, option: SocketOption, values: &[i32]) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let calls = container.run(|| calls(option, values))?;
    for (call, value) in calls.iter().zip(values) {
        ensure!(call.errno == 0 && call.after == *value, "{value}: {call:?}");
    }
    watch.saw_no_event()
}

fn others_succeed_unguarded(stage: &Stage<'_>, option: SocketOption, values: &[i32]) -> Result<()> {
    let container = stage.unguarded()?;
    let calls = container.run(|| calls(option, values))?;
    for (call, value) in calls.iter().zip(values) {
        ensure!(call.errno == 0 && call.after == *value, "{value}: {call:?}");
    }
    Ok(())
}

/// Each is refused and reported once, with its value.
fn others_are_refused(stage: &Stage<'_>, option: SocketOption, values: &[i32]) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let calls = container.run(|| calls(option, values))?;
    let events = watch.events()?;
    for (call, value) in calls.iter().zip(values) {
        let refused = call.errno == libc::EPERM && call.after == 0;
        ensure!(refused, "{value}: {call:?}; {events:#?}");
    }
    let told: Vec<_> = events.iter().map(|event| event.value).collect();
    let expected: Vec<_> = values
        .iter()
        .map(|value| Some(widened(option, *value)))
        .collect();
    ensure!(told == expected, "told {told:?} instead of {expected:?}");
    let known = |event: &Event| event.value_known == Some(true);
    ensure!(events.iter().all(known), "{events:#?}");
    Ok(())
}

/// As the kernel reads it: `SO_MARK` as `u32`, the others as `int`.
fn widened(option: SocketOption, value: i32) -> i64 {
    match option {
        SocketOption::Mark => i64::from(value.cast_unsigned()),
        _ => i64::from(value),
    }
}

/// The value cannot be known there, so not even a member passes (decision 10).
fn socket_from_outside(stage: &Stage<'_>, members: &[i32]) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let attempt = set_from_outside(&container, members[0])?;
    let events = watch.events()?;
    ensure!(errno_of(&attempt.result) == libc::EPERM, "{events:#?}");
    let unknown = |event: &Event| event.value_known == Some(false) && event.value.is_none();
    ensure!(
        events.len() == 1 && events.iter().all(unknown),
        "{events:#?}"
    );
    Ok(())
}

fn socket_from_outside_unguarded(stage: &Stage<'_>, members: &[i32]) -> Result<()> {
    let attempt = set_from_outside(&stage.unguarded()?, members[0])?;
    attempt.result.context("unguarded")
}

/// Sets the priority of a socket that was made outside, and reads it back.
fn set_from_outside(container: &Container, value: i32) -> Result<Running> {
    container.attempt_with_inherited(udp_socket, move |socket| {
        SocketOption::Priority.set(socket.as_fd(), value)?;
        let reads = SocketOption::Priority.get(socket.as_fd())?;
        if reads == value {
            Ok(())
        } else {
            Err(io::Error::other(format!("it reads {reads}")))
        }
    })
}
