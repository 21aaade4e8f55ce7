//! `cargo xtask soak`: what takes too long for `cargo xtask test`. The races and
//! the requests made up at random, many times as many, and from a new seed; 200
//! restarts, upgrades and reloads under attack; 20 000 guarded cgroups; and all at
//! once, for as long as one likes.

mod host;

use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::build::Programs;
use crate::initramfs::Job;
use crate::kernels::{self, Kernel};
use crate::paths::Cache;
use crate::vm::{Guest, Processors};
use crate::{build, progress, setup, terminal};

const RUNNER: &str = "/bin/netadmin-vmtest";

/// The tests that can be repeated, or be given more.
const TESTS: [&str; 6] = [
    "races::",
    "fuzz::",
    "promise3::random_",
    "promise5::an_attacker_wins_nothing_through_restarts",
    "promise6::five_hundred_policies",
    STORM,
];

/// All at once; the only one that `--minutes` leaves.
const STORM: &str = "endurance::";
/// How long, if nobody says otherwise.
const STORM_MINUTES: u64 = 30;

const TAKEOVERS: u64 = 200;
const CGROUPS: u64 = 20_000;

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
    /// The seed of the requests and of the fuzzers; from the clock otherwise, and printed
    #[arg(long)]
    seed: Option<u64>,
    /// How long to fuzz the walk and the decision on this machine, each
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    fuzz: u64,
    /// Only cgroup churn, reloads, restarts, a flood and attacks together, for so many
    /// minutes on each kernel
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
    /// Leave the virtual machines out
    #[arg(long, conflicts_with_all = ["kernel", "minutes"])]
    no_vm: bool,
    #[command(flatten)]
    setup: setup::Options,
}

/// Runs them all.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    let seed = options.seed.unwrap_or_else(seed_from_clock);
    progress::note(&format!("seed {seed}"));
    let mut failed = match options.minutes {
        None => host::run(options.fuzz, seed)?,
        Some(_) => 0,
    };
    if !options.no_vm {
        failed += on_kernels(options, seed)?;
    }
    progress::idle();
    println!("{failed} failed");
    Ok(u8::from(failed > 0))
}

/// The number of runs that failed.
fn on_kernels(options: &Options, seed: u64) -> Result<u8> {
    let programs = build::all()?;
    let cache = Cache::locate()?;
    let kernels = if options.kernel.is_empty() {
        kernels::matrix(&cache)?
    } else {
        let named = |name: &String| kernels::named(&cache, name, None);
        options.kernel.iter().map(named).collect::<Result<_>>()?
    };
    let environment = environment(options, seed);
    let tests = match options.minutes {
        None => &TESTS[..],
        Some(_) => &[STORM],
    };
    let mut failed = 0;
    for kernel in &kernels {
        for test in tests {
            progress::step(format!("running {test} on {kernel}"));
            failed += u8::from(!passes(&cache, kernel, &programs, test, &environment)?);
        }
    }
    Ok(failed)
}

fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |time| time.as_secs())
}

fn environment(options: &Options, seed: u64) -> Vec<(String, String)> {
    let variables = [
        ("NETADMIN_TEST_RACE_MULTIPLIER", options.rounds),
        ("NETADMIN_TEST_FUZZ_CASES", options.rounds * CASES),
        ("NETADMIN_TEST_TAKEOVERS", TAKEOVERS),
        ("NETADMIN_TEST_CGROUPS", CGROUPS),
        (
            "NETADMIN_TEST_MINUTES",
            options.minutes.unwrap_or(STORM_MINUTES),
        ),
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
        processors: Processors::InTurn,
        timeout: Some(TIMEOUT),
    };
    let outcome = guest.boot(&mut progress::print_bytes)?;
    outcome.report();
    Ok(outcome.exit_status() == 0)
}
