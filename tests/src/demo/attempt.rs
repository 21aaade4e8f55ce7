//! One command of the demo, and how it is carried out.

use std::io::{self, BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::Result;

use super::outcome::Outcome;
use crate::attack::SocketOption;
use crate::attack::process::shell;
use crate::attack::sockopt::udp_socket;
use crate::rig::{Agent, Container, DEFERRED, make, poll};

/// The container's only device.
pub const DEVICE: &str = "eth0";
const PATH: [&str; 4] = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];

/// A call of the attack library.
pub type Call = fn() -> io::Result<()>;

/// One command of the demo.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The heading under which it stands.
    pub section: &'static str,
    /// What is shown.
    pub label: &'static str,
    /// Whether it is to be refused.
    pub is_attack: bool,
    /// What is prepared from outside, beside the device.
    pub set_up: Call,
    /// What is done.
    pub act: Act,
}

/// How a command is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A shell line that begins with the name of a tool; and what to do where
    /// the tool is not there.
    Tool(&'static str, Call),
    /// `tcpdump` with this argument before the device, which goes on until it
    /// has been looked at.
    Tcpdump(&'static str),
    /// A call of the attack library.
    Library(Call),
    /// `setsockopt`, and then `getsockopt` on the same socket.
    Option(SocketOption, i32),
}

impl Attempt {
    /// Carries it out in a container.
    pub fn run(&self, container: &Container, agent: Option<&Agent>) -> Result<Outcome> {
        container.set_up(|| {
            make::dummy(DEVICE)?;
            (self.set_up)()
        })?;
        let mark = agent.map(Agent::mark).transpose()?;
        let (succeeded, afterwards) = match self.act {
            Act::Option(option, value) => set_option(container, option, value)?,
            Act::Tool(line, _) if has_tool(line) => {
                with_device(container, self.is_attack, || run_line(line))?
            }
            Act::Tool(_, call) | Act::Library(call) => {
                with_device(container, self.is_attack, call)?
            }
            Act::Tcpdump(argument) => {
                with_device(container, self.is_attack, || Listening::start(argument))?
            }
        };
        let events = match (agent, mark) {
            (Some(agent), Some(mark)) => agent.events_since(mark)?,
            _ => Vec::new(),
        };
        Ok(Outcome {
            succeeded,
            afterwards,
            events,
        })
    }
}

/// Acts, and tells what the device then looks like. An attack that succeeded
/// may take effect a little later, from a kernel worker.
fn with_device<K>(
    container: &Container,
    is_attack: bool,
    act: impl FnOnce() -> io::Result<K>,
) -> Result<(bool, String)> {
    let attempt = container.attempt_and_hold(act)?;
    let succeeded = attempt.result.is_ok();
    let state = || container.device(DEVICE);
    if succeeded && is_attack {
        poll(DEFERRED, || (state().ok()?.promiscuity > 0).then_some(()));
    }
    Ok((succeeded, format!("promiscuity {}", state()?.promiscuity)))
}

fn set_option(container: &Container, option: SocketOption, value: i32) -> Result<(bool, String)> {
    let (succeeded, now) = container.run(|| {
        let socket = udp_socket()?;
        let succeeded = option.set(socket.as_fd(), value).is_ok();
        Ok((succeeded, option.get(socket.as_fd())?))
    })?;
    Ok((succeeded, format!("reads {now}")))
}

fn has_tool(line: &str) -> bool {
    let tool = line.split(' ').next().unwrap_or_default();
    let mut places = PATH.iter().map(|place| format!("{place}/{tool}"));
    places.any(|path| std::fs::exists(path).unwrap_or(false))
}

fn run_line(line: &str) -> io::Result<()> {
    let ran = shell(line)?;
    match ran.status {
        0 => Ok(()),
        _ => Err(io::Error::other(ran.stderr)),
    }
}

/// A `tcpdump` that listens; it ends with this.
struct Listening {
    process: Child,
    /// Kept open, so that it does not die of writing to nobody.
    _messages: BufReader<ChildStderr>,
}

impl Listening {
    fn start(argument: &str) -> io::Result<Self> {
        let mut command = Command::new("tcpdump");
        command
            .env("PATH", PATH.join(":"))
            .args(["-Z", "root", "-nn", "-i", DEVICE]);
        if !argument.is_empty() {
            command.arg(argument);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let pipe = process
            .stderr
            .take()
            .ok_or_else(|| io::Error::other("no pipe"))?;
        let mut messages = BufReader::new(pipe);
        let mut line = String::new();
        while messages.read_line(&mut line)? > 0 {
            if line.contains("listening on") {
                let _messages = messages;
                return Ok(Self { process, _messages });
            }
        }
        process.wait()?;
        Err(io::Error::other(line))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
