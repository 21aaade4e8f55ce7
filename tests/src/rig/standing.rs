//! Enforcement that outlives its agents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use super::agent::{AgentRun, PROGRAM, new_directory};
use super::follow::EventFile;
use super::{Cgroup, Event};

/// Where the agents pin what outlives them.
pub const PINS: &str = "/sys/fs/bpf/netadmin-agent";

/// What the root gives the cgroups below it to control.
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.subtree_control";

/// A policy in force, one file of events, and one agent after another. Dropping
/// it unloads everything.
#[derive(Debug)]
pub struct Standing {
    directory: PathBuf,
    program: PathBuf,
    agent: Option<AgentRun>,
}

impl Standing {
    /// Starts the first agent, with this policy, and waits until it is in force.
    pub fn start(policy: &str) -> Result<Self> {
        Self::start_with(policy, &[])
    }

    /// The same with another build of the agent.
    pub fn start_program(program: &str, policy: &str) -> Result<Self> {
        let mut standing = Self::without_agent(policy)?;
        standing.start_agent_of(program)?;
        Ok(standing)
    }

    /// The same with more arguments.
    pub fn start_with(policy: &str, more: &[&str]) -> Result<Self> {
        let mut standing = Self::without_agent(policy)?;
        standing.await_force(standing.attempt(more)?)?;
        Ok(standing)
    }

    /// The same with the agent in this cgroup, which has control of its memory.
    pub fn start_in(cgroup: &Cgroup, policy: &str) -> Result<Self> {
        let mut standing = Self::without_agent(policy)?;
        fs::write(CONTROLLERS, "+memory").context("control the memory of cgroups")?;
        let script = format!(
            "echo $$ > {}/cgroup.procs && exec {PROGRAM} \"$@\"",
            cgroup.directory().display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", "--policy"]);
        command.arg(standing.policy());
        command.arg("--events").arg(standing.events_path());
        standing.await_force(AgentRun::start_as(&new_directory()?, &mut command)?)?;
        Ok(standing)
    }

    /// The cgroups are as they were before [`Self::start_in`].
    pub fn let_go_of_memory() -> Result<()> {
        fs::write(CONTROLLERS, "-memory").context("let go of the memory of cgroups")
    }

    fn without_agent(policy: &str) -> Result<Self> {
        Cgroup::make_usual().context("make the control groups")?;
        let standing = Self {
            directory: new_directory()?,
            program: PROGRAM.into(),
            agent: None,
        };
        standing.write_policy(policy)?;
        Ok(standing)
    }

    fn await_force(&mut self, mut run: AgentRun) -> Result<()> {
        run.wait_for_line("netadmin-agent: in force")?;
        self.agent = Some(run);
        Ok(())
    }

    /// Starts another agent, and waits until it is in force.
    pub fn start_agent(&mut self) -> Result<()> {
        self.await_force(self.attempt(&[])?)
    }

    /// Starts another build of the agent, and waits until it is in force.
    pub fn start_agent_of(&mut self, program: &str) -> Result<()> {
        self.program = program.into();
        let started = self.start_agent();
        self.program = PROGRAM.into();
        started
    }

    /// Starts another agent, whatever becomes of it.
    pub fn attempt(&self, more: &[&str]) -> Result<AgentRun> {
        let mut command = Command::new(&self.program);
        command.arg("--policy").arg(self.policy());
        command.arg("--events").arg(self.events_path()).args(more);
        AgentRun::start_as(&new_directory()?, &mut command)
    }

    /// The agent that runs.
    pub fn agent(&mut self) -> Result<&mut AgentRun> {
        self.agent.as_mut().context("no agent runs")
    }

    /// Ends the agent by a signal, and returns its status and what it has said.
    pub fn end_agent(&mut self, signal: Signal) -> Result<(i32, String)> {
        let mut agent = self.agent.take().context("no agent runs")?;
        agent.signal(signal)?;
        let status = agent.wait()?;
        Ok((status, agent.stderr()))
    }

    /// The policy file.
    pub fn policy(&self) -> PathBuf {
        self.directory.join("policy.toml")
    }

    /// Puts another policy into the file.
    pub fn write_policy(&self, policy: &str) -> Result<()> {
        fs::write(self.policy(), policy).context("write a policy")
    }

    fn events_path(&self) -> PathBuf {
        self.directory.join("events")
    }

    /// Forgets the events so far, so that they fill no memory.
    pub fn forget_events(&self) -> Result<()> {
        let file = fs::File::options().write(true).open(self.events_path());
        file.and_then(|file| file.set_len(0))
            .context("empty the file of events")
    }

    /// All events so far.
    pub fn events(&self) -> Result<Vec<Event>> {
        EventFile::new(&self.events_path()).all()
    }

    /// What the agents have found at their starts.
    pub fn found(&self) -> Result<Vec<serde_json::Value>> {
        EventFile::new(&self.events_path()).found()
    }

    /// Ends enforcement, as `netadmin-agent unload` does.
    pub fn unload(&mut self) -> Result<()> {
        self.agent = None;
        let (status, said) = run(&["unload"])?;
        ensure!(status == 0, "unload ended with {status}: {said}");
        ensure!(!Path::new(PINS).exists(), "unload left {PINS}: {said}");
        Ok(())
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if Path::new(PINS).exists()
            && let Err(error) = self.unload()
        {
            eprintln!("error: {error:#}");
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Runs the agent's program to its end: status, and all that it said.
pub fn run(arguments: &[&str]) -> Result<(i32, String)> {
    let mut agent = AgentRun::start(&new_directory()?, arguments)?;
    let status = agent.wait()?;
    Ok((status, agent.stdout() + &agent.stderr()))
}
