//! The tests of a node, run on one: real systemd, a real container runtime, the
//! agent's image.
//!
//! Arguments are those of any Rust test program. In a container beside the
//! agent's this program is the attacker: `--attack-until FILE`.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use netadmin_tests::node::{self, neighbour};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.as_slice() {
        [_, way, file] if way == neighbour::ARGUMENT => attack(Path::new(file)),
        _ => test(Arguments::from_iter(arguments)),
    }
}

fn attack(file: &Path) -> ExitCode {
    match neighbour::attack_until(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(mut arguments: Arguments) -> ExitCode {
    // They share one node, and one agent at a time.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, node::trials()).exit_code()
}
