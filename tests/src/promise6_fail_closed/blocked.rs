//! The program that sees values cannot be attached: what would need it is refused.

use std::fs::File;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};

use crate::attack::bpf;
use crate::rig::{Cgroup, Container, Standing, Trials, Way, errno_of};

const BLOCKED: &str = "/netadmin-test/blocked";
const POLICY: &str = r#"version = 1
[[policy]]
name = "values"
match.cgroups = ["/netadmin-test/blocked/new-*", "/netadmin-test/open/new-*"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_MARK = { allow = [13] }
"#;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "where_the_program_that_sees_values_cannot_be_attached_what_needs_it_is_refused",
        blocked,
    );
}

/// An exclusive program above lets none be attached below
/// (`hierarchy_allows_attach`).
fn blocked() -> Result<()> {
    let blocked = Cgroup::make(BLOCKED)?;
    let directory = File::open(blocked.directory())?;
    let exclusive =
        bpf::attach_exclusive_sockopt(directory.as_fd()).context("attach an exclusive program")?;
    let mut standing = Standing::start(POLICY)?;
    // The value that the policy allows, and a membership that it does not.
    let tried = |path: &str| -> Result<(i32, i32)> {
        let container = Container::within(&Cgroup::make(path)?)?;
        let errno =
            |way: Way| Ok::<_, anyhow::Error>(errno_of(&container.attempt(|| way.attempt())?));
        Ok((errno(Way::Mark)?, errno(Way::Membership)?))
    };
    let (new, open, free) = (
        "new-1",
        "/netadmin-test/open/new-1",
        "/netadmin-test/blocked/free",
    );
    let new = format!("{BLOCKED}/{new}");
    Cgroup::make(&new)?;
    let agent = standing.agent()?;
    agent.wait_for_line("netadmin-agent: error: cannot attach")?;
    let found = (tried(&new)?, tried(free)?);
    ensure!(found == ((libc::EPERM, libc::EPERM), (0, 0)), "{found:?}");
    // Where nothing is in the way, the value counts.
    Cgroup::make(open)?;
    let open_found = crate::rig::poll(std::time::Duration::from_secs(60), || {
        let found = tried(open).ok()?;
        (found == (0, libc::EPERM)).then_some(())
    });
    open_found.with_context(|| format!("{:?}", tried(open)))?;
    standing.unload()?;
    ensure!(tried(&new)? == (0, 0));
    drop(exclusive);
    for path in [&new, free, BLOCKED, open, "/netadmin-test/open"] {
        Cgroup::make(path)?.remove()?;
    }
    Ok(())
}
