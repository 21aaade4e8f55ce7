//! The tests of the promises, run inside a virtual machine on real devices,
//! sockets and processes.
//!
//! Arguments are those of any Rust test program; `--without-agent` besides runs
//! only what shows that the attacks are real.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use netadmin_tests::{
    promise1_promiscuity, promise2_arguments, promise3_net_admin, promise4_nothing_else_changes,
    promise5_always_on, promise6_fail_closed, promise7_accountable, promise9_portability, rig,
};

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

fn trials() -> Vec<Trial> {
    let promises = [
        promise1_promiscuity::trials(),
        promise2_arguments::trials(),
        promise3_net_admin::trials(),
        promise4_nothing_else_changes::trials(),
        promise5_always_on::trials(),
        promise6_fail_closed::trials(),
        promise7_accountable::trials(),
        promise9_portability::trials(),
    ];
    promises.into_iter().flatten().collect()
}
