//! A tracing program that judges can be skipped, and its silence means no: here none
//! of them is attached any more.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::attack::control::{self, Sender};
use crate::attack::ioctl::{Family, change_flags};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::process::shell;
use crate::attack::{Abi, Arrival, IFF_UP, Route, SocketOption, Target, sysfs};
use crate::rig::{
    Container, DEFERRED, Event, PINS, Standing, Trials, USUAL_POLICY, errno_of, poll,
};

/// What judges, and is neither an LSM program nor what answers.
const JUDGES: [&str; 5] = [
    "dev_ioctl",
    "devinet_ioctl",
    "control_message",
    "sysfs_write",
    "sysfs_flags",
];

/// What no judge has to see.
const OTHERS: &str = "ip link set lo mtu 1400 && echo 1 > /proc/sys/net/ipv4/ip_forward";

/// How long the agent may take to write its events.
const EVENT_LIMIT: Duration = Duration::from_secs(20);

pub fn add(trials: &mut Trials) {
    trials.alone("what_no_judge_has_seen_is_refused", without_judges);
}

/// Whole with its judges, and then without: what they would let pass is refused.
fn without_judges() -> Result<()> {
    let policy = USUAL_POLICY.replace("SO_MARK = \"deny\"", "SO_MARK = { allow = [5] }");
    let standing = Standing::start(&policy)?;
    let container = Container::guarded()?;
    ensure!(attempts(&container)? == [0; 3], "with its judges");
    for judge in JUDGES {
        let link = link_of(judge)?;
        fs::remove_file(&link).with_context(|| format!("remove {}", link.display()))?;
    }
    // A kernel worker detaches them.
    let refused = poll(DEFERRED, || match attempts(&container) {
        Ok(errnos) => (errnos == [libc::EPERM; 3]).then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    refused.context("what nobody has judged passes")??;
    // Netlink comes by sendmsg(2), too, and is no control message; what is written to
    // other files, or by write(2) to such a socket, is not for sysfs.
    let ran = container.run(|| shell(OTHERS))?;
    ensure!(ran.status == 0, "{ran:?}");
    container.run(|| {
        let message = change(RTM_SETLINK, Target::Name("lo")).mtu(1401);
        Route::new(Abi::Native, Arrival::Write).take(|| link::request(message))
    })?;
    let told = poll(EVENT_LIMIT, || match standing.events() {
        Ok(events) => is_told(&events).then_some(Ok(())),
        Err(error) => Some(Err(error)),
    });
    told.with_context(|| format!("{:#?}", standing.events()))?
}

/// Both, and no value of either.
fn is_told(events: &[Event]) -> bool {
    let mut operations = ["promiscuous.unjudged", "setsockopt.SO_MARK"].iter();
    let tells = |event: &Event, operation: &str| {
        event.operation.as_deref() == Some(operation) && event.value.is_none()
    };
    operations.all(|operation| events.iter().any(|event| tells(event, operation)))
}

/// What the policy allows: flags without IFF_PROMISC, by two ways, and a mark of the
/// set.
fn attempts(container: &Container) -> Result<[i32; 3]> {
    let up = container.attempt(|| change_flags(Family::Inet, "lo", IFF_UP, 0))?;
    let mark = || control::send(Sender::Udp, SocketOption::Mark, 5);
    let file = || sysfs::set_flags("lo", IFF_UP);
    Ok([
        errno_of(&up),
        errno_of(&container.attempt(mark)?),
        errno_of(&container.attempt(file)?),
    ])
}

/// Where the link of a program is pinned.
fn link_of(program: &str) -> Result<PathBuf> {
    let sets = fs::read_dir(PINS).context("list the pins")?;
    let mut links = sets.flatten().map(|set| {
        let name = format!("link_{program}");
        set.path().join(name)
    });
    let found = links.find(|link| link.exists());
    found.with_context(|| format!("no link of {program} is pinned"))
}
