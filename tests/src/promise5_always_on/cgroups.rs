//! Which cgroups are guarded: the whole subtree below a match, and cgroups that
//! appear later.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::attack::SocketOption;
use crate::attack::process::shell;
use crate::attack::sockopt::udp_socket;
use crate::attack::{Membership, index_of, packet};
use crate::rig::{
    Body, Cgroup, Container, Stage, Trials, USUAL_POLICY, Watch, errno_of, make, poll,
    set_promisc_on_lo,
};

/// One component, then a name; the first policy that matches applies.
const PATTERNS: &str = r#"version = 1
[[policy]]
name = "first"
match.cgroups = ["/netadmin-test/guarded/pod-*/main", "/netadmin-test/guarded/exact"]
[policy.setsockopt]
SO_MARK = "deny"
[[policy]]
name = "second"
match.cgroups = ["/netadmin-test/guarded/pod-1/**"]
[policy.setsockopt]
SO_DEBUG = "deny"
"#;

/// How long the agent may take to see a cgroup that somebody else made, on a
/// machine with much else to do.
const SOON: Duration = Duration::from_secs(30);

/// How long one is watched that must not become guarded.
const WHILE: Duration = Duration::from_secs(2);

pub fn add(trials: &mut Trials) {
    let tests: [(&str, Body); 10] = [
        ("the_matched_cgroup_itself_is_guarded", |stage| {
            is_guarded_at(stage, "/netadmin-test/guarded")
        }),
        ("a_cgroup_deep_below_is_guarded", |stage| {
            is_guarded_at(stage, "/netadmin-test/guarded/a/b/c/d/e/f/g/h")
        }),
        ("a_cgroup_beside_is_not_guarded", beside_is_free),
        (
            "a_cgroup_made_by_a_guarded_task_is_guarded_at_once",
            made_inside,
        ),
        (
            "a_cgroup_made_anew_under_the_same_name_is_guarded",
            made_anew,
        ),
        (
            "a_task_that_leaves_is_free_and_one_that_comes_is_guarded",
            moved,
        ),
        ("threads_children_and_programs_are_guarded", descendants),
        ("a_user_namespace_frees_nobody", user_namespace),
        ("a_network_namespace_frees_nobody", network_namespace),
        (
            "a_packet_socket_in_a_cgroup_that_came_later_is_judged",
            packet_socket_later,
        ),
    ];
    for (name, test) in tests {
        trials.guarded(USUAL_POLICY, name, test);
    }
    trials.unguarded(
        USUAL_POLICY,
        "promisc_in_an_own_user_namespace_succeeds_unguarded",
        |_| {
            let free = Cgroup::make(Cgroup::FREE)?;
            let container = Container::in_user_namespace(&free)?;
            ensure!(container.promisc_on_lo()? == 0);
            ensure!(container.device("lo")?.promiscuity == 1);
            Ok(())
        },
    );
}

/// Those of another policy, which takes another agent.
pub fn add_patterns(trials: &mut Trials) {
    trials.guarded(
        PATTERNS,
        "the_first_policy_that_matches_applies",
        first_match,
    );
    trials.guarded(
        PATTERNS,
        "a_pattern_ends_where_it_ends_but_guards_below",
        patterns,
    );
}

/// Makes a cgroup, if it is not there, and waits until it is guarded.
fn is_guarded_at(_stage: &Stage<'_>, path: &str) -> Result<()> {
    let cgroup = Cgroup::make(path)?;
    let guarded = poll(SOON, || {
        let errno = Container::within(&cgroup).and_then(|container| container.promisc_on_lo());
        matches!(errno, Ok(libc::EPERM)).then_some(())
    });
    guarded.with_context(|| format!("{path} is still not guarded after {SOON:?}"))
}

fn beside_is_free(stage: &Stage<'_>) -> Result<()> {
    let watch = Watch::begin(stage)?;
    for path in [
        "/netadmin-test/guarded-not",
        "/netadmin-test/guarde",
        "/netadmin-test",
    ] {
        let container = Container::within(&Cgroup::make(path)?)?;
        ensure!(container.promisc_on_lo()? == 0, "{path} is guarded");
    }
    watch.saw_no_event()
}

/// A container's root that may write below its own cgroup makes one there, and
/// enters it: there is no moment in between.
fn made_inside(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let name = "made-inside";
    let directory = Cgroup::make(Cgroup::GUARDED)?.directory();
    let own = File::open(&directory).context("open the cgroup")?;
    let attempt = container.attempt_and_hold(|| {
        enter_new_child(&own, name)?;
        set_promisc_on_lo()
    })?;
    let errno = errno_of(&attempt.result);
    drop(attempt);
    std::fs::remove_dir(Path::new(&directory).join(name)).context("remove the cgroup")?;
    let events = watch.events()?;
    ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
    ensure!(events.len() == 1, "{events:#?}");
    Ok(())
}

/// `mkdirat` and a write to its `cgroup.procs`.
pub fn enter_new_child(parent: &File, name: &str) -> io::Result<()> {
    let make = std::ffi::CString::new(name)?;
    // SAFETY: the name is a zero-terminated string.
    if unsafe { libc::mkdirat(parent.as_raw_fd(), make.as_ptr(), 0o755) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let procs = std::ffi::CString::new(format!("{name}/cgroup.procs"))?;
    // SAFETY: as above.
    let fd = unsafe { libc::openat(parent.as_raw_fd(), procs.as_ptr(), libc::O_WRONLY) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else owns it.
    unsafe { File::from_raw_fd(fd) }.write_all(b"0")
}

fn made_anew(stage: &Stage<'_>) -> Result<()> {
    let path = "/netadmin-test/guarded/anew";
    for _ in 0..3 {
        is_guarded_at(stage, path)?;
        Cgroup::make(path)?.remove()?;
    }
    Ok(())
}

/// What counts is where a task is when it asks.
fn moved(stage: &Stage<'_>) -> Result<()> {
    let (guarded, free) = (Cgroup::make(Cgroup::GUARDED)?, Cgroup::make(Cgroup::FREE)?);
    let container = stage.guarded()?;
    let (guarded, free) = (guarded.entrance()?, free.entrance()?);
    let ways = container.attempt_and_hold(|| {
        let debug = || SocketOption::Debug.set(std::os::fd::AsFd::as_fd(&udp_socket()?), 1);
        free.enter()?;
        debug()?;
        guarded.enter()?;
        debug()
    })?;
    let errno = errno_of(&ways.result);
    ensure!(errno == libc::EACCES, "errno {errno}");
    Ok(())
}

fn descendants(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let errno = container.run(|| {
        let thread = std::thread::spawn(|| errno_of(&set_promisc_on_lo()));
        thread
            .join()
            .map_err(|_| io::Error::other("the thread panicked"))
    })?;
    ensure!(errno == libc::EPERM, "a thread: errno {errno}");
    let program = container.run(|| shell("sh -c 'ip link set lo promisc on'"))?;
    ensure!(program.status != 0, "a program: {program:?}");
    ensure!(container.device("lo")?.promiscuity == 0);
    Ok(())
}

fn user_namespace(stage: &Stage<'_>) -> Result<()> {
    let container = Container::in_user_namespace(&Cgroup::make(Cgroup::GUARDED)?)?;
    let watch = Watch::begin(stage)?;
    ensure!(container.promisc_on_lo()? == libc::EPERM);
    ensure!(container.device("lo")?.promiscuity == 0);
    ensure!(watch.events()?.len() == 1);
    Ok(())
}

/// One that the guarded task makes itself, by way of a user namespace.
fn network_namespace(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let attempt = container.attempt(|| {
        // SAFETY: unshare takes no pointers.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(errno_of(&set_promisc_on_lo()))
    })?;
    ensure!(attempt.context("unshare")? == libc::EPERM);
    ensure!(watch.events()?.len() == 1);
    Ok(())
}

/// Memberships are judged by a program on the cgroup itself, which has to get
/// there in time, too; until then they are refused by another.
fn packet_socket_later(stage: &Stage<'_>) -> Result<()> {
    let cgroup = Cgroup::make("/netadmin-test/guarded/later-with-packets")?;
    is_guarded_at(stage, cgroup.path())?;
    let container = Container::within(&cgroup)?;
    container.set_up(|| make::dummy("dev0"))?;
    let join = |membership| {
        let attempt = container.attempt_and_hold(|| packet::join(index_of("dev0")?, membership))?;
        Ok(errno_of(&attempt.result)) as Result<i32>
    };
    ensure!(join(Membership::Promiscuous)? == libc::EPERM);
    let allowed = poll(SOON, || {
        (join(Membership::Multicast).ok()? == 0).then_some(())
    });
    allowed.context("a multicast membership is still refused")
}

/// Errno of `SO_MARK` and `SO_DEBUG`, once the cgroup is guarded, or after so long.
fn marks_and_debugs(path: &str, limit: Duration) -> Result<(i32, i32)> {
    let cgroup = Cgroup::make(path)?;
    let container = Container::within(&cgroup)?;
    let both = || {
        container.run(|| {
            let socket = udp_socket()?;
            let set =
                |option: SocketOption| errno_of(&option.set(std::os::fd::AsFd::as_fd(&socket), 1));
            Ok((set(SocketOption::Mark), set(SocketOption::Debug)))
        })
    };
    let answer = poll(limit, || match both() {
        Ok((0, 0)) => None,
        other => Some(other),
    });
    answer.unwrap_or_else(both)
}

fn first_match(_stage: &Stage<'_>) -> Result<()> {
    let denied = (libc::EPERM, 0);
    expect("/netadmin-test/guarded/pod-1/main", denied)?;
    expect("/netadmin-test/guarded/pod-1/side", (0, libc::EACCES))?;
    expect("/netadmin-test/guarded/pod-2/main", denied)
}

fn patterns(_stage: &Stage<'_>) -> Result<()> {
    let denied = (libc::EPERM, 0);
    expect("/netadmin-test/guarded/exact", denied)?;
    expect("/netadmin-test/guarded/exact/below/it", denied)?;
    expect("/netadmin-test/guarded/pod-2/main/below/it", denied)?;
    expect("/netadmin-test/guarded/pod-2/side", (0, 0))?;
    expect("/netadmin-test/guarded/exactly", (0, 0))
}

fn expect(path: &str, expected: (i32, i32)) -> Result<()> {
    let limit = if expected == (0, 0) { WHILE } else { SOON };
    let answer = marks_and_debugs(path, limit)?;
    if answer != expected {
        bail!("{path}: SO_MARK and SO_DEBUG end with {answer:?}, not {expected:?}");
    }
    Ok(())
}
