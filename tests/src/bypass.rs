//! `netadmin-bypass`, the program that anybody can run, as a 64-bit and as a
//! 32-bit program: unguarded every way is open, guarded none.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use netadmin_bypass::promiscuity;
use netadmin_bypass::report::{Finding, Report};
use netadmin_bypass::trial::Verdict;

use crate::attack::ioctl::{Family, set_flags_on};
use crate::attack::link::{RTM_SETLINK, change};
use crate::attack::netlink::{datagram, route_socket, send};
use crate::attack::process::shell;
use crate::attack::{IFF_PROMISC, IFF_UP, Target};
use crate::coverage::KNOWN_OPEN;
use crate::rig::{Agent, Container, Event, Expected, Refusal, Stage, Trials, USUAL_POLICY, make};

const VICTIM: &str = "victim0";

/// The program, and what it is built for.
const PROGRAMS: [(&str, &str); 2] = [
    ("/bin/netadmin-bypass", "64_bits"),
    ("/bin/netadmin-bypass32", "32_bits"),
];

/// All tests of the program.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("bypass");
    for (program, bits) in PROGRAMS {
        if !Path::new(program).exists() {
            // So on the host, and where rustup had no library for 32 bits.
            eprintln!("note: there is no {program}, and its tests are left out");
            continue;
        }
        let unguarded = format!("every_way_of_{bits}_is_open_unguarded");
        let guarded = format!("no_way_of_{bits}_is_open_guarded");
        trials.unguarded(USUAL_POLICY, &unguarded, move |stage| {
            every_way_is_open(stage, program)
        });
        trials.alone(&guarded, move || no_way_is_open(program));
    }
    on_a_socket_from_outside(&mut trials);
    trials.finish()
}

/// Who made the socket matters not where the kernel has a copy of its own.
fn on_a_socket_from_outside(trials: &mut Trials) {
    let flag = |via| Expected {
        operation: "promiscuous.flag",
        via,
        interface: Some(VICTIM),
    };
    let is_promiscuous = || Ok(promiscuity(VICTIM)? > 0);
    let ioctl = |socket: OwnedFd| {
        set_flags_on(socket.as_fd(), VICTIM, IFF_UP | IFF_PROMISC)?;
        Ok(socket)
    };
    Refusal::with_inherited(
        "siocsifflags_on_a_socket_from_outside",
        flag("SIOCSIFFLAGS"),
        || Family::Inet.socket(),
        ioctl,
        is_promiscuous,
    )
    .on(|| make::dummy(VICTIM))
    .twins(trials);
    let message = |socket: OwnedFd| {
        let message = change(RTM_SETLINK, Target::Name(VICTIM)).flags(IFF_PROMISC, IFF_PROMISC);
        send(&socket, &datagram(&[message]))?;
        Ok(socket)
    };
    Refusal::with_inherited(
        "rtm_setlink_on_a_socket_from_outside",
        flag("RTM_SETLINK"),
        route_socket,
        message,
        is_promiscuous,
    )
    .on(|| make::dummy(VICTIM))
    .twins(trials);
}

fn run(container: &Container, program: &str) -> Result<Report> {
    let ran = container.run(|| shell(&format!("{program} --json")))?;
    serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:#?}"))
}

fn with(report: &Report, verdict: Verdict) -> impl Iterator<Item = &Finding> {
    let is = move |finding: &&Finding| finding.outcome.verdict == verdict;
    report.ways.iter().filter(is)
}

fn every_way_is_open(stage: &Stage<'_>, program: &str) -> Result<()> {
    let report = run(&stage.unguarded()?, program)?;
    let closed: Vec<_> = with(&report, Verdict::Closed)
        .chain(with(&report, Verdict::Unknown))
        .collect();
    ensure!(closed.is_empty(), "these show nothing: {closed:#?}");
    ensure!(report.open > 0, "nothing was tried: {report:#?}");
    for finding in with(&report, Verdict::Absent) {
        let Finding {
            path,
            abi,
            arrival,
            outcome,
            ..
        } = finding;
        println!(
            "note: not there: {path}, {abi}, {arrival}: {}",
            outcome.note
        );
    }
    Ok(())
}

/// Under an agent of its own: what is known to be open trips the wire.
fn no_way_is_open(program: &str) -> Result<()> {
    let agent = Agent::start(USUAL_POLICY)?;
    let report = run(&Container::guarded()?, program)?;
    // All that belongs to what has happened is written once there is a mark.
    agent.mark()?;
    let told = rises_in(&agent.events_written()?);
    agent.stop_after_breaches()?;
    let is_known = |finding: &&Finding| KNOWN_OPEN.iter().any(|known| known.covers(finding));
    let (known, open): (Vec<_>, Vec<_>) = with(&report, Verdict::Open).partition(is_known);
    ensure!(open.is_empty(), "guarded, but open: {open:#?}");
    let unknown: Vec<_> = with(&report, Verdict::Unknown).collect();
    ensure!(unknown.is_empty(), "{unknown:#?}");
    ensure!(report.closed > 0, "nothing was tried: {report:#?}");
    let by_rise = |finding: &&&Finding| finding.outcome.note.contains("promiscuity");
    let raised = known.iter().filter(by_rise).count();
    ensure!(
        told >= raised,
        "{told} of {raised} rises are told: {known:#?}"
    );
    for finding in known {
        println!("note: known to be open: {}, {}", finding.path, finding.abi);
    }
    Ok(())
}

/// From 7.x on a kernel worker raises some, which is told without blame.
fn rises_in(events: &[Event]) -> usize {
    let is_rise = |event: &&Event| ["breach", "rise"].contains(&event.event.as_str());
    events.iter().filter(is_rise).count()
}
