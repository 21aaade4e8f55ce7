//! The tests of a node, run on one: real systemd, a real container runtime, the
//! agent's image.
//!
//! Arguments are those of any Rust test program. In a container beside the
//! agent's this program is the attacker: `--attack-until FILE`.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use netadmin_tests::node::{self, neighbour, reboot};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.as_slice() {
        [_, way, file] if way == neighbour::ARGUMENT => attack(Path::new(file)),
        _ => test(Arguments::from_iter(arguments)),
    }
}

fn attack(file: &Path) -> ExitCode {
    status_of(neighbour::attack_until(file).map(|()| true))
}

/// Some of the tests are about what a reboot leaves.
fn test(mut arguments: Arguments) -> ExitCode {
    // They share one node, and one agent at a time.
    arguments.test_threads = Some(1);
    let run = |trials| libtest_mimic::run(&arguments, trials).num_failed == 0;
    status_of(reboot::before().and_then(|before| {
        Ok(match before {
            Some(before) => run(node::trials_after_reboot()) && before,
            None => {
                let went_well = run(node::trials());
                if is_wanted_after_reboot(&arguments) {
                    reboot::reboot(went_well)?;
                }
                went_well
            }
        })
    }))
}

fn is_wanted_after_reboot(arguments: &Arguments) -> bool {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let trials = node::trials_after_reboot();
    trials.iter().any(|trial| trial.name().contains(filter))
}

fn status_of(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
