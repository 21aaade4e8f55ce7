//! Development tasks: set-up, builds, virtual machines, tests, the demo, the image.

mod apt;
mod bench;
mod build;
mod command;
mod cpio;
mod demo;
mod ebpf;
mod image;
mod initramfs;
mod kernels;
mod marks;
mod modules;
mod need;
mod node;
mod oci;
mod paths;
mod progress;
mod setup;
mod sites;
mod soak;
mod tally;
mod terminal;
mod test;
mod tools;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use paths::Cache;

/// Development tasks of netadmin-agent.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what the other tasks need
    Setup(setup::Options),
    /// Build the eBPF object, the agent and the test programs
    Build,
    /// Boot a kernel in a virtual machine and run a command in it
    Vm(vm::Options),
    /// Run every check and test, on this machine and on every kernel of the matrix
    Test(test::Options),
    /// Run the races and the fuzzer for hours
    Soak(soak::Options),
    /// Show the guard at work: set up, build, boot, attack
    Demo(demo::Options),
    /// Pack the agent as a container image: an OCI archive, the same for the same program
    Image(oci::Options),
    /// Measure what the agent costs, in instructions
    Bench(bench::Options),
    /// Compare where a kernel asks for CAP_NET_ADMIN with docs/capability-sites.txt
    Sites(sites::Options),
    /// Remove downloaded kernels and tools
    CleanCache,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    progress::start_heartbeat();
    let result = match &arguments.task {
        Task::Setup(options) => setup::run(*options),
        Task::Build => build::all().map(|_| 0),
        Task::Vm(options) => vm::run(options),
        Task::Test(options) => test::run(options),
        Task::Soak(options) => soak::run(options),
        Task::Demo(options) => demo::run(options),
        Task::Image(options) => oci::run(options),
        Task::Bench(options) => bench::run(options),
        Task::Sites(options) => sites::run(options),
        Task::CleanCache => Cache::locate().and_then(|cache| cache.remove()).map(|()| 0),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        super::Arguments::command().debug_assert();
    }
}
