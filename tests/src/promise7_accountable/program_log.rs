//! The debug lines of the programs: on request, and at no cost otherwise.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::attack::SocketOption;
use crate::attack::process::shell;
use crate::attack::sockopt::udp_socket;
use crate::rig::{Agent, Container, Trials, USUAL_POLICY, poll};

/// How long a debug line may take.
const SOON: Duration = Duration::from_secs(30);

pub fn add(trials: &mut Trials) {
    trials.alone("log_programs_tells_of_a_decision", || {
        let agent = Agent::start_with_program_log(USUAL_POLICY)?;
        is_refused_debug()?;
        let told = || agent.stderr().contains("against a rule").then_some(());
        poll(SOON, told).with_context(|| format!("no debug line: {}", agent.stderr()))?;
        ensure!(programs_log()?, "this test cannot tell what logs");
        Ok(())
    });
    trials.alone("without_log_programs_no_code_of_it_is_loaded", || {
        let agent = Agent::start(USUAL_POLICY)?;
        is_refused_debug()?;
        agent.mark()?;
        ensure!(!agent.stderr().contains("against a rule"));
        ensure!(!programs_log()?, "the programs still write debug lines");
        Ok(())
    });
}

fn is_refused_debug() -> Result<()> {
    use std::os::fd::AsFd as _;
    let set = || SocketOption::Debug.set(udp_socket()?.as_fd(), 1);
    let refused = Container::guarded()?.attempt(set)?;
    ensure!(refused.is_err(), "SO_DEBUG was not refused");
    Ok(())
}

/// Whether the loaded code of the program `capable` refers to the buffer that
/// aya-log writes to, as bpftool shows it after the verifier has cut dead code.
fn programs_log() -> Result<bool> {
    let code = shell("bpftool prog dump xlated name capable")?;
    ensure!(code.status == 0 && !code.stdout.is_empty(), "{code:?}");
    let maps = shell("bpftool map show name AYA_LOGS")?;
    ensure!(maps.status == 0, "{maps:?}");
    // The witness, if one runs, has such a buffer too.
    let ids = maps
        .stdout
        .lines()
        .filter_map(|line| line.split_once(": ringbuf"));
    let used = |id: &str| code.stdout.contains(&format!("map[id:{id}]"));
    Ok(ids.into_iter().any(|(id, _)| used(id)))
}
