//! Boots a kernel in qemu, runs one command in it, and tells how it went.

mod console;
mod machine;

use std::fs;
use std::io::{IsTerminal as _, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::build::{self, Programs};
use crate::initramfs::{self, Job};
use crate::kernels::{self, Kernel};
use crate::node::Node;
use crate::paths::Cache;
use crate::{progress, terminal};
pub use machine::Processors;
use machine::{Machine, Run};

/// A boot that dies before init is the emulator's fault; this often it is tried.
const BOOTS: u32 = 3;

/// How many console logs of earlier runs are kept.
const LOGS_KEPT: usize = 20;

/// No boot needs its file system for longer.
const DRAFT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How a run in the guest ended.
#[derive(Debug)]
pub struct Outcome {
    /// The command's exit status.
    pub status: i32,
    /// The kernel's complaints after init came up.
    pub complaints: Vec<String>,
    /// The kernel's console.
    pub console: PathBuf,
}

/// What `cargo xtask vm` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Kernel: one of the matrix (6.1, 6.12, 7.x), with -plain behind it for the one with every device, or the path of an image
    #[arg(long, value_name = "KERNEL", default_value = kernels::USUAL)]
    kernel: String,
    /// Modules of a kernel given by path: its lib/modules/RELEASE
    #[arg(long, value_name = "DIRECTORY")]
    modules: Option<PathBuf>,
    /// Let the guest's processors run at the same time (may crash the guest before qemu 8.1)
    #[arg(long)]
    parallel: bool,
    /// Boot a node instead: Debian with systemd and containerd, on a disk
    #[arg(long)]
    node: bool,
    /// One processor, whose clock counts instructions: a nanosecond each
    #[arg(long, conflicts_with = "parallel")]
    counted: bool,
    /// Another program to put into the guest's /bin
    #[arg(long, value_name = "FILE")]
    program: Vec<PathBuf>,
    /// Use the programs as they were built last
    #[arg(long)]
    no_build: bool,
    /// More words for the kernel's command line
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        allow_hyphen_values = true
    )]
    append: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Command to run in the guest; without one, a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// Everything a boot needs.
#[derive(Debug)]
pub struct Guest<'a> {
    /// Where tools and modules are cached.
    pub cache: &'a Cache,
    /// What to boot.
    pub kernel: &'a Kernel,
    /// Our own programs.
    pub programs: &'a Programs,
    /// Its disk, if it is a node.
    pub node: Option<&'a Node>,
    /// What to run.
    pub job: Job,
    /// More words for the kernel's command line.
    pub append: &'a str,
    /// How the guest's processors are emulated.
    pub processors: Processors,
    /// `None` for a person, who may take as long as they like.
    pub timeout: Option<Duration>,
}

/// `cargo xtask vm`.
pub fn run(options: &Options) -> Result<u8> {
    let cache = Cache::locate()?;
    let kernel = kernels::named(&cache, &options.kernel, options.modules.as_deref())?;
    let mut programs = if options.no_build {
        build::built()?
    } else {
        build::all()?
    };
    programs.extend(options.program.iter().cloned());
    let interactive = options.command.is_empty();
    if interactive && !stdin().is_terminal() {
        bail!("a shell needs a terminal: give a command after `--`");
    }
    let command = if interactive {
        vec![if options.node { "/bin/sh" } else { "/bin/bash" }.to_owned()]
    } else {
        options.command.clone()
    };
    let job = Job {
        command,
        environment: terminal::guest_environment(),
        interactive,
    };
    let node = options.node.then(|| Node::prepare(&cache)).transpose()?;
    let timeout = (!interactive).then(|| Duration::from_secs(options.timeout));
    let guest = Guest {
        cache: &cache,
        kernel: &kernel,
        programs: &programs,
        node: node.as_ref(),
        job,
        append: &options.append,
        processors: options.processors(),
        timeout,
    };
    if interactive {
        progress::idle();
    } else {
        progress::quiet_step(format!("running {:?} on {kernel}", guest.job.command[0]));
    }
    let outcome = guest.boot(&mut progress::print_bytes)?;
    outcome.report();
    Ok(outcome.exit_status())
}

impl Options {
    fn processors(&self) -> Processors {
        match (self.counted, self.parallel) {
            (true, _) => Processors::Counted,
            (_, true) => Processors::Parallel,
            _ => Processors::InTurn,
        }
    }
}

impl Outcome {
    /// What to exit with: the command's status, unless the kernel complained.
    pub fn exit_status(&self) -> u8 {
        if self.complaints.is_empty() {
            u8::try_from(self.status).unwrap_or(u8::MAX)
        } else {
            1
        }
    }

    /// Says what the kernel complained of.
    pub fn report(&self) {
        for line in &self.complaints {
            eprintln!("error: the kernel says: {line}");
        }
        if !self.complaints.is_empty() {
            eprintln!("error: its console is in {}", self.console.display());
        }
    }
}

impl Guest<'_> {
    /// Runs the job, and hands its output on as it comes.
    pub fn boot(&self, output: &mut dyn FnMut(&[u8])) -> Result<Outcome> {
        let directory = build::target_directory().join("vm");
        fs::create_dir_all(&directory)
            .with_context(|| format!("create {}", directory.display()))?;
        drop_old_files(&directory);
        let initramfs = tempfile::NamedTempFile::new_in(&directory).context("make a file")?;
        initramfs::write(self, initramfs.path())?;
        let name = format!("{}-{}.console", self.kernel.label, std::process::id());
        let machine = Machine {
            kernel: self.kernel,
            initramfs: initramfs.path(),
            disk: self.node.map(|node| node.disk.as_path()),
            console: directory.join(name),
            append: self.append,
            interactive: self.job.interactive,
            processors: self.processors,
            timeout: self.timeout,
        };
        boot_until_ready(&machine, output)
    }
}

fn boot_until_ready(machine: &Machine<'_>, output: &mut dyn FnMut(&[u8])) -> Result<Outcome> {
    let console = &machine.console;
    for boot in 1..=BOOTS {
        let (label, run) = (machine.kernel, machine.run(output)?);
        let complaints = console::complaints(console)?;
        match run {
            Run::Finished(status) => {
                let console = console.clone();
                return Ok(Outcome {
                    status,
                    complaints,
                    console,
                });
            }
            Run::Died(reason) => {
                let complaints = complaints.join("\n    ");
                bail!(
                    "{label}: {reason}\n    {complaints}\n{}",
                    console::end(console)
                );
            }
            Run::NeverReady(reason) => {
                let why = complaints.first().map_or(reason.as_str(), String::as_str);
                progress::note(&format!(
                    "{label}: boot {boot} of {BOOTS} died before init: {why}"
                ));
            }
        }
    }
    bail!(
        "{} never reached init\n{}",
        machine.kernel,
        console::end(console)
    )
}

/// Drops the oldest logs, and what interrupted runs have left.
fn drop_old_files(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let age = |path: &PathBuf| fs::metadata(path).ok()?.modified().ok()?.elapsed().ok();
    let is_log = |path: &PathBuf| path.extension().is_some_and(|end| end == "console");
    let (mut logs, mut drafts): (Vec<_>, Vec<_>) =
        entries.map(|entry| entry.path()).partition(is_log);
    logs.sort_by_key(age);
    drafts.retain(|path| age(path) > Some(DRAFT_LIFETIME));
    for path in logs.iter().skip(LOGS_KEPT).chain(&drafts) {
        // Another run may have dropped it first.
        let _ = fs::remove_file(path);
    }
}
