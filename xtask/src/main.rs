//! Development tasks: set-up, builds, virtual machines, tests, the demo.

mod apt;
mod build;
mod command;
mod cpio;
mod ebpf;
mod image;
mod initramfs;
mod kernels;
mod marks;
mod modules;
mod paths;
mod progress;
mod terminal;
mod tools;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of netadmin-agent.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the eBPF object, the agent and the test programs
    Build,
    /// Boot a kernel in a virtual machine and run a command in it
    Vm(vm::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    progress::start_heartbeat();
    let result = match &arguments.task {
        Task::Build => build::all().map(|_| 0),
        Task::Vm(options) => vm::run(options),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
