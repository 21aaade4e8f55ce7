//! The demo, run inside a virtual machine: what a container's root can do
//! without the agent, and with it.

use std::process::ExitCode;

use netadmin_tests::demo::{self, Options};

fn main() -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    match options.and_then(|options| demo::run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
