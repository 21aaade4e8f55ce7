//! The agent, started, listened to and stopped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::follow::{EventFile, Mark};
use super::{Cgroup, Event, child, poll};
use crate::attack::SocketOption;
use crate::attack::sockopt::udp_socket;

/// The program.
pub const PROGRAM: &str = "/bin/netadmin-agent";

/// Where the program lies, if not there: on a machine that is no guest.
pub const ELSEWHERE: &str = "NETADMIN_AGENT";

fn program() -> PathBuf {
    std::env::var_os(ELSEWHERE).map_or_else(|| PROGRAM.into(), PathBuf::from)
}

/// Under emulation, checking the programs takes the kernel a while, on a busy machine more.
const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const EVENT_LIMIT: Duration = Duration::from_secs(30);

/// Guards one control group, whose one refusal marks the end of what came before.
const SENTINEL_POLICY: &str = r#"
[[policy]]
name = "sentinel"
match.cgroups = ["/netadmin-test/sentinel"]
[policy.setsockopt]
SO_DEBUG = "deny"
"#;

/// What the agent says of a changed policy.
const RELOADED: &str = "netadmin-agent: policy reloaded\n";
const NOT_RELOADED: &str = "netadmin-agent: error: the changed policy is refused";

const POLICY_FILE: &str = "policy.toml";

fn with_sentinel(policy: &str) -> String {
    format!("{policy}{SENTINEL_POLICY}")
}

/// A run of the program with whatever arguments, its output kept in files.
#[derive(Debug)]
pub struct AgentRun {
    directory: PathBuf,
    process: Child,
}

/// An agent that is in force.
#[derive(Debug)]
pub struct Agent {
    run: AgentRun,
    events: EventFile,
}

/// A new directory for the files of one run.
pub fn new_directory() -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("netadmin-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    Ok(path)
}

impl AgentRun {
    /// Starts the program; `stdout` and `stderr` go to files in `directory`.
    pub fn start(directory: &Path, arguments: &[&str]) -> Result<Self> {
        Self::start_as(directory, Command::new(program()).args(arguments))
    }

    /// Starts a command of the caller's.
    pub fn start_as(directory: &Path, command: &mut Command) -> Result<Self> {
        let file = |name| File::create(directory.join(name)).context("create a file for output");
        let process = command
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?)
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self {
            directory: directory.to_owned(),
            process,
        })
    }

    /// What it has written to standard output.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.directory.join("stdout")).unwrap_or_default()
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        let bytes = fs::read(self.directory.join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a line of standard error begins so.
    pub fn wait_for_line(&mut self, beginning: &str) -> Result<()> {
        let said = |run: &Self| {
            let text = run.stderr();
            let finished = text.rfind('\n').unwrap_or_default();
            let mut lines = text[..finished].lines();
            lines.any(|line| line.starts_with(beginning))
        };
        let ended = poll(START_LIMIT, || {
            let status = self.process.try_wait().ok().flatten();
            (said(self) || status.is_some()).then_some(status)
        });
        match ended {
            _ if said(self) => Ok(()),
            Some(Some(status)) => bail!("the agent ended with {status}:\n{}", self.stderr()),
            _ => {
                let _ = self.process.kill();
                bail!(
                    "the agent did not say {beginning:?} within {START_LIMIT:?}:\n{}",
                    self.stderr()
                )
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.process.id()).context("a process id")?;
        kill(Pid::from_raw(pid), signal).context("send a signal to the agent")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end; the status as a shell gives it.
    pub fn wait(&mut self) -> Result<i32> {
        let status = poll(STOP_LIMIT, || self.process.try_wait().ok().flatten());
        let Some(status) = status else {
            let _ = self.process.kill();
            bail!("the agent did not end:\n{}", self.stderr());
        };
        let killed = || 128 + status.signal().unwrap_or_default();
        Ok(status.code().unwrap_or_else(killed))
    }
}

impl Drop for AgentRun {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Agent {
    /// Starts the agent with this policy, and one for the rig's own end marks,
    /// and waits until it is in force.
    pub fn start(policy: &str) -> Result<Self> {
        Self::start_with(policy, true, &[])
    }

    /// The same, with the debug lines of the programs on standard error.
    pub fn start_with_program_log(policy: &str) -> Result<Self> {
        Self::start_with(policy, true, &["--log-programs"])
    }

    /// The same, with room for so many cgroups.
    pub fn start_with_room_for(policy: &str, cgroups: u32) -> Result<Self> {
        Self::start_with(policy, true, &["--max-cgroups", &cgroups.to_string()])
    }

    /// The same, with events on standard output.
    pub fn start_with_stdout(policy: &str) -> Result<Self> {
        Self::start_with(policy, false, &[])
    }

    /// The same, with metrics served at this address.
    pub fn start_with_metrics(policy: &str, address: SocketAddr) -> Result<Self> {
        Self::start_with(policy, true, &["--metrics", &address.to_string()])
    }

    /// Puts another policy in the place of the one in force, as a whole.
    pub fn adopt(&mut self, policy: &str) -> Result<()> {
        let reloads = |run: &AgentRun| run.stderr().matches(RELOADED).count();
        let before = reloads(&self.run);
        let draft = self.run.directory.join("draft");
        fs::write(&draft, with_sentinel(policy)).context("write a policy")?;
        fs::rename(&draft, self.run.directory.join(POLICY_FILE)).context("replace the policy")?;
        let ended = poll(START_LIMIT, || match reloads(&self.run) > before {
            true => Some(None),
            false if self.run.stderr().contains(NOT_RELOADED) => Some(Some("refused")),
            false => {
                let status = self.run.process.try_wait().ok().flatten();
                status.map(|_| Some("the agent ended"))
            }
        });
        match ended {
            Some(None) => Ok(()),
            Some(Some(why)) => bail!("{why}:\n{}", self.stderr()),
            None => bail!("no reload within {START_LIMIT:?}:\n{}", self.stderr()),
        }
    }

    fn start_with(policy: &str, to_file: bool, more: &[&str]) -> Result<Self> {
        Cgroup::make_usual().context("make the control groups")?;
        let directory = new_directory()?;
        let policy_file = directory.join(POLICY_FILE);
        fs::write(&policy_file, with_sentinel(policy)).context("write a policy")?;
        let events = directory.join(if to_file { "events" } else { "stdout" });
        let mut command = Command::new(program());
        // Most tests are of a policy, and begin without one.
        command.arg("--ephemeral").args(more);
        command.arg("--policy").arg(&policy_file);
        if to_file {
            command.arg("--events").arg(&events);
        }
        let mut run = AgentRun::start_as(&directory, &mut command)?;
        run.wait_for_line("netadmin-agent: in force")?;
        let events = EventFile::new(&events);
        Ok(Self { run, events })
    }

    /// The place in the events after all that happened so far.
    pub fn mark(&self) -> Result<Mark> {
        self.settle()?;
        Ok(self.events.mark())
    }

    /// The events since a mark, all that belong to what has happened.
    pub fn events_since(&self, mark: Mark) -> Result<Vec<Event>> {
        self.settle()?;
        let mut events = self.events.since(mark)?;
        // What kernel threads raise has no known cause, and is no refusal.
        events.retain(|event| !event.is_from(Cgroup::SENTINEL) && event.event != "rise");
        Ok(events)
    }

    /// All events that are written so far.
    pub fn events_written(&self) -> Result<Vec<Event>> {
        self.events.since(Mark::START)
    }

    /// Waits until a line of standard error begins so.
    pub fn wait_for_line(&mut self, beginning: &str) -> Result<()> {
        self.run.wait_for_line(beginning)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.run.process.id()
    }

    /// What the agent has said on standard error.
    pub fn stderr(&self) -> String {
        self.run.stderr()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.run.signal(signal)
    }

    /// Waits for its end; the status as a shell gives it.
    pub fn wait(&mut self) -> Result<i32> {
        self.run.wait()
    }

    /// Asks it to stop, and waits until it has. The tripwire must have been
    /// silent all the time.
    pub fn stop(mut self) -> Result<i32> {
        self.signal(Signal::SIGTERM)?;
        let status = self.wait()?;
        self.saw_no_breach(Mark::START)?;
        Ok(status)
    }

    /// Asks it to stop, and waits until it has, whatever the tripwire said.
    pub fn stop_after_breaches(mut self) -> Result<i32> {
        self.signal(Signal::SIGTERM)?;
        self.wait()
    }

    /// The place in the events that are written so far.
    pub(super) fn written(&self) -> Mark {
        self.events.mark()
    }

    /// Fails if the tripwire has seen anything since `mark`, as far as it is
    /// written: something was raised that should have been refused.
    pub(super) fn saw_no_breach(&self, mark: Mark) -> Result<()> {
        let mut events = self.events.since(mark)?;
        events.retain(|event| event.event == "breach");
        ensure!(events.is_empty(), "the tripwire saw {events:#?}");
        Ok(())
    }

    /// Makes one more event and waits for it: all earlier ones are then there.
    fn settle(&self) -> Result<()> {
        let before = self.events.mark();
        let sentinel = Cgroup::make(Cgroup::SENTINEL)?;
        let (errno, process) = child::spawn(|| {
            sentinel.entrance()?.enter()?;
            use std::os::fd::AsFd as _;
            let set = SocketOption::Debug.set(udp_socket()?.as_fd(), 1);
            Ok((super::errno_of(&set), ()))
        })?;
        ensure!(errno != 0, "the sentinel's SO_DEBUG was not refused");
        let is_ours = |event: &Event| event.process.pid == process.pid;
        let seen = poll(EVENT_LIMIT, || match self.events.since(before) {
            Ok(events) => events.iter().any(is_ours).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        seen.with_context(|| format!("no event within {EVENT_LIMIT:?}:\n{}", self.stderr()))?
    }
}
