//! `cargo xtask bench`: what the agent costs, in a machine whose clock counts
//! instructions, or in time on this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::{self, Programs};
use crate::initramfs::Job;
use crate::kernels::{self, Kernel};
use crate::paths::{self, Cache};
use crate::tally::Tally;
use crate::vm::{Guest, Outcome, Processors};
use crate::{command, ebpf, progress, setup, terminal};

/// The bench itself, which runs in the guest.
const PROGRAM: &str = "/bin/netadmin-bench";

const TIMEOUT: Duration = Duration::from_secs(40 * 60);

/// How the report begins, which the bench prints as one line.
const REPORT: &str = "{\"schema\":";

/// What `cargo xtask bench` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Kernel: one of the matrix (6.1, 6.12, 7.x), or the path of an image
    #[arg(long, value_name = "KERNEL", default_value = kernels::USUAL)]
    kernel: String,
    /// Measure time on this machine, which must let root load LSM programs
    #[arg(long, conflicts_with_all = ["kernel", "docs"])]
    host: bool,
    /// Put report and picture into docs/
    #[arg(long)]
    docs: bool,
    /// Use the programs as they were built last
    #[arg(long)]
    no_build: bool,
    #[command(flatten)]
    setup: setup::Options,
    /// Arguments of netadmin-bench
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// `cargo xtask bench`.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    let programs = if options.no_build {
        build::built()?
    } else {
        build::all()?
    };
    if options.host {
        return on_this_machine(&programs, &options.arguments);
    }
    let cache = Cache::locate()?;
    let kernel = kernels::named(&cache, &options.kernel, None)?;
    progress::step(format!("measuring on kernel {kernel}"));
    let (outcome, report) = boot(&cache, &kernel, &programs, &options.arguments)?;
    outcome.report();
    if let Some(report) = report {
        let path = save(&kernel, &report)?;
        println!("the report is in {}", path.display());
        if options.docs {
            publish(&path, &programs)?;
        }
    }
    Ok(outcome.exit_status())
}

/// Runs the bench in a guest; the second is its report.
pub fn boot(
    cache: &Cache,
    kernel: &Kernel,
    programs: &Programs,
    arguments: &[String],
) -> Result<(Outcome, Option<String>)> {
    let programs: Programs = programs.iter().cloned().chain([ebpf::floor()]).collect();
    let command = std::iter::once(PROGRAM.to_owned()).chain(arguments.iter().cloned());
    let guest = Guest {
        cache,
        kernel,
        programs: &programs,
        node: None,
        job: Job {
            command: command.collect(),
            environment: terminal::guest_environment(),
            interactive: false,
        },
        append: "",
        processors: Processors::Counted,
        timeout: Some(TIMEOUT),
    };
    let mut output = Vec::new();
    let outcome = guest.boot(&mut |bytes| output.extend_from_slice(bytes))?;
    let text = String::from_utf8_lossy(&output);
    let (reports, rest): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(REPORT));
    for line in rest {
        progress::print_line(line.as_bytes());
    }
    Ok((outcome, reports.first().map(|&line| line.to_owned())))
}

/// The gate: whether every target is kept, on one kernel, in little time.
pub fn gate(cache: &Cache, kernel: &Kernel, programs: &Programs) -> Result<Tally> {
    progress::step(format!("measuring what the agent costs on {kernel}"));
    let arguments = ["--quick", "--gate"].map(str::to_owned);
    let (outcome, report) = boot(cache, kernel, programs, &arguments)?;
    outcome.report();
    let passed = report.is_some() && outcome.exit_status() == 0;
    let failure = format!("what the agent costs on {kernel}: see the targets above");
    Ok(Tally::of(passed, &failure))
}

fn on_this_machine(programs: &Programs, arguments: &[String]) -> Result<u8> {
    let doctor = Command::new(host_program(programs, "netadmin-agent")?)
        .arg("doctor")
        .output()
        .context("start the agent's doctor")?;
    if !doctor.status.success() {
        bail!(
            "this machine cannot load the agent's programs, of which the cost is to be \
             measured; mend what fails here, or measure in a virtual machine \
             (`cargo xtask bench`):\n{}{}",
            String::from_utf8_lossy(&doctor.stdout),
            String::from_utf8_lossy(&doctor.stderr),
        );
    }
    let mut bench = Command::new(host_program(programs, "netadmin-bench")?);
    bench.env("NETADMIN_AGENT", host_program(programs, "netadmin-agent")?);
    bench.arg("--time").arg("--floor").arg(ebpf::floor());
    let status = bench.args(arguments).status().context("start the bench")?;
    Ok(u8::from(!status.success()))
}

fn host_program<'a>(programs: &'a Programs, name: &str) -> Result<&'a PathBuf> {
    let found = programs.iter().find(|path| path.ends_with(name));
    found.with_context(|| format!("{name} is not built"))
}

fn publish(report: &Path, programs: &Programs) -> Result<()> {
    let docs = paths::workspace().join("docs");
    let mut plot = Command::new(host_program(programs, "netadmin-bench")?);
    let picture = command::output(plot.arg("--plot").arg(report))?;
    fs::write(docs.join("performance.svg"), picture).context("write the picture")?;
    fs::copy(report, docs.join("performance.json")).context("copy the report")?;
    println!("docs/performance.json and docs/performance.svg are new");
    Ok(())
}

fn save(kernel: &Kernel, report: &str) -> Result<PathBuf> {
    let directory = build::target_directory().join("bench");
    fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
    let path = directory.join(format!("{}.json", kernel.label));
    fs::write(&path, report).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
