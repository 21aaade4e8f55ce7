//! The VM tests, on several kernels at a time.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::build::Programs;
use crate::initramfs::Job;
use crate::kernels::Kernel;
use crate::paths::Cache;
use crate::tally::Tally;
use crate::vm::Guest;
use crate::{progress, terminal};

/// The guest's test runner.
const RUNNER: &str = "/bin/netadmin-vmtest";

/// Begins the names of the tests that want a kernel without `bpf` in its LSM
/// list; on any other they are ignored.
const WITHOUT_BPF: &str = "no_bpf_in_the_lsm_list";

/// How such a kernel is booted.
const LSM_WITHOUT_BPF: &str = "lsm=landlock,lockdown,yama";

/// A kernel's tests take minutes; longer than this means that they hang.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// Runs the tests on each kernel. A machine uses one core (its processors take
/// turns), so there are as many at a time as there are cores.
pub fn run(
    cache: &Cache,
    kernels: &[Kernel],
    programs: &Programs,
    filter: Option<&str>,
) -> Result<Tally> {
    let labels: Vec<_> = kernels.iter().map(Kernel::to_string).collect();
    progress::step(format!("running the VM tests on {}", labels.join(", ")));
    let queue = Mutex::new(kernels.iter());
    let total = Mutex::new(Tally::default());
    let work = || {
        while let Some(kernel) = queue.lock().ok().and_then(|mut queue| queue.next()) {
            for (append, filter) in boots(filter) {
                let tally = on_kernel(cache, kernel, programs, append, filter);
                if let Ok(mut total) = total.lock() {
                    *total += tally;
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores.min(kernels.len()) {
            scope.spawn(work);
        }
    });
    total
        .into_inner()
        .ok()
        .context("a VM test's thread panicked")
}

/// Each boot's words for the kernel's command line, and its filter.
fn boots(filter: Option<&str>) -> Vec<(&'static str, Option<&str>)> {
    match filter {
        None => vec![("", None), (LSM_WITHOUT_BPF, Some(WITHOUT_BPF))],
        Some(name) if name.contains(WITHOUT_BPF) => vec![(LSM_WITHOUT_BPF, filter)],
        Some(_) => vec![("", filter)],
    }
}

fn on_kernel(
    cache: &Cache,
    kernel: &Kernel,
    programs: &Programs,
    append: &str,
    filter: Option<&str>,
) -> Tally {
    let command = [RUNNER]
        .into_iter()
        .chain(filter)
        .map(str::to_owned)
        .collect();
    let guest = Guest {
        cache,
        kernel,
        programs,
        job: Job {
            command,
            environment: terminal::guest_environment(),
            interactive: false,
        },
        append,
        parallel: false,
        timeout: Some(TIMEOUT),
    };
    let mut lines = Lines::default();
    let mut tally = Tally::default();
    let result = guest.boot(&mut |output| {
        lines.take(output, |line| {
            progress::print_line(format!("{kernel} | {line}").as_bytes());
            tally += Tally::from_line(line).unwrap_or_default();
        });
    });
    match result {
        Ok(outcome) => {
            outcome.report();
            tally.failed += u64::from(!outcome.complaints.is_empty());
            tally.with_status(outcome.status == 0 && tally != Tally::default())
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            tally.failed += 1;
            tally
        }
    }
}

/// Cuts output that comes in chunks into lines.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, chunk: &[u8], mut see: impl FnMut(&str)) {
        for &byte in chunk {
            if byte == b'\n' {
                see(&String::from_utf8_lossy(&self.begun));
                self.begun.clear();
            } else {
                self.begun.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, WITHOUT_BPF, boots};

    #[test]
    fn a_kernel_without_bpf_is_booted_for_its_own_tests_alone() {
        assert_eq!(boots(None).len(), 2);
        let only = |filter| boots(Some(filter)).len() == 1;
        assert!(only("siocsifflags") && only(WITHOUT_BPF));
        assert_ne!(boots(Some(WITHOUT_BPF)), [("", Some(WITHOUT_BPF))]);
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks() {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for chunk in [b"one\ntw".as_slice(), b"o\n\nth"] {
            lines.take(chunk, |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["one", "two", ""]);
    }
}
