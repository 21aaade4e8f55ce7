//! What is full stays closed.

use std::fs::File;
use std::io;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::promise5_always_on::enter_new_child;
use crate::rig::{Agent, Cgroup, Container, Trials, USUAL_POLICY, errno_of, set_promisc_on_lo};

/// How many more cgroups there is room for than there are.
const SPARE: u32 = 4;
/// More than there is room for.
const MADE: u32 = 128;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "a_task_that_makes_more_cgroups_than_there_is_room_for_stays_guarded",
        stays_guarded,
    );
    trials.alone(
        "a_task_that_makes_many_cgroups_leaves_room_for_what_a_path_guards",
        leaves_room,
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
    while_full(path, Ok)
}

/// The same; `then` is done while all of them are there.
fn while_full<T>(path: &str, then: impl FnOnce(i32) -> Result<T>) -> Result<T> {
    let cgroup = Cgroup::make(path)?;
    let container = Container::within(&cgroup)?;
    let own = File::open(cgroup.directory()).context("open the cgroup")?;
    let name = |number| format!("full-{number}");
    let attempt = container.attempt_and_hold(|| -> io::Result<()> {
        (0..MADE).try_for_each(|number| enter_new_child(&own, &name(number)))?;
        set_promisc_on_lo()
    })?;
    let outcome = then(errno_of(&attempt.result));
    drop(attempt);
    for number in 0..MADE {
        Cgroup::make(&format!("{path}/{}", name(number)))?.remove()?;
    }
    outcome
}

/// Also where the names that the task gives are those of a weaker policy: nobody knows any
/// more who has made what found no room, so its path does not count.
fn stays_guarded() -> Result<()> {
    let weaker = format!(
        "version = 1\n[[policy]]\nname = \"weaker\"\nmatch.cgroups = [\"{}/full-*\"]\n\
         [policy.setsockopt]\nSO_DEBUG = \"deny\"\n",
        Cgroup::GUARDED
    );
    let policy = USUAL_POLICY.replacen("version = 1\n", &weaker, 1);
    let room = room()?;
    let mut agent = Agent::start_with_room_for(&policy, room)?;
    while_full(Cgroup::GUARDED, |errno| {
        ensure!(errno == libc::EPERM, "errno {errno}; {}", agent.stderr());
        let said = agent.stderr();
        let words = format!("at most {room} cgroups");
        ensure!(said.contains(&words), "no word of it: {said}");
        agent.signal(Signal::SIGHUP)?;
        agent.wait_for_line("netadmin-agent: policy reloaded")?;
        let last = Cgroup::make(&format!("{}/full-{}", Cgroup::GUARDED, MADE - 1))?;
        let errno = Container::within(&last)?.promisc_on_lo()?;
        ensure!(errno == libc::EPERM, "after a reload: {}", agent.stderr());
        Ok(())
    })
}

/// Makes a cgroup that only its path guards, and tries it there: the errno.
fn promisc_in_a_new_one(path: &str) -> Result<i32> {
    let cgroup = Cgroup::make(path)?;
    let errno = Container::within(&cgroup)?.promisc_on_lo()?;
    cgroup.remove()?;
    Ok(errno)
}

/// Whoever makes many cgroups leaves room for those that only a path guards: new
/// ones, and after a reload.
fn leaves_room() -> Result<()> {
    const APART: &str = "/netadmin-test/apart";
    let policy = USUAL_POLICY.replace(
        "\"/netadmin-test/guarded/**\"",
        "\"/netadmin-test/guarded/**\", \"/netadmin-test/apart-*\"",
    );
    let mut agent = Agent::start_with_room_for(&policy, room()?)?;
    while_full(Cgroup::GUARDED, |errno| {
        ensure!(errno == libc::EPERM, "errno {errno}; {}", agent.stderr());
        let errno = promisc_in_a_new_one(&format!("{APART}-1"))?;
        ensure!(errno == libc::EPERM, "errno {errno}; {}", agent.stderr());
        agent.signal(Signal::SIGHUP)?;
        agent.wait_for_line("netadmin-agent: policy reloaded")?;
        let errno = promisc_in_a_new_one(&format!("{APART}-2"))?;
        ensure!(errno == libc::EPERM, "errno {errno}; {}", agent.stderr());
        ensure!(promisc_in_a_new_one(APART)? == 0);
        Ok(())
    })
}
