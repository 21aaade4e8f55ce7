//! The tests of the promises, run inside a virtual machine on real devices,
//! sockets and processes.
//!
//! Arguments are those of any Rust test program; `--without-agent` besides runs
//! only what shows that the attacks are real.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use netadmin_tests::{rig, trials};

const WITHOUT_AGENT: &str = "--without-agent";

fn main() -> ExitCode {
    let (own, others): (Vec<_>, Vec<_>) =
        std::env::args().partition(|argument| argument == WITHOUT_AGENT);
    if !own.is_empty() {
        // SAFETY: no other thread has been started.
        unsafe { std::env::set_var(rig::WITHOUT_AGENT, "1") };
    }
    let mut arguments = Arguments::from_iter(others);
    // The rig forks, and the witness sees everybody.
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, trials());
    if let Err(error) = rig::finish() {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
