//! Tries the ways round a guard on promiscuous mode and socket options, and
//! tells which are open here.

use std::io::{self, Write as _, stdout};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use netadmin_bypass::race::{self, Limits, Target, Technique};
use netadmin_bypass::report::{Finding, Report};
use netadmin_bypass::{Ground, fuzz, ways};

/// Tries the ways round a guard on promiscuous mode and socket options, on
/// devices that it makes itself, and tells which are open here.
#[derive(Debug, Parser)]
#[command(name = "netadmin-bypass", version, after_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the ways, and try nothing
    #[arg(long, conflicts_with = "json")]
    list: bool,
    /// Only ways whose path contains this
    filter: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Rewrite what a call points to while it is under way
    Race(Race),
    /// Make requests up at random, and print what each has done, one JSON object a line
    Fuzz(Fuzz),
}

#[derive(Debug, clap::Args)]
struct Race {
    /// How many calls; by flip more, until there was a rewrite for ten of them
    #[arg(long, default_value_t = 100_000)]
    tries: u64,
    /// End with the first win
    #[arg(long)]
    until_won: bool,
    /// How the word is rewritten in time: by a thread on each processor, or while
    /// the kernel's copy is held up at a missing page (userfaultfd)
    #[arg(long, value_enum, default_value_t = By::Flip)]
    technique: By,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// SIOCSIFFLAGS, PACKET_ADD_MEMBERSHIP, SO_PRIORITY or SO_MARK
    #[arg(value_parser = target)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Flip,
    Stall,
}

#[derive(Debug, clap::Args)]
struct Fuzz {
    /// The same seed makes the same requests
    #[arg(long)]
    seed: u64,
    /// The number of the first request
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many requests
    #[arg(long, default_value_t = 1_000)]
    count: u64,
}

const EXIT_CODES: &str = "\
It needs CAP_NET_ADMIN and CAP_NET_RAW, and stands for a container that has them.

Exit codes:
  0  no way is open; no race was won; nothing made up raised anything
  1  some way is open; a race was won; a device's promiscuity rose
  2  wrong usage
  3  nothing could be tried
  4  of some way it could not be seen what came of it, or the program failed";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        None => try_ways(&arguments),
        Some(Command::Race(race)) => try_race(race),
        Some(Command::Fuzz(fuzz)) => try_fuzz(fuzz),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

fn try_ways(arguments: &Arguments) -> io::Result<u8> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let chosen = ways::all().filter(|way| way.path.name.contains(filter));
    if arguments.list {
        for way in chosen {
            let (abi, arrival) = (way.route.abi.name(), way.route.arrival.name());
            let subject = way.subject.name();
            writeln!(stdout(), "{}: {abi}, {arrival}, {subject}", way.path.name)?;
        }
        return Ok(0);
    }
    let ground = Ground::prepare()?;
    let report = Report::new(ground, chosen.map(|way| Finding::of(&way)).collect());
    if arguments.json {
        report.write_json(&mut stdout().lock())?;
    } else {
        report.write_table(&mut stdout().lock())?;
    }
    Ok(report.exit_status())
}

fn try_race(race: &Race) -> io::Result<u8> {
    Ground::prepare()?;
    let technique = match race.technique {
        By::Flip => Technique::Flip,
        By::Stall => Technique::Stall,
    };
    let limits = Limits {
        tries: race.tries,
        until_won: race.until_won,
    };
    let score = race::run(race.target, technique, limits)?;
    if race.json {
        serde_json::to_writer_pretty(stdout().lock(), &score)?;
        writeln!(stdout())?;
    } else {
        writeln!(
            stdout(),
            "{}, {}: {} threads, {} tries and {} rewrites in {} ms: {} refused, {} passed, {} WON",
            score.target,
            score.technique,
            score.threads,
            score.tries,
            score.rewrites,
            score.milliseconds,
            score.refused,
            score.passed,
            score.won
        )?;
    }
    Ok(u8::from(score.won > 0))
}

fn try_fuzz(fuzz: &Fuzz) -> io::Result<u8> {
    Ground::prepare()?;
    let mut output = stdout().lock();
    let rises = fuzz::run(fuzz.seed, fuzz.first, fuzz.count, &mut output)?;
    Ok(u8::from(rises > 0))
}

fn target(name: &str) -> Result<Target, String> {
    let found = Target::ALL.into_iter().find(|target| target.name() == name);
    found.ok_or_else(|| format!("there is no race on {name}"))
}
