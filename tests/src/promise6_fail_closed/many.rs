//! Many policies and many cgroups: they work, what they take is measured, and what is
//! removed frees its entry.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{
    Cgroup, Container, Standing, Trials, Way, errno_of, maps_of, poll, resident, run,
};

const POLICIES: usize = 500;
/// In the short test; `cargo xtask soak` sets 20 000.
const CGROUPS: usize = 500;
const CGROUPS_SET: &str = "NETADMIN_TEST_CGROUPS";

const PARENT: &str = "/netadmin-test/many";

pub fn add(trials: &mut Trials) {
    trials.alone(
        "five_hundred_policies_and_many_cgroups_work_and_free_their_entries",
        many,
    );
}

fn policies(option: &str) -> String {
    (0..POLICIES).fold("version = 1\n".to_owned(), |text, number| {
        text + &format!(
            "[[policy]]\nname = \"p{number}\"\nmatch.cgroups = [\"{PARENT}/p{number}/**\"]\n\
             [policy.setsockopt]\n{option} = \"deny\"\n"
        )
    })
}

fn path(number: usize) -> String {
    format!("{PARENT}/p{}/c{number}", number % POLICIES)
}

fn many() -> Result<()> {
    let set = std::env::var(CGROUPS_SET).ok();
    let cgroups = set.and_then(|text| text.parse().ok()).unwrap_or(CGROUPS);
    let mut standing = Standing::start(&policies("SO_MARK"))?;
    let empty = guarded()?;
    let start = Instant::now();
    for number in 0..cgroups {
        Cgroup::make(&path(number))?;
    }
    let made = start.elapsed();
    let last = [0, cgroups / 2, cgroups - 1];
    for number in last {
        let errno = mark_in(number)?;
        ensure!(errno == libc::EPERM, "{}: errno {errno}", path(number));
    }
    let full = guarded()?;
    let policies_used = POLICIES.min(cgroups);
    ensure!(full == empty + cgroups + policies_used, "{empty} {full}");
    let pid = standing.agent()?.pid();
    let memory = (resident(pid)?, maps_of(pid)? / 1024);
    let reload = reload(&mut standing)?;
    for number in last {
        ensure!(mark_in(number)? == 0, "the policy before is in force");
    }
    remove(cgroups)?;
    let freed = poll(Duration::from_secs(60), || {
        (guarded().ok()? == empty).then_some(())
    });
    freed.with_context(|| format!("{} entries are left, not {empty}", guarded().unwrap_or(0)))?;
    println!(
        "note: {cgroups} cgroups under {POLICIES} policies: made in {made:.1?}, reload \
         {reload:.1?}; agent {} KiB, its maps {} KiB",
        memory.0, memory.1
    );
    standing.unload()
}

fn reload(standing: &mut Standing) -> Result<Duration> {
    let start = Instant::now();
    standing.write_policy(&policies("SO_DEBUG"))?;
    let agent = standing.agent()?;
    agent.signal(Signal::SIGHUP)?;
    agent.wait_for_line("netadmin-agent: policy reloaded")?;
    Ok(start.elapsed())
}

fn mark_in(number: usize) -> Result<i32> {
    let container = Container::within(&Cgroup::make(&path(number))?)?;
    Ok(errno_of(&container.attempt(|| Way::Mark.attempt())?))
}

fn guarded() -> Result<usize> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    let used = status["set"]["limits"]["cgroups"]["used"].as_u64();
    Ok(usize::try_from(used.context("nothing is in force")?)?)
}

fn remove(cgroups: usize) -> Result<()> {
    for number in 0..cgroups {
        Cgroup::make(&path(number))?.remove()?;
    }
    for number in 0..POLICIES.min(cgroups) {
        fs::remove_dir(Cgroup::make(&format!("{PARENT}/p{number}"))?.directory())?;
    }
    Ok(())
}
