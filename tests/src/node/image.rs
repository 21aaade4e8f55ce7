//! The agent in a container: from the archive, as the manifest has it.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::manifest::Manifest;
use super::runtime::{AGENT, AgentPod, Neighbour, ctr, import, pid_of};
use crate::rig::AgentRun;

/// In this order: the image must be there before it can be run.
pub const TESTS: &[(&str, super::Body)] = &[
    ("the_archive_is_an_image_to_containerd", archive),
    ("each_capability_is_needed", capabilities),
    ("the_agent_has_what_the_manifest_gives_and_no_more", exactly),
    ("a_neighbour_that_attacks_at_once_wins_nothing", neighbours),
];

/// How long attackers attack.
const WHILE: Duration = Duration::from_secs(2);

/// The agent's pod, as the manifest has it.
pub fn pod() -> Result<AgentPod> {
    AgentPod::new(Manifest::read()?)
}

fn archive() -> Result<()> {
    let images = import()?;
    let image = Manifest::read()?.container.image;
    let line = images.lines().find(|line| line.starts_with(&image));
    let line = line.with_context(|| format!("no {image} in\n{images}"))?;
    ensure!(line.contains("linux/amd64"), "{line}");
    Ok(())
}

/// What the kernel refuses without each: `doctor` tries it, says so, and exits so.
const WITHOUT: [(&str, &str, i32); 5] = [
    ("BPF", "fail  program load", 3),
    ("PERFMON", "fail  program load", 3),
    ("NET_ADMIN", "fail  program load", 3),
    ("DAC_READ_SEARCH", "fail  cgroup ids", 3),
    // Needed by policies with [policy.net_admin] alone.
    ("SYSLOG", "warn  kallsyms", 0),
];

fn capabilities() -> Result<()> {
    let pod = pod()?;
    let mut named: Vec<_> = WITHOUT.iter().map(|(name, ..)| *name).collect();
    let mut given: Vec<_> = pod.capabilities().iter().map(String::as_str).collect();
    named.sort_unstable();
    given.sort_unstable();
    ensure!(named == given, "the manifest gives {given:?}");
    let said = doctor(&pod, "doctor-with-all", 0)?;
    ensure!(
        !said.contains("fail") && said.contains("ok    kallsyms"),
        "with all of them:\n{said}"
    );
    for (name, refused, status) in WITHOUT {
        let id = format!("doctor-{}", name.to_lowercase().replace('_', "-"));
        let said = doctor(&pod.without(name), &id, status)?;
        ensure!(said.contains(refused), "without {name}:\n{said}");
        ensure!(
            said.contains(&format!("CAP_{name} missing")),
            "without {name}:\n{said}"
        );
    }
    Ok(())
}

/// What `doctor` says in such a container.
fn doctor(pod: &AgentPod, id: &str, expected: i32) -> Result<String> {
    let mut run = pod.start_with(id, &["doctor"])?;
    let status = run.wait()?;
    let said = run.stdout();
    ensure!(
        status == expected,
        "{id}: status {status}\n{said}{}",
        run.stderr()
    );
    Ok(said)
}

/// Starts the agent's container and waits until it is in force.
pub fn start(pod: &AgentPod, id: &str) -> Result<AgentRun> {
    let mut run = pod.start(id)?;
    run.wait_for_line("netadmin-agent: in force")?;
    Ok(run)
}

/// Tells it to stop, and waits until it has.
pub fn stop(mut agent: AgentRun) -> Result<()> {
    agent.signal(Signal::SIGTERM)?;
    let status = agent.wait()?;
    ensure!(status == 0, "status {status}:\n{}", agent.stderr());
    Ok(())
}

fn exactly() -> Result<()> {
    let pod = pod()?;
    let agent = start(&pod, "agent")?;
    let pid = pid_of("agent")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read its status")?;
    let field = |name: &str| {
        let mut fields = status.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(key, _)| *key == name);
        found
            .map(|(_, value)| value.trim().to_owned())
            .with_context(|| format!("no {name}"))
    };
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let bits = u64::from_str_radix(&field(set)?, 16).context("a set of capabilities")?;
        ensure!(
            bits.count_ones() as usize == pod.capabilities().len(),
            "{set} {bits:#x}"
        );
    }
    ensure!(field("NoNewPrivs")? == "1");
    ensure!(field("Seccomp")? == "2", "no seccomp filter");
    let mounts = fs::read_to_string(format!("/proc/{pid}/mounts")).context("read its mounts")?;
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some("/"));
    let root = root.context("no root")?;
    ensure!(root.contains(" ro,"), "{root}");
    // As the kubelet asks whether it is ready; it fails unless the answer is yes.
    ctr(&[
        "task",
        "exec",
        "--exec-id",
        "probe",
        "agent",
        AGENT,
        "status",
        "--ready",
    ])?;
    stop(agent)
}

/// Neighbours as the kubelet's two cgroup drivers place them, and one beside.
const CGROUPS: [(&str, &str); 3] = [
    ("cgroupfs", "/kubepods/burstable/podneighbour/attacker"),
    (
        "systemd",
        "kubepods-burstable-podneighbour.slice:cri-containerd:attacker",
    ),
    ("free", "/beside/attacker"),
];

/// Makes what the kubelet makes before it starts any pod. With systemd's driver
/// these are slices.
fn kubelet_starts() -> Result<()> {
    fs::create_dir_all("/sys/fs/cgroup/kubepods/burstable").context("make a cgroup")?;
    let mut systemctl = Command::new("/usr/bin/systemctl");
    let status = systemctl
        .args(["start", "kubepods-burstable.slice"])
        .status();
    ensure!(
        status.context("run systemctl")?.success(),
        "no kubepods slice"
    );
    Ok(())
}

fn neighbours() -> Result<()> {
    let agent = start(&pod()?, "agent")?;
    kubelet_starts()?;
    for (id, cgroup) in CGROUPS {
        let neighbour = Neighbour::start(id, cgroup)?;
        neighbour.wait_until_it_runs()?;
        sleep(WHILE);
        let score = neighbour.stop()?;
        println!("{id}: {score:?}");
        if id == "free" {
            ensure!(
                score.ways == 0b1111,
                "{id}: the attacks are none: {score:?}"
            );
        } else {
            ensure!(
                score.wins == 0 && score.tries > 0,
                "{id}: {score:?}\n{}",
                agent.stderr()
            );
        }
    }
    let events = agent.stdout();
    for cgroup in [
        "/kubepods/burstable/podneighbour/attacker",
        "/cri-containerd-attacker.scope",
    ] {
        ensure!(
            events.contains(&format!("{cgroup}\"")),
            "no event of {cgroup}"
        );
    }
    ensure!(!events.contains("/beside/attacker"));
    stop(agent)
}
