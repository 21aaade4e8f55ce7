//! What is full stays closed.

use std::fs::File;
use std::io;

use anyhow::{Context as _, Result, ensure};

use crate::attack::IFF_PROMISC;
use crate::attack::ioctl::{Family, change_flags};
use crate::promise5_always_on::enter_new_child;
use crate::rig::{Agent, Cgroup, Container, Trials, USUAL_POLICY, errno_of};

/// How many more cgroups there is room for than there are.
const SPARE: u32 = 4;
/// More than there is room for.
const MADE: u32 = 128;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "a_task_that_makes_more_cgroups_than_there_is_room_for_stays_guarded",
        || {
            let room = room()?;
            let agent = Agent::start_with_room_for(USUAL_POLICY, room)?;
            let errno = promisc_in_the_last_of_many(Cgroup::GUARDED)?;
            ensure!(errno == libc::EPERM, "errno {errno}; {}", agent.stderr());
            let said = agent.stderr();
            let words = format!("at most {room} cgroups");
            ensure!(said.contains(&words), "no word of it: {said}");
            Ok(())
        },
    );
    trials.alone(
        "an_unguarded_task_stays_free_when_there_is_no_more_room",
        || {
            let _agent = Agent::start_with_room_for(USUAL_POLICY, room()?)?;
            ensure!(promisc_in_the_last_of_many(Cgroup::GUARDED)? == libc::EPERM);
            ensure!(promisc_in_the_last_of_many(Cgroup::FREE)? == 0);
            Ok(())
        },
    );
}

/// Room for the cgroups that tests have left, and a few more.
fn room() -> Result<u32> {
    Cgroup::make_usual()?;
    let (mut waiting, mut count) = (vec![Cgroup::make("/netadmin-test")?.directory()], 0);
    while let Some(directory) = waiting.pop() {
        count += 1;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(count + SPARE)
}

/// A container's root makes many cgroups below its own, enters each, and tries
/// it in the last: the errno.
fn promisc_in_the_last_of_many(path: &str) -> Result<i32> {
    let cgroup = Cgroup::make(path)?;
    let container = Container::within(&cgroup)?;
    let own = File::open(cgroup.directory()).context("open the cgroup")?;
    let name = |number| format!("full-{number}");
    let attempt = container.attempt_and_hold(|| -> io::Result<()> {
        (0..MADE).try_for_each(|number| enter_new_child(&own, &name(number)))?;
        change_flags(Family::Inet, "lo", IFF_PROMISC, 0)
    })?;
    let errno = errno_of(&attempt.result);
    drop(attempt);
    for number in 0..MADE {
        Cgroup::make(&format!("{path}/{}", name(number)))?.remove()?;
    }
    Ok(errno)
}
