//! Running a closure in a process of its own.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, setpgid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A child that says nothing for so long is killed, with all that it started. (A race of
/// 100 000 calls takes half a minute, and where the emulator shares its core, four times
/// that.)
const LIMIT: Duration = Duration::from_secs(600);

/// An `io::Result` as it crosses the pipe.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer<T> {
    /// Success.
    Done(T),
    /// Failure with an errno of the kernel's.
    Errno(i32),
    /// Any other failure.
    Other(String),
}

impl<T> From<io::Result<T>> for Answer<T> {
    fn from(result: io::Result<T>) -> Self {
        match result {
            Ok(value) => Self::Done(value),
            Err(error) => error
                .raw_os_error()
                .map_or_else(|| Self::Other(error.to_string()), Self::Errno),
        }
    }
}

impl<T> From<Answer<T>> for io::Result<T> {
    fn from(answer: Answer<T>) -> Self {
        match answer {
            Answer::Done(value) => Ok(value),
            Answer::Errno(errno) => Err(io::Error::from_raw_os_error(errno)),
            Answer::Other(text) => Err(io::Error::other(text)),
        }
    }
}

/// A child process that has answered, and lives until this is dropped: what it
/// holds open, it holds open so long.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub pid: i32,
    release: Option<OwnedFd>,
}

impl Child {
    /// Waits for its end, which something else must bring about; the signal
    /// that ended it, if one did.
    pub fn wait(mut self) -> Result<Option<i32>> {
        let status = waitpid(Pid::from_raw(self.pid), None).context("wait for a child")?;
        self.pid = 0;
        Ok(match status {
            WaitStatus::Signaled(_, signal, _) => Some(signal as i32),
            _ => None,
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.release.take());
        if self.pid == 0 {
            return;
        }
        // Nothing can be done about a child that is gone already.
        let _ = waitpid(Pid::from_raw(self.pid), None);
    }
}

/// Forks, runs `work` in the child, and returns what it answers, together with
/// the child, which keeps what `work` returned beside its answer.
pub fn spawn<T, K>(work: impl FnOnce() -> Result<(T, K)>) -> Result<(T, Child)>
where
    T: Serialize + DeserializeOwned,
{
    let (answer_reader, answer_writer) = pipe2(OFlag::O_CLOEXEC).context("make a pipe")?;
    let (release_reader, release_writer) = pipe2(OFlag::O_CLOEXEC).context("make a pipe")?;
    // SAFETY: the rig starts no threads, so the child may go on as if it had
    // been started anew.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Child => {
            drop((answer_reader, release_writer));
            // A group of its own, to be killed as one.
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let status = answer_in_child(work, answer_writer.into(), release_reader.into());
            // SAFETY: no destructor of the parent's must run here.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            drop((answer_writer, release_reader));
            let child = Child {
                pid: child.as_raw(),
                release: Some(release_writer),
            };
            let answer = read_answer(answer_reader, child.pid)?;
            Ok((answer, child))
        }
    }
}

/// Writes the answer and then waits to be released.
fn answer_in_child<T: Serialize, K>(
    work: impl FnOnce() -> Result<(T, K)>,
    mut answers: File,
    mut release: File,
) -> i32 {
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("the child panicked, see above")));
    let (answer, kept) = match result {
        Ok((answer, kept)) => (Ok(answer), Some(kept)),
        Err(error) => (Err(format!("{error:#}")), None),
    };
    let sent = serde_json::to_vec(&answer)
        .map_err(io::Error::from)
        .and_then(|bytes| answers.write_all(&bytes));
    drop(answers);
    // The parent never writes: this returns when it lets go, or dies.
    let _ = release.read(&mut [0]);
    drop(kept);
    i32::from(sent.is_err())
}

fn read_answer<T: DeserializeOwned>(reader: OwnedFd, pid: i32) -> Result<T> {
    let start = Instant::now();
    let mut reader = File::from(reader);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = LIMIT.saturating_sub(start.elapsed());
        let mut wanted = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        if poll(&mut wanted, timeout).context("wait for the child")? == 0 {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            bail!("the child {pid} did not answer within {LIMIT:?}");
        }
        match reader
            .read(&mut buffer)
            .context("read the child's answer")?
        {
            0 => break,
            len => bytes.extend_from_slice(&buffer[..len]),
        }
    }
    let answer: Result<T, String> = serde_json::from_slice(&bytes)
        .with_context(|| format!("the child answered {:?}", String::from_utf8_lossy(&bytes)))?;
    answer.map_err(|text| anyhow!(text))
}
