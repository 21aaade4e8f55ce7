//! What the agent's process itself takes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::policies;
use super::report::AgentCost;
use crate::rig::Agent;

/// How long the agent is left alone.
const IDLE: Duration = Duration::from_secs(10);
/// What it does after it has said that the policy is in force.
const SETTLE: Duration = Duration::from_secs(1);

/// Starts it with the example policy, looks at it, and leaves it alone.
pub fn measure() -> Result<AgentCost> {
    let begin = Instant::now();
    let agent = Agent::start(&policies::example()).context("start the agent")?;
    let in_force = begin.elapsed().as_secs_f64();
    let process = format!("/proc/{}", agent.pid());
    std::thread::sleep(SETTLE);
    let before = on_processor(&process)?;
    std::thread::sleep(IDLE);
    let idle = on_processor(&process)? - before;
    let (resident, peak) = memory(&process)?;
    agent.stop()?;
    Ok(AgentCost {
        in_force,
        resident,
        peak,
        idle,
        idle_seconds: IDLE.as_secs(),
    })
}

/// Nanoseconds on the processor so far.
fn on_processor(process: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("{process}/schedstat")).context("read schedstat")?;
    let first = text
        .split_whitespace()
        .next()
        .context("an empty schedstat")?;
    first.parse().context("a number in schedstat")
}

/// `VmRSS` and `VmHWM`, in KiB.
fn memory(process: &str) -> Result<(u64, u64)> {
    let text = fs::read_to_string(format!("{process}/status")).context("read status")?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .context("a line of status")?
            .parse()
            .context("a number in status")
    };
    Ok((value("VmRSS:")?, value("VmHWM:")?))
}
