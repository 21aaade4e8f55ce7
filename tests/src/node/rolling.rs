//! The agent's container is replaced, as a DaemonSet does it, under attack.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::image::{pod, start, stop};
use super::runtime::{Neighbour, pid_of};

/// After the tests of the image.
pub const TESTS: &[(&str, super::Body)] = &[(
    "while_the_agents_container_is_replaced_neighbours_win_nothing",
    replaced,
)];

/// How long a node may be without the agent's container.
const BETWEEN: Duration = Duration::from_secs(2);

/// One neighbour is there all the while; one comes while the agent is in force, and
/// one in each gap: when the agent was told to stop, and when it was killed.
fn replaced() -> Result<()> {
    let pod = pod()?;
    let first = start(&pod, "agent-1")?;
    let mut neighbours = vec![neighbour("always", 0)?];
    stop(first)?;
    neighbours.push(neighbour("after-a-stop", 1)?);
    sleep(BETWEEN);
    let mut second = start(&pod, "agent-2")?;
    neighbours.push(neighbour("between", 2)?);
    let pid = Pid::from_raw(pid_of("agent-2")?);
    kill(pid, Signal::SIGKILL).context("kill the agent")?;
    second.wait()?;
    neighbours.push(neighbour("after-a-kill", 3)?);
    sleep(BETWEEN);
    let third = start(&pod, "agent-3")?;
    sleep(BETWEEN);
    for (name, neighbour) in neighbours {
        let score = neighbour.stop()?;
        println!("{name}: {score:?}");
        ensure!(
            score.wins == 0 && score.tries > 0,
            "{name}: {score:?}\n{}",
            third.stderr()
        );
    }
    stop(third)?;
    unload(&pod)
}

fn neighbour(name: &'static str, number: u32) -> Result<(&'static str, Neighbour)> {
    let cgroup = format!("/kubepods/besteffort/podneighbour-{number}/attacker");
    let neighbour = Neighbour::start(name, &cgroup)?;
    neighbour.wait_until_it_runs()?;
    Ok((name, neighbour))
}

/// What takes a command that says so, in a container like the agent's.
fn unload(pod: &super::runtime::AgentPod) -> Result<()> {
    let mut run = pod.start_with("unload", &["unload"])?;
    let status = run.wait()?;
    ensure!(status == 0, "unload: status {status}\n{}", run.stderr());
    let neighbour = Neighbour::start("unguarded", "/kubepods/besteffort/podfree/attacker")?;
    neighbour.wait_until_it_runs()?;
    let score = neighbour.stop()?;
    ensure!(score.ways == 0b1111, "after unload: {score:?}");
    Ok(())
}
