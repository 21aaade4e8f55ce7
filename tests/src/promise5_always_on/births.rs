//! Guarded from the first instruction: cgroups that a policy matches by their path.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::enter_new_child;
use crate::attack::SocketOption;
use crate::attack::sockopt::udp_socket;
use crate::rig::{Cgroup, Stage, Trials, USUAL_POLICY, Way, errno_of, poll};

/// Only these are guarded; what is above them is not.
const PODS: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/pods/pod-[0-9]*/main"]
[policy.setsockopt]
SO_MARK = "deny"
"#;
const VALUES: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/pods/pod-ready/main"]
[policy.setsockopt]
SO_MARK = { allow = [7] }
"#;
const ALLOWED: i32 = 7;
const PARENT: &str = "/netadmin-test/pods";
const BURST: usize = 1000;
/// linux/sched.h (libc has it as an `int`, in which it does not fit).
const CLONE_INTO_CGROUP: u64 = 1 << 33;

pub fn add(trials: &mut Trials) {
    trials.guarded(
        PODS,
        "births_that_were_not_told_are_guarded_and_made_up_for",
        lost_births,
    );
    trials.guarded(
        PODS,
        "a_task_born_in_a_matched_cgroup_is_refused_while_the_agent_is_stopped",
        |stage| {
            let agent = stage.agent()?;
            agent.signal(Signal::SIGSTOP)?;
            let answers = ["pod-1/main", "pod-1/main/below", "pod-1/side", "pod-x/main"]
                .map(|path| attack_at_birth(&format!("{PARENT}/{path}")));
            agent.signal(Signal::SIGCONT)?;
            let answers: Vec<i32> = answers.into_iter().collect::<Result<_>>()?;
            ensure!(answers == [libc::EPERM, libc::EPERM, 0, 0], "{answers:?}");
            Ok(())
        },
    );
    trials.guarded(
        USUAL_POLICY,
        "a_guarded_task_is_refused_in_whatever_cgroup_it_makes_while_the_agent_is_stopped",
        made_by_guarded,
    );
    trials.guarded(
        VALUES,
        "what_cannot_be_ready_at_birth_is_refused_until_it_is",
        not_ready,
    );
    trials.guarded(
        PODS,
        "a_thousand_cgroups_in_a_burst_are_guarded_before_their_first_task",
        |_| {
            let mut won = 0;
            // Names of its own: other tests leave theirs behind.
            for number in 1000..1000 + BURST {
                let path = format!("{PARENT}/pod-{number}/main");
                won += usize::from(attack_at_birth(&path)? != libc::EPERM);
                let main = Cgroup::make(&path)?.directory();
                fs::remove_dir(&main).context("remove a cgroup")?;
                fs::remove_dir(main.parent().context("a parent")?).context("remove a cgroup")?;
            }
            ensure!(won == 0, "{won} of {BURST} attacks at birth succeeded");
            Ok(())
        },
    );
}

/// A child and a grandchild; entered, and born into.
fn made_by_guarded(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let top = Cgroup::make(Cgroup::GUARDED)?;
    let own = File::open(top.directory()).context("open the cgroup")?;
    let agent = stage.agent()?;
    agent.signal(Signal::SIGSTOP)?;
    let attempt = container.attempt(|| in_new_cgroups(&own));
    agent.signal(Signal::SIGCONT)?;
    for name in NAMES {
        Cgroup::make(&format!("{}/{name}/{name}", top.path()))?.remove()?;
        Cgroup::make(&format!("{}/{name}", top.path()))?.remove()?;
    }
    let errnos = attempt??;
    ensure!(errnos == [libc::EPERM; 4], "{errnos:?}");
    Ok(())
}

const NAMES: [&str; 2] = ["entered", "born-into"];

/// The errno in each of both and what is below it.
fn in_new_cgroups(own: &File) -> io::Result<Vec<i32>> {
    let mut errnos = Vec::new();
    let [entered, born_into] = NAMES;
    let mut at = own.try_clone()?;
    for _ in 0..2 {
        enter_new_child(&at, entered)?;
        errnos.push(errno_of_all_ways());
        at = below(&at, entered)?;
    }
    let mut at = own.try_clone()?;
    for _ in 0..2 {
        fs::create_dir(format!("/proc/self/fd/{}/{born_into}", at.as_raw_fd()))?;
        at = below(&at, born_into)?;
        let status = in_cgroup(&at, errno_of_all_ways).map_err(io::Error::other)?;
        errnos.push(libc::WEXITSTATUS(status));
    }
    Ok(errnos)
}

fn below(cgroup: &File, name: &str) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}/{name}", cgroup.as_raw_fd()))
}

/// `EPERM` if each ends so.
fn errno_of_all_ways() -> i32 {
    let mut errnos = Way::ALL.into_iter().map(|way| errno_of(&way.attempt()));
    let other = errnos.find(|errno| *errno != libc::EPERM);
    other.unwrap_or(libc::EPERM)
}

/// A rule on values takes a program on the new cgroup, which the agent attaches. Until
/// then also the value that the rule allows is refused: in what a path guards, and below.
fn not_ready(stage: &Stage<'_>) -> Result<()> {
    let path = format!("{PARENT}/pod-ready/main");
    let agent = stage.agent()?;
    agent.signal(Signal::SIGSTOP)?;
    let first = allowed_mark(&path);
    let below = allowed_mark(&format!("{path}/below"));
    agent.signal(Signal::SIGCONT)?;
    let (first, below) = (first?, below?);
    ensure!(
        (first, below) == (libc::EPERM, libc::EPERM),
        "{first} {below}"
    );
    let ready = poll(Duration::from_secs(60), || {
        (allowed_mark(&format!("{path}/below")).ok()? == 0).then_some(())
    });
    ready.context("the allowed value is still refused")?;
    ensure!(
        attack_at_birth(&path)? == libc::EPERM,
        "another value passes"
    );
    Cgroup::make(&format!("{path}/below"))?.remove()?;
    Cgroup::make(&path)?.remove()?;
    Ok(())
}

/// The errno of the value that [`VALUES`] allows, in a process born there.
fn allowed_mark(path: &str) -> Result<i32> {
    let cgroup = File::open(Cgroup::make(path)?.directory()).context("open the cgroup")?;
    let set = || -> io::Result<()> { SocketOption::Mark.set(udp_socket()?.as_fd(), ALLOWED) };
    let status = in_cgroup(&cgroup, || errno_of(&set()))?;
    ensure!(libc::WIFEXITED(status), "it ended with {status:#x}");
    Ok(libc::WEXITSTATUS(status))
}

/// More births than the buffer holds, while the agent is stopped.
fn lost_births(stage: &Stage<'_>) -> Result<()> {
    let parent = Cgroup::make(&format!("{PARENT}/pod-1/main"))?.directory();
    let agent = stage.agent()?;
    agent.signal(Signal::SIGSTOP)?;
    let path = parent.join("again");
    for _ in 0..6000 {
        fs::create_dir(&path).context("make a cgroup")?;
        fs::remove_dir(&path).context("remove a cgroup")?;
    }
    let last = format!("{PARENT}/pod-2/main");
    ensure!(
        attack_at_birth(&last)? == libc::EPERM,
        "the last one is free"
    );
    agent.signal(Signal::SIGCONT)?;
    let said = || {
        agent
            .stderr()
            .contains("looking at all of them again")
            .then_some(())
    };
    poll(Duration::from_secs(60), said).context("the agent did not notice")
}

/// Makes a cgroup and a process in it, by `CLONE_INTO_CGROUP`, whose first act is
/// an attack; its errno.
fn attack_at_birth(path: &str) -> Result<i32> {
    let directory = Cgroup::make(path)?.directory();
    let cgroup = File::open(&directory).context("open the cgroup")?;
    let status = in_cgroup(&cgroup, || errno_of(&Way::Mark.attempt()))?;
    ensure!(
        libc::WIFEXITED(status),
        "the attacker ended with {status:#x}"
    );
    Ok(libc::WEXITSTATUS(status))
}

/// `fork` into a cgroup; the wait status.
fn in_cgroup(cgroup: &File, work: impl FnOnce() -> i32) -> Result<i32> {
    // SAFETY: integers, for which all zeroes is a value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = u64::try_from(cgroup.as_raw_fd())?;
    let size = size_of::<libc::clone_args>();
    // SAFETY: as fork: the rig starts no threads, and the child has its own copy of
    // everything; the arguments are as long as is said.
    let child = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size) };
    if child < 0 {
        return Err(io::Error::last_os_error()).context("clone3");
    }
    if child == 0 {
        let status = work();
        // SAFETY: no destructor of the parent's must run here.
        unsafe { libc::_exit(status) }
    }
    let mut status = 0;
    // SAFETY: room for the status.
    let waited = unsafe { libc::waitpid(i32::try_from(child)?, &raw mut status, 0) };
    ensure!(i64::from(waited) == child, "wait for the child");
    Ok(status)
}

/// What the names of an attacker's cgroups are.
const NAME: &str = "born-in-a-storm";

/// The same policies, the last of which refuses writes to sysctls besides, and before
/// them one that matches the names of an attacker's cgroups and allows all of [`WAYS`]:
/// it applies to none that a guarded task has made.
pub fn with_names_that_free(policies: &str) -> String {
    let weaker = format!(
        "version = 1\n[[policy]]\nname = \"weaker\"\n\
         match.cgroups = [\"/netadmin-test/guarded/**/{NAME}\"]\n\
         [policy.setsockopt]\nSO_DEBUG = \"deny\"\n"
    );
    let sysctls = "[policy.net_admin]\ndefault = \"allow\"\ndeny = [\"sysctl.write\"]\n";
    policies.replacen("version = 1\n", &weaker, 1) + sysctls
}

/// What is tried in new cgroups: each is answered by programs of another kind.
const WAYS: [Way; 3] = [Way::Mark, Way::Membership, Way::Sysctl];

/// Makes a cgroup and one below it, attacks in that one, comes back and removes both.
pub fn attack_in_new_cgroups(own: &File) -> io::Result<()> {
    let path = |below: &str| format!("/proc/self/fd/{}/{below}", own.as_raw_fd());
    enter_new_child(own, NAME)?;
    enter_new_child(&File::open(path(NAME))?, NAME)?;
    let [mark, membership, sysctl] = WAYS.map(Way::attempt);
    fs::write(path("cgroup.procs"), "0")?;
    fs::remove_dir(path(&format!("{NAME}/{NAME}")))?;
    fs::remove_dir(path(NAME))?;
    let is_refused = |attempt: &io::Result<()>| errno_of(attempt) == libc::EPERM;
    let mut others = [mark, membership].into_iter();
    others
        .find(|attempt| !is_refused(attempt))
        .unwrap_or(sysctl)
}
