//! The VM tests, on several kernels at a time.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::build::Programs;
use crate::initramfs::Job;
use crate::kernels::Kernel;
use crate::node::Node;
use crate::paths::Cache;
use crate::tally::{Runner, Tally};
use crate::vm::{Guest, Outcome, Processors};
use crate::{progress, terminal};

/// The guest's test runner.
const RUNNER: &str = "/bin/netadmin-vmtest";

/// The node's.
const NODE_RUNNER: &str = "/usr/bin/netadmin-nodetest";

/// Begins the names of the tests that run on a node, and only those.
const ON_A_NODE: &str = "node";

/// In the names of the tests of what only plain kernels have; on others they are ignored.
const ON_A_PLAIN_KERNEL: &str = "::plain::";

/// Begins the names of the tests that want a kernel without `bpf` in its LSM
/// list; on any other they are ignored.
const WITHOUT_BPF: &str = "no_bpf_in_the_lsm_list";

/// How such a kernel is booted.
const LSM_WITHOUT_BPF: &str = "lsm=landlock,lockdown,yama";

/// Half of a kernel's tests take a quarter of an hour, on a busy machine twice that;
/// longer than this means that they hang.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// All of a kernel's tests are two machines' work, so that no core has the last
/// kernel's to itself while the others have nothing.
const HALVES: [&str; 2] = ["--part=1/2", "--part=2/2"];

/// Each boot's words for the kernel's command line, and what its runner is told.
fn boots(filter: Option<&str>) -> Vec<(&'static str, &str)> {
    match filter {
        None => {
            let halves = HALVES.map(|half| ("", half));
            halves
                .into_iter()
                .chain([(LSM_WITHOUT_BPF, WITHOUT_BPF)])
                .collect()
        }
        Some(name) if name.starts_with(ON_A_NODE) => Vec::new(),
        Some(name) if name.contains(WITHOUT_BPF) => vec![(LSM_WITHOUT_BPF, name)],
        Some(name) => vec![("", name)],
    }
}

/// What all boots have in common.
#[derive(Debug)]
pub struct Matrix<'a> {
    /// Where tools and modules are cached.
    pub cache: &'a Cache,
    /// Our own programs.
    pub programs: &'a Programs,
    /// Only tests whose name contains this.
    pub filter: Option<&'a str>,
}

/// One machine to be booted.
#[derive(Clone, Copy, Debug)]
struct Boot<'a> {
    kernel: &'a Kernel,
    node: Option<&'a Node>,
    append: &'a str,
    /// For the runner: which tests.
    which: Option<&'a str>,
}

/// Whether the tests so named are a node's.
pub fn runs_on_a_node(filter: Option<&str>) -> bool {
    filter.is_none_or(|name| name.starts_with(ON_A_NODE))
}

/// Whether a plain kernel's own tests are among those so named.
pub fn runs_on_a_plain_kernel(filter: Option<&str>) -> bool {
    filter.is_none_or(|name| name.contains("plain"))
}

/// The machines for some of the tests.
#[derive(Debug)]
pub struct Special {
    /// A node, and its kernel.
    pub node: Option<(Kernel, Node)>,
    /// A plain kernel.
    pub plain: Option<Kernel>,
}

impl Matrix<'_> {
    /// Runs the tests on each kernel, and those of special machines there. A machine uses one core (its processors take turns), so there are
    /// as many at a time as there are cores.
    pub fn run(&self, kernels: &[Kernel], special: &Special) -> Result<Tally> {
        let ways = boots(self.filter);
        let on_each = |kernel| {
            let boot = move |&(append, which): &_| Boot {
                kernel,
                node: None,
                append,
                which: Some(which),
            };
            ways.iter().map(boot)
        };
        let on_a_node = special.node.as_ref().map(|(kernel, node)| Boot {
            kernel,
            node: Some(node),
            append: "",
            which: self.filter,
        });
        let on_a_plain_kernel = special.plain.as_ref().map(|kernel| Boot {
            kernel,
            node: None,
            append: "",
            which: self.filter.or(Some(ON_A_PLAIN_KERNEL)),
        });
        // What takes longest first: the newer a kernel, the longer.
        let on_kernels = kernels.iter().rev().flat_map(on_each);
        let boots: Vec<_> = on_a_node
            .into_iter()
            .chain(on_kernels)
            .chain(on_a_plain_kernel)
            .collect();
        let mut labels: Vec<_> = boots.iter().map(Boot::label).collect();
        labels.dedup();
        progress::step(format!("running the VM tests on {}", labels.join(", ")));
        let queue = Mutex::new(boots.iter());
        let total = Mutex::new(Tally::default());
        let work = || {
            while let Some(boot) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                let tally = self.run_one(*boot);
                if let Ok(mut total) = total.lock() {
                    *total += tally;
                }
            }
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..cores.min(boots.len()) {
                scope.spawn(work);
            }
        });
        total
            .into_inner()
            .ok()
            .context("a VM test's thread panicked")
    }

    fn run_one(&self, boot: Boot<'_>) -> Tally {
        let runner = if boot.node.is_some() {
            NODE_RUNNER
        } else {
            RUNNER
        };
        let command = [runner].into_iter().chain(boot.which);
        let guest = Guest {
            cache: self.cache,
            kernel: boot.kernel,
            programs: self.programs,
            node: boot.node,
            job: Job {
                command: command.map(str::to_owned).collect(),
                environment: terminal::guest_environment(),
                interactive: false,
            },
            append: boot.append,
            processors: Processors::InTurn,
            timeout: Some(TIMEOUT),
        };
        tally_of(&guest, &boot.label())
    }
}

impl Boot<'_> {
    fn label(&self) -> String {
        match self.node {
            Some(_) => format!("node {}", self.kernel),
            None => self.kernel.to_string(),
        }
    }
}

/// Boots a guest, shows what it says, and counts its tests.
fn tally_of(guest: &Guest<'_>, label: &str) -> Tally {
    let mut lines = Lines::default();
    let mut runner = Runner::default();
    let result = guest.boot(&mut |output| {
        lines.take(output, |line| {
            progress::print_line(format!("{label} | {line}").as_bytes());
            runner.take(line);
        });
    });
    counted(runner, result).within(label)
}

fn counted(runner: Runner, result: Result<Outcome>) -> Tally {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("error: {error:#}");
            let mut tally = runner.end(true);
            tally.fail(format!("{error:#}"));
            return tally;
        }
    };
    outcome.report();
    let ran_any = runner.has_counted();
    let mut tally = runner.end(outcome.status == 0 && ran_any);
    if let Some(complaint) = outcome.complaints.first() {
        tally.fail(format!("the kernel says: {complaint}"));
    }
    tally
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
    use super::{
        Lines, ON_A_PLAIN_KERNEL, WITHOUT_BPF, boots, runs_on_a_node, runs_on_a_plain_kernel,
    };

    #[test]
    fn the_tests_of_a_node_run_there_and_no_others() {
        assert!(boots(Some("node::each")).is_empty() && runs_on_a_node(Some("node::each")));
        assert!(!runs_on_a_node(Some("siocsifflags")) && runs_on_a_node(None));
    }

    #[test]
    fn a_plain_kernel_is_booted_for_all_tests_or_for_its_own() {
        assert!(runs_on_a_plain_kernel(None) && runs_on_a_plain_kernel(Some(ON_A_PLAIN_KERNEL)));
        assert!(!runs_on_a_plain_kernel(Some("siocsifflags")));
    }

    #[test]
    fn a_kernel_without_bpf_is_booted_for_its_own_tests_alone() {
        assert_eq!(boots(None).len(), 3);
        let only = |filter| boots(Some(filter)).len() == 1;
        assert!(only("siocsifflags") && only(WITHOUT_BPF));
        assert_ne!(boots(Some(WITHOUT_BPF)), [("", WITHOUT_BPF)]);
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
