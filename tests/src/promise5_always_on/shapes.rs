//! Cgroups of all shapes: nobody frees himself by where his cgroup is, what kind it
//! is, or what he sees of the tree.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::enter_new_child;
use crate::rig::{
    AgentRun, Body, Cgroup, Container, PROGRAM, Stage, Trials, USUAL_POLICY, errno_of,
    new_directory, set_promisc_on_lo,
};

/// Deeper than any program could walk, and than a path of 1024 bytes says.
const DEPTH: usize = 300;

/// Two subtrees: promiscuous mode is refused in both, SO_DEBUG in the second alone.
const TWO: &str = r#"version = 1
[[policy]]
name = "first"
match.cgroups = ["/netadmin-test/guarded/first"]
[policy.promiscuous]
default = "deny"
[[policy]]
name = "second"
match.cgroups = ["/netadmin-test/guarded/second"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_DEBUG = "deny"
"#;

pub fn add(trials: &mut Trials) {
    let tests: [(&str, Body); 4] = [
        ("a_cgroup_as_deep_as_it_goes_is_guarded", deep),
        ("a_cgroup_made_anew_is_judged_by_its_own_id", made_anew),
        ("a_threaded_cgroup_is_guarded", threaded),
        ("a_cgroup_namespace_frees_nobody", namespace),
    ];
    for (name, test) in tests {
        trials.guarded(USUAL_POLICY, name, test);
    }
    trials.guarded(
        TWO,
        "a_move_between_guarded_subtrees_changes_the_policy",
        moved,
    );
    trials.alone(
        "on_a_hybrid_host_the_cgroup2_tree_is_found_and_guarded",
        hybrid,
    );
}

/// Down to the depth that `cgroup.max.depth` sets: one level more is refused by the
/// kernel itself, so that there is no deeper place to hide in.
fn deep(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let top = Cgroup::make("/netadmin-test/guarded/deep")?;
    fs::write(top.directory().join("cgroup.max.depth"), DEPTH.to_string())?;
    let mut path = top.directory();
    // Opened here: a container does not see the tree.
    let mut at = File::open(&path)?;
    let attempt = container.attempt_and_hold(|| {
        for level in 0..DEPTH {
            let name = format!("level-{level}");
            let made = std::ffi::CString::new(name.clone())?;
            // SAFETY: a zero-terminated name, and an open directory.
            let status = unsafe { libc::mkdirat(at.as_raw_fd(), made.as_ptr(), 0o755) };
            if status != 0 {
                return Err(io::Error::last_os_error());
            }
            at = File::open(format!("/proc/self/fd/{}/{name}", at.as_raw_fd()))?;
        }
        // One level more is too many, so this is the last one there can be.
        let too_deep = enter_new_child(&at, "too-deep");
        if errno_of(&too_deep) != libc::EAGAIN {
            return Err(io::Error::other("there is no limit"));
        }
        fs::write(
            format!("/proc/self/fd/{}/cgroup.procs", at.as_raw_fd()),
            "0",
        )?;
        set_promisc_on_lo()
    })?;
    let errno = errno_of(&attempt.result);
    let said = format!("{:?}", attempt.result);
    drop(attempt);
    let mut levels = Vec::new();
    for level in 0..DEPTH {
        path.push(format!("level-{level}"));
        levels.push(path.clone());
    }
    remove(levels)?;
    top.remove()?;
    ensure!(errno == libc::EPERM, "{said}");
    ensure!(container.device("lo")?.promiscuity == 0);
    Ok(())
}

/// From the deepest up.
fn remove(levels: Vec<std::path::PathBuf>) -> Result<()> {
    for path in levels.into_iter().rev() {
        fs::remove_dir(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

/// Made by a guarded task, removed, and made again by the host beside what is guarded:
/// an entry of the first must not live on, nor be missing of the second. And no id comes
/// again: each is greater than the one before (`__kernfs_new_node`).
fn made_anew(_stage: &Stage<'_>) -> Result<()> {
    let guarded = Cgroup::make("/netadmin-test/guarded/again")?;
    let free = Cgroup::make("/netadmin-test/free/again")?;
    let mut last = 0;
    for _ in 0..5 {
        for (cgroup, expected) in [(&guarded, libc::EPERM), (&free, 0)] {
            let again = Cgroup::make(&format!("{}/a", cgroup.path()))?;
            let id = again.id()?;
            ensure!(id > last, "id {id} after {last}");
            last = id;
            let errno = Container::within(&again)?.promisc_on_lo()?;
            ensure!(errno == expected, "{}: errno {errno}", again.path());
            again.remove()?;
        }
    }
    guarded.remove()?;
    free.remove()?;
    Ok(())
}

/// A thread alone can be in one.
fn threaded(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let parent = Cgroup::make("/netadmin-test/guarded/threads")?;
    let child = Cgroup::make("/netadmin-test/guarded/threads/child")?;
    fs::write(child.directory().join("cgroup.type"), "threaded")?;
    let entrance = parent.entrance()?;
    let threads = child.directory().join("cgroup.threads");
    let mut threads = File::options().write(true).open(threads)?;
    let attempt = container.attempt_and_hold(|| {
        entrance.enter()?;
        let thread = std::thread::spawn(move || {
            threads.write_all(b"0")?;
            set_promisc_on_lo()
        });
        thread
            .join()
            .map_err(|_| io::Error::other("the thread panicked"))?
    })?;
    let errno = errno_of(&attempt.result);
    let said = format!("{:?}", attempt.result);
    drop(attempt);
    child.remove()?;
    parent.remove()?;
    ensure!(errno == libc::EPERM, "{said}");
    Ok(())
}

/// In a cgroup namespace of his own, a task sees its cgroup as the root.
fn namespace(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.with_all_capabilities();
    let own = File::open(Cgroup::make(Cgroup::GUARDED)?.directory())?;
    let attempt = container.attempt_and_hold(|| {
        // SAFETY: unshare takes no pointers.
        if unsafe { libc::unshare(libc::CLONE_NEWCGROUP) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let seen = fs::read_to_string("/proc/self/cgroup")?;
        if !seen.lines().any(|line| line == "0::/") {
            return Err(io::Error::other(format!("it is not the root: {seen}")));
        }
        enter_new_child(&own, "in-a-namespace")?;
        set_promisc_on_lo()
    })?;
    let errno = errno_of(&attempt.result);
    let said = format!("{:?}", attempt.result);
    drop(attempt);
    Cgroup::make(&format!("{}/in-a-namespace", Cgroup::GUARDED))?.remove()?;
    ensure!(errno == libc::EPERM, "{said}");
    Ok(())
}

/// What counts is where a task is when it asks: on no step is it free.
fn moved(stage: &Stage<'_>) -> Result<()> {
    use crate::attack::SocketOption;
    use crate::attack::sockopt::udp_socket;
    use std::os::fd::AsFd as _;
    let first = Cgroup::make("/netadmin-test/guarded/first")?;
    let second = Cgroup::make("/netadmin-test/guarded/second")?;
    let (to_first, to_second) = (first.entrance()?, second.entrance()?);
    let container = stage.guarded()?.with_all_capabilities();
    let answers = container.run(|| {
        let mut answers = Vec::new();
        for entrance in [&to_first, &to_second, &to_first] {
            entrance.enter()?;
            let debug = SocketOption::Debug.set(udp_socket()?.as_fd(), 1);
            answers.push((errno_of(&set_promisc_on_lo()), errno_of(&debug)));
        }
        Ok(answers)
    })?;
    let (one, other) = ((libc::EPERM, 0), (libc::EPERM, libc::EACCES));
    ensure!(answers == [one, other, one], "{answers:?}");
    Ok(())
}

/// `/sys/fs/cgroup` is a tmpfs with a v1 hierarchy and, at `unified`, cgroup2.
fn hybrid() -> Result<()> {
    Cgroup::make_usual()?;
    let directory = new_directory()?;
    let policy = directory.join("policy.toml");
    fs::write(&policy, USUAL_POLICY)?;
    let script = format!(
        "umount -l /sys/fs/cgroup && mount -t tmpfs tmpfs /sys/fs/cgroup && \
         mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/systemd && \
         mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified && \
         mount -t cgroup -o none,name=hybrid hybrid /sys/fs/cgroup/systemd && \
         {PROGRAM} doctor && exec {PROGRAM} --ephemeral --policy {}",
        policy.display()
    );
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script]);
    let mut agent = AgentRun::start_as(&directory, &mut command)?;
    agent.wait_for_line("netadmin-agent: in force")?;
    let doctor = agent.stdout();
    let line = doctor
        .lines()
        .find(|line| line.contains("/sys/fs/cgroup/unified"));
    ensure!(
        line.is_some_and(|line| line.starts_with("warn")),
        "{doctor}"
    );
    ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
    ensure!(Container::unguarded()?.promisc_on_lo()? == 0);
    let later = Cgroup::make("/netadmin-test/guarded/on-a-hybrid-host")?;
    ensure!(Container::within(&later)?.promisc_on_lo()? == libc::EPERM);
    later.remove()?;
    agent.signal(Signal::SIGTERM)?;
    ensure!(agent.wait()? == 0);
    Ok(())
}
