//! What the agent costs.
//!
//! A *call* is made again and again in one *configuration*, such as under a
//! seccomp profile, or guarded. Its *cost* is all of it, in user mode and in the
//! kernel; what a configuration *adds* is the difference to the configuration
//! "nothing" of the same run. The *floor* is what empty programs on the same
//! hooks add. `cargo xtask bench` runs it.

mod agent;
mod calls;
mod clock;
mod configurations;
mod crowd;
mod floor;
mod plot;
mod policies;
mod report;
mod sample;
mod seccomp;
mod table;
mod targets;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use clock::Unit;
use configurations::{ALL, Configuration};
use report::{Report, SCHEMA, Skipped};
use sample::Effort;

use crate::rig::Container;

/// What a run of the bench was asked for.
#[derive(Debug, clap::Parser)]
#[command(name = "netadmin-bench")]
pub struct Options {
    /// Measure time, not instructions
    #[arg(long)]
    time: bool,
    /// Only what the gate needs
    #[arg(long)]
    quick: bool,
    /// Measure nothing: make an SVG picture of a report
    #[arg(long, value_name = "REPORT")]
    plot: Option<PathBuf>,
    /// Fail if a target is missed
    #[arg(long, conflicts_with = "time")]
    gate: bool,
    /// Only the configurations with these names, and "nothing"
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// The object with the empty programs
    #[arg(long, value_name = "FILE", default_value = floor::OBJECT)]
    floor: PathBuf,
}

/// How a run measures.
struct Bench {
    unit: Unit,
    effort: Effort,
    floor: PathBuf,
    /// Whose network namespace all share: the kernel salts its hashes of names
    /// in each, so that two differ in collisions.
    network: Container,
    /// The programs that the floor stands for.
    floor_programs: RefCell<BTreeSet<String>>,
}

impl Options {
    fn wants(&self, configuration: &Configuration) -> bool {
        let named = |name: &String| name == configuration.name;
        let always = configuration.name == configurations::NOTHING;
        if self.only.is_empty() {
            !(self.quick && configuration.is_long)
        } else {
            always || self.only.iter().any(named)
        }
    }
}

/// Measures, and prints the report: for a reader, and as one line of JSON. With
/// `--gate` the result says whether every target is kept.
pub fn run(options: &Options) -> Result<bool> {
    if let Some(path) = &options.plot {
        print!("{}", plot::svg(&read(path)?));
        return Ok(true);
    }
    let unit = if options.time {
        Unit::Nanoseconds
    } else {
        Unit::Instructions
    };
    unit.check()?;
    let effort = if options.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let bench = Bench {
        unit,
        effort,
        floor: options.floor.clone(),
        network: network()?,
        floor_programs: RefCell::default(),
    };
    let report = measure(&bench, options)?;
    print!("{}", table::write(&report));
    println!("{}", serde_json::to_string(&report)?);
    if unit == Unit::Nanoseconds || !options.only.is_empty() {
        return Ok(true);
    }
    let (text, kept) = table::verdict(&report);
    print!("{text}");
    Ok(kept || !options.gate)
}

fn read(path: &Path) -> Result<Report> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))
}

fn measure(bench: &Bench, options: &Options) -> Result<Report> {
    let mut report = Report {
        schema: SCHEMA,
        kernel: kernel()?,
        unit: bench.unit,
        rounds: bench.effort.rounds,
        configurations: Vec::new(),
        skipped: Vec::new(),
        agent: None,
    };
    match agent::measure() {
        Ok(cost) => report.agent = Some(cost),
        Err(error) => report.skipped.push(skipped("agent", &error)),
    }
    // Once for nothing: what the kernel allocates with the first use of a thing.
    configurations::warm_up(bench)?;
    for configuration in ALL.iter().filter(|one| options.wants(one)) {
        eprintln!("bench: {}: {}", configuration.name, configuration.what);
        match configuration.run(bench) {
            Ok(figures) => report.configurations.push(figures),
            Err(error) => report.skipped.push(skipped(configuration.name, &error)),
        }
    }
    Ok(report)
}

fn network() -> Result<Container> {
    let container = Container::unguarded()?;
    if let Err(error) = container.set_up(calls::set_up) {
        eprintln!("bench: what is about devices and routes is not measured: {error:#}");
    }
    Ok(container)
}

fn skipped(name: &str, error: &anyhow::Error) -> Skipped {
    eprintln!("bench: {name}: {error:#}");
    Skipped {
        name: name.to_owned(),
        why: format!("{error:#}"),
    }
}

fn kernel() -> Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(text.trim().to_owned())
}
