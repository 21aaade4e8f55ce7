//! `cargo xtask soak`: what takes too long for `cargo xtask test`. The races and
//! the requests made up at random, many times as many, and from a new seed.

use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::build::Programs;
use crate::initramfs::Job;
use crate::kernels::{self, Kernel};
use crate::paths::Cache;
use crate::vm::Guest;
use crate::{build, progress, setup, terminal};

const RUNNER: &str = "/bin/netadmin-vmtest";

/// The tests that can be repeated.
const TESTS: [&str; 2] = ["races::", "fuzz::"];

/// As many requests as this are made up in one round.
const CASES: u64 = 1_000;

const TIMEOUT: Duration = Duration::from_secs(12 * 60 * 60);

/// What `cargo xtask soak` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Kernels (may be given more than once); all of the matrix otherwise
    #[arg(long, value_name = "KERNEL")]
    kernel: Vec<String>,
    /// How many times 100 000 tries of each race, and 1000 requests made up
    #[arg(long, default_value_t = 30)]
    rounds: u64,
    /// The seed of the requests; from the clock otherwise, and printed
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    setup: setup::Options,
}

/// Runs them on each kernel.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    let programs = build::all()?;
    let cache = Cache::locate()?;
    let kernels = if options.kernel.is_empty() {
        kernels::matrix(&cache)?
    } else {
        let named = |name: &String| kernels::named(&cache, name, None);
        options.kernel.iter().map(named).collect::<Result<_>>()?
    };
    let environment = environment(options);
    let mut failed = 0;
    for kernel in &kernels {
        for test in TESTS {
            progress::step(format!("running {test} on {kernel}"));
            failed += u8::from(!passes(&cache, kernel, &programs, test, &environment)?);
        }
    }
    progress::idle();
    println!("{failed} failed of {}", kernels.len() * TESTS.len());
    Ok(u8::from(failed > 0))
}

fn environment(options: &Options) -> Vec<(String, String)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let from_clock = now.map_or(1, |time| time.as_secs());
    let seed = options.seed.unwrap_or(from_clock);
    let variables = [
        ("NETADMIN_TEST_RACE_MULTIPLIER", options.rounds),
        ("NETADMIN_TEST_FUZZ_CASES", options.rounds * CASES),
        ("NETADMIN_TEST_FUZZ_SEED", seed),
    ];
    let own = variables.map(|(name, value)| (name.to_owned(), value.to_string()));
    terminal::guest_environment()
        .into_iter()
        .chain(own)
        .collect()
}

fn passes(
    cache: &Cache,
    kernel: &Kernel,
    programs: &Programs,
    test: &str,
    environment: &[(String, String)],
) -> Result<bool> {
    let guest = Guest {
        cache,
        kernel,
        node: None,
        programs,
        job: Job {
            command: vec![RUNNER.to_owned(), test.to_owned()],
            environment: environment.to_vec(),
            interactive: false,
        },
        append: "",
        parallel: false,
        timeout: Some(TIMEOUT),
    };
    let outcome = guest.boot(&mut progress::print_bytes)?;
    outcome.report();
    Ok(outcome.exit_status() == 0)
}
