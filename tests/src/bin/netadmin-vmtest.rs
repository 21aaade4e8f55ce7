//! The tests of the promises, run inside a virtual machine on real devices,
//! sockets and processes.
//!
//! Arguments are those of any Rust test program. Besides, `--without-agent` runs
//! only what shows that the attacks are real, and `--part=1/2` the first half of all.

use std::process::ExitCode;

use anyhow::Context as _;
use libtest_mimic::{Arguments, Trial};
use netadmin_tests::{Part, rig, trials};

const WITHOUT_AGENT: &str = "--without-agent";
const PART: &str = "--part=";

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let (own, others): (Vec<_>, Vec<_>) = std::env::args()
        .partition(|argument| argument == WITHOUT_AGENT || argument.starts_with(PART));
    if own.iter().any(|argument| argument == WITHOUT_AGENT) {
        // SAFETY: no other thread has been started.
        unsafe { std::env::set_var(rig::WITHOUT_AGENT, "1") };
    }
    let mut arguments = Arguments::from_iter(others);
    // The rig forks, and the witness sees everybody.
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, chosen(&own)?);
    rig::finish()?;
    Ok(conclusion.exit_code())
}

/// All tests, or the part that was asked for.
fn chosen(own: &[String]) -> anyhow::Result<Vec<Trial>> {
    let part = own.iter().find_map(|argument| argument.strip_prefix(PART));
    match part {
        Some(part) => Ok(part.parse::<Part>().context(PART)?.of(trials())),
        None => Ok(trials()),
    }
}
