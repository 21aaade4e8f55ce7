//! Tries one way in a process of its own, and looks what has come of it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, IntoRawFd as _};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::attack::Route;
use crate::attack::{link, openvswitch};
use crate::device::promiscuity;
use crate::ground;
use crate::ways::{Call, Effect, Subject, Way, device};

/// How long a rise is waited for that a kernel worker makes.
const DEFERRED: Duration = Duration::from_millis(1_000);
/// The same after a refusal, which leads one to expect none.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It had its effect.
    Open,
    /// It was refused, or had none.
    Closed,
    /// This kernel, or this place, has no such thing to try.
    Absent,
    /// It could not be seen what came of it.
    Unknown,
}

/// A verdict, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What came of it.
    pub verdict: Verdict,
    /// The call's errno, if it failed with one.
    pub errno: Option<i32>,
    /// What else there is to say.
    pub note: String,
}

impl Outcome {
    fn new(verdict: Verdict, errno: Option<i32>, note: impl Into<String>) -> Self {
        Self {
            verdict,
            errno,
            note: note.into(),
        }
    }
}

/// Tries a way, and removes the devices that it leaves.
pub fn attempt(way: &Way) -> Outcome {
    let outcome = in_child(way)
        .unwrap_or_else(|error| Outcome::new(Verdict::Unknown, None, error.to_string()));
    for name in device::ALL {
        match remove(name) {
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => {
                return Outcome::new(Verdict::Unknown, None, format!("remove {name}: {error}"));
            }
            _ => {}
        }
    }
    outcome
}

/// Removes a device; a datapath is not one that rtnetlink removes.
fn remove(name: &str) -> io::Result<()> {
    match link::delete(name) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            openvswitch::delete_datapath(name)
        }
        removed => removed,
    }
}

/// A process of its own: what it opens ends with it.
fn in_child(way: &Way) -> io::Result<Outcome> {
    let (mut reader, writer) = io::pipe()?;
    // SAFETY: this program has one thread, so the child may go on as it likes.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(reader);
            // SAFETY: the descriptor is given up, and so owned by the file alone.
            let mut answers = unsafe { File::from_raw_fd(writer.into_raw_fd()) };
            let outcome = carry_out(way);
            let sent = serde_json::to_writer(&mut answers, &outcome).is_ok();
            let sent = sent && answers.flush().is_ok();
            // SAFETY: no destructor of the parent's must run here.
            unsafe { libc::_exit(i32::from(!sent)) }
        }
        child => {
            drop(writer);
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer)?;
            let status = wait_for(child)?;
            Ok(serde_json::from_slice(&answer).unwrap_or_else(|_| killed(way, status)))
        }
    }
}

fn wait_for(child: i32) -> io::Result<i32> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    match unsafe { libc::waitpid(child, &raw mut status, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(status),
    }
}

/// A seccomp filter may kill; a kernel without IA32 emulation does so at `int 0x80`.
fn killed(way: &Way, status: i32) -> Outcome {
    let signal = libc::WTERMSIG(status);
    let verdict = match signal {
        libc::SIGSYS => Verdict::Closed,
        libc::SIGSEGV if way.route.abi.name() == "int 0x80" => Verdict::Absent,
        _ => Verdict::Unknown,
    };
    Outcome::new(verdict, None, format!("killed by signal {signal}"))
}

fn carry_out(way: &Way) -> Outcome {
    if way.subject == Subject::UserNamespace
        && let Err(error) = ground::with_user_namespace()
    {
        return Outcome::new(Verdict::Absent, error.raw_os_error(), "no user namespace");
    }
    let _held = match (way.path.set_up)() {
        Ok(held) => held,
        Err(error) => return not_begun(&error),
    };
    match way.path.effect {
        Effect::Told => told(way),
        Effect::Promiscuity(victim) => raised(way, victim),
    }
}

/// What it needs could not be made. Who is refused that has no way to go on.
fn not_begun(error: &io::Error) -> Outcome {
    let errno = error.raw_os_error();
    match errno {
        Some(libc::EOPNOTSUPP) => {
            Outcome::new(Verdict::Absent, errno, "this kernel has no such thing")
        }
        Some(libc::EPERM | libc::EACCES) => {
            Outcome::new(Verdict::Closed, errno, "refused before it began")
        }
        _ => Outcome::new(Verdict::Unknown, errno, format!("before it began: {error}")),
    }
}

fn told(way: &Way) -> Outcome {
    match act(way) {
        (true, _) => Outcome::new(Verdict::Open, None, ""),
        (false, error) => refused(way, error),
    }
}

fn raised(way: &Way, victim: &str) -> Outcome {
    let before = match promiscuity(victim) {
        Ok(count) => count,
        Err(error) => return Outcome::new(Verdict::Unknown, None, error.to_string()),
    };
    let began = Instant::now();
    let (done, error) = act(way);
    let limit = if done { DEFERRED } else { AFTER_REFUSAL };
    loop {
        let count = promiscuity(victim);
        match count {
            Ok(count) if count > before => {
                let note = format!("promiscuity {before} to {count}");
                let errno = error.as_ref().and_then(io::Error::raw_os_error);
                return Outcome::new(Verdict::Open, errno, note);
            }
            Err(error) => return Outcome::new(Verdict::Unknown, None, error.to_string()),
            Ok(_) if began.elapsed() > limit => break,
            Ok(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
    refused(way, error)
}

/// Whether it went through, and the error if not. What it opens stays open
/// until this process ends.
fn act(way: &Way) -> (bool, Option<io::Error>) {
    let work = || way.route.take(|| (way.path.act)().map(std::mem::forget));
    let result = if way.subject == Subject::Thread {
        thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    } else {
        work()
    };
    (result.is_ok(), result.err())
}

fn refused(way: &Way, error: Option<io::Error>) -> Outcome {
    let Some(error) = error else {
        return Outcome::new(Verdict::Closed, None, "the call succeeds without effect");
    };
    let errno = error.raw_os_error();
    if errno.is_some_and(|errno| is_missing(way, errno)) {
        return Outcome::new(Verdict::Absent, errno, "no such call");
    }
    let note = if errno.is_some() {
        String::new()
    } else {
        error.to_string()
    };
    Outcome::new(Verdict::Closed, errno, note)
}

/// Whether this errno says that the route is not there. (Sockets take
/// `setsockopt` from a ring from kernel 6.7 on.)
fn is_missing(way: &Way, errno: i32) -> bool {
    let Route { arrival, .. } = way.route;
    errno == libc::ENOSYS
        || (arrival.is_ring() && way.path.call == Call::Setsockopt && errno == libc::EOPNOTSUPP)
}
