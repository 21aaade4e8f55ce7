//! Starting a command in a cgroup, handing signals on to it, and how it ended.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};

use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::output;

/// Signals that are meant for the command. Those of job control reach the whole
/// process group, and with it the command, by themselves.
const FORWARDED: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a code; a signal is 128 and its number, as in shells.
    With(u8),
    /// It is there, but cannot be executed.
    NotExecutable,
    /// There is no such program.
    NotFound,
}

/// Runs a command in the cgroup whose `cgroup.procs` this is.
pub fn run(entrance: &File, command: &[OsString]) -> anyhow::Result<Ended> {
    let (program, arguments) = command.split_first().context("no command is given")?;
    let mut waited = SigSet::from_iter(FORWARDED);
    waited.add(Signal::SIGCHLD);
    // Before there is a child, so that no signal is lost.
    let before = waited
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)
        .context("cannot hold signals back")?;
    let entrance = entrance.try_clone().context("copy a descriptor")?;
    let mut start = Command::new(program);
    start.args(arguments);
    // SAFETY: between fork and exec, both only make system calls.
    unsafe {
        start.pre_exec(move || {
            (&entrance).write_all(b"0")?;
            Ok(before.thread_set_mask()?)
        });
    }
    match start.spawn() {
        Ok(child) => Ok(Ended::With(code(follow(child, &waited)?))),
        Err(error) => not_started(program, error),
    }
}

fn not_started(program: &OsString, error: io::Error) -> anyhow::Result<Ended> {
    let ended = match error.kind() {
        io::ErrorKind::NotFound => Ended::NotFound,
        io::ErrorKind::PermissionDenied => Ended::NotExecutable,
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => Ended::NotExecutable,
        _ => {
            let what = format!("cannot start {} in its cgroup", program.display());
            return Err(error).context(what);
        }
    };
    output::complain(&format!(
        "error: cannot execute {}: {error}\n",
        program.display()
    ));
    Ok(ended)
}

/// Hands signals on until the command has ended.
fn follow(mut child: Child, waited: &SigSet) -> anyhow::Result<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(status);
        }
        if let Some(signal) = next(waited)? {
            // It has not been waited for, so that the number is still its own.
            kill(pid, signal).context("cannot hand a signal on to the command")?;
        }
    }
}

/// The next signal that is to be handed on. What the terminal sends (SI_KERNEL),
/// it has sent to the command, too.
fn next(waited: &SigSet) -> io::Result<Option<Signal>> {
    // SAFETY: any bytes are a siginfo_t.
    let mut told: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: a valid set, and room for the answer.
    let number = unsafe { libc::sigwaitinfo(waited.as_ref(), &raw mut told) };
    if number < 0 {
        let error = io::Error::last_os_error();
        let again = error.kind() == io::ErrorKind::Interrupted;
        return if again { Ok(None) } else { Err(error) };
    }
    let signal = Signal::try_from(number).ok();
    let is_meant = |signal: &Signal| *signal != Signal::SIGCHLD && told.si_code != libc::SI_KERNEL;
    Ok(signal.filter(is_meant))
}

fn code(status: ExitStatus) -> u8 {
    let signal = || 128 + status.signal().unwrap_or_default();
    u8::try_from(status.code().unwrap_or_else(signal)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a command in no cgroup in particular.
    fn ended(command: &[&str]) -> Ended {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        let entrance = tempfile::tempfile().expect("a file");
        run(&entrance, &command).expect("run")
    }

    #[test]
    fn it_ends_as_the_command_does() {
        assert_eq!(ended(&["sh", "-c", "exit 7"]), Ended::With(7));
        assert_eq!(ended(&["sh", "-c", "kill -9 $$"]), Ended::With(137));
        assert_eq!(ended(&["/nowhere/at-all"]), Ended::NotFound);
        assert_eq!(ended(&["/"]), Ended::NotExecutable);
    }
}
