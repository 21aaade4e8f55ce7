//! `netadmin-agent`: see `netadmin-agent --help`.

use std::process::ExitCode;

use clap::Parser;
use netadmin_agent::cli::Cli;
use netadmin_agent::exit::Exit;
use netadmin_agent::output;

fn main() -> ExitCode {
    let exit = Cli::parse().execute().unwrap_or_else(|error| {
        output::show_error(&error);
        Exit::after(&error)
    });
    exit.into()
}
