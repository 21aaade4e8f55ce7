//! What the tests share: an agent with one policy at a time, and the witness.
//!
//! Loading the programs takes long under emulation, so an agent serves all tests that
//! follow each other: it is given each policy as an operator would, by changing its file.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::{Completion, Failed, Trial};

use super::agent::PROGRAM;
use super::{Agent, Cgroup, Container, Witness, is_missing};
use crate::attack::process::shell;

/// Runs only what needs no agent: is set by `--without-agent`.
pub const WITHOUT_AGENT: &str = "NETADMIN_TEST_WITHOUT_AGENT";

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    agent: None,
    witness: None,
    failure: None,
});

struct Shared {
    agent: Option<(String, Agent)>,
    witness: Option<Witness>,
    /// The last policy that the agent did not start with, and why: it is not
    /// tried again for each of its tests.
    failure: Option<(String, String)>,
}

/// What a test does.
pub type Body = fn(&Stage<'_>) -> Result<()>;

/// What a test is given.
#[derive(Debug)]
pub struct Stage<'a> {
    agent: Option<&'a Agent>,
    witness: Option<&'a Witness>,
}

impl<'a> Stage<'a> {
    /// The agent in force. Only tests of unguarded behaviour go without.
    pub fn agent(&self) -> Result<&'a Agent> {
        self.agent.context("this test needs the agent")
    }

    /// The agent, unless the tests run without.
    pub fn agent_if_any(&self) -> Option<&'a Agent> {
        self.agent
    }

    /// The witness, unless the tests run without.
    pub fn witness_if_any(&self) -> Option<&'a Witness> {
        self.witness
    }

    /// A container under the policy.
    pub fn guarded(&self) -> Result<Container> {
        self.agent()?;
        Container::guarded()
    }

    /// A container beside it.
    pub fn unguarded(&self) -> Result<Container> {
        Container::unguarded()
    }
}

/// Collects trials of one promise.
#[derive(Debug)]
pub struct Trials {
    prefix: &'static str,
    list: Vec<Trial>,
}

impl Trials {
    /// Trials whose names begin with `prefix`.
    pub fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            list: Vec::new(),
        }
    }

    /// A test under a policy; it needs the agent.
    pub fn guarded<F>(&mut self, policy: &'static str, name: &str, body: F)
    where
        F: FnOnce(&Stage<'_>) -> Result<()> + Send + 'static,
    {
        self.add(name, &[], move || under_agent(policy, body));
    }

    /// A test that runs with the agent in force, or without any.
    pub fn unguarded<F>(&mut self, policy: &'static str, name: &str, body: F)
    where
        F: FnOnce(&Stage<'_>) -> Result<()> + Send + 'static,
    {
        self.add(name, &[], move || under(policy, body));
    }

    /// A test where a command line succeeds from outside: else this kernel has not
    /// what it is about. It needs the agent, unless its name says unguarded.
    pub fn where_it_is<F>(&mut self, probe: &'static str, policy: &'static str, name: &str, body: F)
    where
        F: FnOnce(&Stage<'_>) -> Result<()> + Send + 'static,
    {
        let guarded = !name.ends_with("_unguarded");
        self.add(name, &[], move || {
            if guarded && without_agent() {
                return Ok(Completion::ignored_with("runs without the agent"));
            }
            if !succeeds(probe)? {
                let reason = format!("this kernel has it not: {probe}");
                return Ok(Completion::ignored_with(reason));
            }
            under(policy, body)
        });
    }

    /// A test that starts agents of its own; none other is in force.
    pub fn alone<F>(&mut self, name: &str, body: F)
    where
        F: FnOnce() -> Result<()> + Send + 'static,
    {
        self.add(name, &[], move || {
            if without_agent() {
                return Ok(Completion::ignored_with("runs without the agent"));
            }
            stop_agent()?;
            body().map(|()| Completion::Completed)
        });
    }

    /// A test for a machine booted with `lsm=` and a list that has no `bpf`.
    pub fn on_kernel_without_bpf_lsm<F>(&mut self, name: &str, body: F)
    where
        F: FnOnce() -> Result<()> + Send + 'static,
    {
        self.add(name, &[], move || {
            let list = std::fs::read_to_string("/sys/kernel/security/lsm")?;
            if list.trim().split(',').any(|module| module == "bpf") {
                return Ok(Completion::ignored_with(
                    "this kernel has bpf in its LSM list",
                ));
            }
            body().map(|()| Completion::Completed)
        });
    }

    /// One act, two tests: what it does beside the policy, and under it.
    pub(super) fn twins(
        &mut self,
        name: &str,
        needs: &'static [&'static str],
        policy: &'static str,
        succeeds: impl FnOnce(&Stage<'_>) -> Result<()> + Send + 'static,
        is_refused: impl FnOnce(&Stage<'_>) -> Result<()> + Send + 'static,
    ) {
        let unguarded = format!("{name}_succeeds_unguarded");
        self.add(&unguarded, needs, move || under(policy, succeeds));
        let guarded = format!("{name}_is_refused");
        self.add(&guarded, needs, move || under_agent(policy, is_refused));
    }

    /// All of them.
    pub fn finish(self) -> Vec<Trial> {
        self.list
    }

    fn add<F>(&mut self, name: &str, needs: &'static [&'static str], runner: F)
    where
        F: FnOnce() -> Result<Completion> + Send + 'static,
    {
        let name = format!("{}::{name}", self.prefix);
        self.list.push(Trial::ignorable_test(name, move || {
            for link_type in needs {
                if is_missing(link_type).map_err(failed)? {
                    let reason = format!("this kernel has no {link_type} devices");
                    return Ok(Completion::ignored_with(reason));
                }
            }
            runner().map_err(failed)
        }));
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument of Result::map_err"
)]
fn failed(error: anyhow::Error) -> Failed {
    Failed::from(format!("{error:#}"))
}

/// Whether a command line succeeds, beside any policy.
fn succeeds(line: &str) -> Result<bool> {
    if line == "true" {
        return Ok(true);
    }
    Cgroup::make_usual().context("make the control groups")?;
    let ran = Container::unguarded()?.set_up(|| shell(line))?;
    Ok(ran.status == 0)
}

/// Whether the tests run without the agent.
fn without_agent() -> bool {
    std::env::var_os(WITHOUT_AGENT).is_some()
}

/// Runs `body` with an agent that enforces `policy`.
fn under(policy: &str, body: impl FnOnce(&Stage<'_>) -> Result<()>) -> Result<Completion> {
    Cgroup::make_usual().context("make the control groups")?;
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if without_agent() {
        shared.start_witness_if_there();
    } else {
        shared.prepare(policy)?;
    }
    let stage = Stage {
        agent: shared.agent.as_ref().map(|(_, agent)| agent),
        witness: shared.witness.as_ref(),
    };
    let written = stage.agent.map(Agent::written);
    body(&stage)?;
    if let (Some(agent), Some(mark)) = (stage.agent, written) {
        agent.saw_no_breach(mark)?;
    }
    Ok(Completion::Completed)
}

/// The same, if the tests run with the agent.
fn under_agent(policy: &str, body: impl FnOnce(&Stage<'_>) -> Result<()>) -> Result<Completion> {
    if without_agent() {
        return Ok(Completion::ignored_with("runs without the agent"));
    }
    under(policy, body)
}

/// Stops the shared agent, if one runs.
pub(super) fn stop_agent() -> Result<()> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.stop_agent()
}

impl Shared {
    fn prepare(&mut self, policy: &str) -> Result<()> {
        if self.witness.is_none() {
            self.witness = Some(Witness::start().context("start the witness")?);
        }
        match &mut self.agent {
            None => self.start_agent(policy),
            Some((in_force, _)) if in_force == policy => Ok(()),
            Some((in_force, agent)) => {
                let adopted = agent.adopt(policy).context("change the policy");
                policy.clone_into(in_force);
                if adopted.is_err() {
                    // The next test begins anew.
                    self.agent = None;
                }
                adopted
            }
        }
    }

    /// Without the agent's enforcement its witness may be had all the same.
    fn start_witness_if_there(&mut self) {
        if self.witness.is_none() && Path::new(PROGRAM).exists() {
            self.witness = Witness::start().ok();
            let word = if self.witness.is_some() {
                "with"
            } else {
                "without"
            };
            eprintln!("note: no agent enforces anything; {word} the witness");
        }
    }

    fn start_agent(&mut self, policy: &str) -> Result<()> {
        if let Some((failed, reason)) = &self.failure
            && failed == policy
        {
            bail!("the agent did not start, as before: {reason}");
        }
        match Agent::start(policy).context("start the agent") {
            Ok(agent) => {
                self.agent = Some((policy.to_owned(), agent));
                Ok(())
            }
            Err(error) => {
                // The whole of it, with the verifier's log, is told once.
                let text = format!("{error:#}");
                let reason = text.lines().take(2).collect::<Vec<_>>().join(" ");
                self.failure = Some((policy.to_owned(), reason));
                Err(error)
            }
        }
    }

    fn stop_agent(&mut self) -> Result<()> {
        let Some((_, agent)) = self.agent.take() else {
            return Ok(());
        };
        let status = agent.stop()?;
        ensure!(status == 0, "{PROGRAM} ended with status {status}");
        Ok(())
    }
}

/// Ends what the tests shared.
pub fn finish() -> Result<()> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.witness = None;
    shared.stop_agent()
}
