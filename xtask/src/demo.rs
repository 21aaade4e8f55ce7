//! `cargo xtask demo`: from nothing to the guard at work, in one command.

use std::time::Duration;

use anyhow::Result;

use crate::initramfs::Job;
use crate::kernels;
use crate::paths::Cache;
use crate::vm::{Guest, Processors};
use crate::{build, progress, setup, terminal};

/// The demo itself, which runs in the guest.
const PROGRAM: &str = "/bin/netadmin-demo";

const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// What `cargo xtask demo` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Kernel: one of the matrix (6.1, 6.12, 7.x), or the path of an image
    #[arg(long, value_name = "KERNEL", default_value = kernels::USUAL)]
    kernel: String,
    #[command(flatten)]
    setup: setup::Options,
}

/// Sets up, builds, boots, and shows it.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    let programs = build::all()?;
    let cache = Cache::locate()?;
    let kernel = kernels::named(&cache, &options.kernel, None)?;
    progress::step(format!("booting kernel {kernel} in a virtual machine"));
    let color = if terminal::is_terminal() {
        "always"
    } else {
        "never"
    };
    let width = terminal::width();
    let command = [
        PROGRAM,
        &format!("--color={color}"),
        &format!("--width={width}"),
    ];
    let guest = Guest {
        cache: &cache,
        kernel: &kernel,
        programs: &programs,
        node: None,
        job: Job {
            command: command.map(str::to_owned).to_vec(),
            environment: terminal::guest_environment(),
            interactive: false,
        },
        append: "",
        processors: Processors::InTurn,
        timeout: Some(TIMEOUT),
    };
    let outcome = guest.boot(&mut progress::print_bytes)?;
    outcome.report();
    Ok(outcome.exit_status())
}
