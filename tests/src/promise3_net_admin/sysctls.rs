//! Writes to /proc/sys/net, which its owner may do without any capability.

use std::fs;
use std::io;

use anyhow::{Result, ensure};

use crate::attack::sysctl;
use crate::rig::{Container, Stage, Trials, Watch, errno_of, make};

const POLICY: &str = deny_all_but!("addr.*");

const GRANTED: &str = deny_all_but!("sysctl.write");

/// Of these the kernel asks for the capability only for `forwarding`.
const FILES: [&str; 4] = [
    "ipv4/conf/dev0/rp_filter",
    "ipv4/conf/dev0/forwarding",
    "ipv6/conf/dev0/accept_ra",
    "ipv4/ip_unprivileged_port_start",
];

pub fn add(trials: &mut Trials) {
    trials.unguarded(POLICY, "sysctl_writes_succeed_unguarded", |stage| {
        ensure!(write_all(&stage.unguarded()?)? == [0; FILES.len()]);
        Ok(())
    });
    trials.guarded(POLICY, "sysctl_writes_are_refused", refused);
    trials.guarded(
        GRANTED,
        "sysctl_writes_pass_where_they_are_granted",
        |stage| {
            let container = stage.guarded()?;
            let watch = Watch::begin(stage)?;
            ensure!(write_all(&container)? == [0; FILES.len()]);
            watch.saw_no_event()
        },
    );
    trials.guarded(POLICY, "sysctls_elsewhere_and_reads_pass", |stage| {
        let container = stage.guarded()?;
        container.set_up(|| make::dummy("dev0"))?;
        let watch = Watch::begin(stage)?;
        container.run(|| {
            for file in FILES {
                fs::read_to_string(path(file))?;
            }
            let elsewhere = "/proc/sys/vm/swappiness";
            fs::write(elsewhere, fs::read_to_string(elsewhere)?)
        })?;
        watch.saw_no_event()
    });
}

fn path(file: &str) -> String {
    format!("/proc/sys/net/{file}")
}

/// How a write of 1 to each ends.
fn write_all(container: &Container) -> Result<Vec<i32>> {
    container.set_up(|| make::dummy("dev0"))?;
    container.run(|| {
        let one = |file| errno_of(&sysctl::write(file, "1"));
        Ok(FILES.into_iter().map(one).collect())
    })
}

fn refused(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errnos = write_all(&container)?;
    ensure!(errnos == [libc::EPERM; FILES.len()], "{errnos:?}");
    let read = || -> io::Result<String> { fs::read_to_string(path("ipv4/conf/dev0/forwarding")) };
    let now = container.run(read)?;
    ensure!(now.trim() == "0", "forwarding is {now}");
    let events = watch.events()?;
    let right = events.iter().all(|event| {
        event.operation.as_deref() == Some("sysctl.write")
            && event.via.as_deref() == Some("sysctl")
            && event.rule.as_deref() == Some("net_admin.default")
    });
    ensure!(right && events.len() == FILES.len(), "{events:#?}");
    Ok(())
}
