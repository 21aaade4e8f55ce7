//! How the agent ends, and that enforcement ends with it, as it says.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::rig::{Agent, Container, Trials, USUAL_POLICY};

pub fn add(trials: &mut Trials) {
    for (signal, name) in [(Signal::SIGTERM, "sigterm"), (Signal::SIGINT, "sigint")] {
        trials.alone(
            &format!("{name}_ends_the_agent_with_0_and_a_word"),
            move || ends(signal),
        );
    }
    trials.alone("sighup_leaves_the_agent_in_force", || {
        let agent = Agent::start(USUAL_POLICY)?;
        agent.signal(Signal::SIGHUP)?;
        // An event comes through: it still runs, and still reports.
        agent.mark()?;
        ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
        ensure!(agent.stop()? == 0);
        Ok(())
    });
    trials.alone("sigkill_takes_the_programs_with_it", || {
        let mut agent = Agent::start(USUAL_POLICY)?;
        agent.signal(Signal::SIGKILL)?;
        ensure!(agent.wait()? == 128 + 9);
        ensure!(Container::guarded()?.promisc_on_lo()? == 0);
        Ok(())
    });
}

fn ends(signal: Signal) -> Result<()> {
    let mut agent = Agent::start(USUAL_POLICY)?;
    ensure!(Container::guarded()?.promisc_on_lo()? == libc::EPERM);
    agent.signal(signal)?;
    let status = agent.wait()?;
    let said = agent.stderr();
    ensure!(status == 0, "status {status}: {said}");
    let last = said.lines().last().unwrap_or_default();
    ensure!(last.starts_with("netadmin-agent: "), "no last word: {said}");
    ensure!(
        Container::guarded()?.promisc_on_lo()? == 0,
        "enforcement goes on"
    );
    Ok(())
}
