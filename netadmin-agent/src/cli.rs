//! The command line.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::exit::{self, Exit};
use crate::kernel::Limits;
use crate::policy::fault::MAX_POLICIES;
use crate::{check, doctor, exec, explain, operations, run, status};

/// Refuses promiscuous mode and socket options to guarded cgroups, with BPF LSM.
///
/// Without a command, enforces the policy of a file and reports each refusal as
/// one line of JSON, until it is told to stop. Enforcement goes on after that.
#[derive(Debug, Parser)]
#[command(name = "netadmin-agent", version, after_help = exit::HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<RunOptions>,
}

/// How to run.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// The policy file, or a directory whose `*.toml` are read in the order of their
    /// names.
    #[arg(long, value_name = "FILE", required = true)]
    pub policy: PathBuf,
    /// Where events go: a file, appended to, or `-` for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub events: EventsTo,
    /// Serve metrics for Prometheus at this address and port, over HTTP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Write the debug lines of the BPF programs to standard error.
    #[arg(long)]
    pub log_programs: bool,
    /// Enforce only as long as this process runs, and pin nothing.
    #[arg(long)]
    pub ephemeral: bool,
    /// Most cgroups that can be guarded at a time.
    #[arg(long, value_name = "N", default_value_t = Limits::default().cgroups,
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub max_cgroups: u32,
    /// Most policies that can be in force at a time; 512 is the most that a policy may
    /// have.
    #[arg(long, value_name = "N", default_value_t = Limits::default().policies,
          value_parser = clap::value_parser!(u32).range(1..=MAX_POLICIES as i64))]
    pub max_policies: u32,
}

impl RunOptions {
    /// How much fits.
    pub fn limits(&self) -> Limits {
        Limits {
            cgroups: self.max_cgroups,
            policies: self.max_policies,
        }
    }
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventsTo {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

impl FromStr for EventsTo {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::Stdout,
            path => Self::File(path.into()),
        })
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a policy file, and say what it comes to.
    #[command(after_help = exit::HELP)]
    Check(CheckOptions),
    /// Say what a policy answers to operations, by which rule, and what would
    /// change it. Exits with 1 if one of them is refused.
    #[command(after_help = exit::HELP)]
    Explain(ExplainOptions),
    /// List the operations that policies and events name.
    #[command(after_help = exit::HELP)]
    Operations,
    /// Say what this machine can enforce, and how to mend what is missing.
    #[command(after_help = exit::HELP)]
    Doctor,
    /// Print one line of JSON for each rise of any device's promiscuity.
    #[command(after_help = exit::HELP)]
    Witness,
    /// Say what is in force, on which cgroups and why. Exits with 1 if nothing is.
    #[command(after_help = exit::HELP)]
    Status(StatusOptions),
    /// Run a command in a new cgroup under a policy in force, and end as it does.
    /// What still runs there when it ends is killed.
    #[command(after_help = exit::HELP_OF_EXEC)]
    Exec(ExecOptions),
    /// End the enforcement that agents have left in force.
    #[command(after_help = exit::HELP)]
    Unload,
}

/// What to check, and how.
#[derive(Args, Clone, Debug)]
pub struct CheckOptions {
    /// The policy file, or a directory of them.
    #[arg(value_name = "FILE")]
    pub policy: PathBuf,
    /// Take warnings for faults.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// How to say what is in force.
#[derive(Args, Clone, Debug)]
pub struct StatusOptions {
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
    /// Only whether an agent runs and what it has brought into force is in force: the
    /// exit code is 0 if so, and 1 if not. For probes.
    #[arg(long, conflicts_with = "json")]
    pub ready: bool,
}

/// What to run, and under what.
#[derive(Args, Clone, Debug)]
pub struct ExecOptions {
    /// The name of a policy in force.
    #[arg(long, value_name = "NAME")]
    pub policy: String,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// What to explain.
#[derive(Args, Clone, Debug)]
pub struct ExplainOptions {
    /// The policy file, or a directory of them.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// The cgroup that asks, as a path in the cgroup2 tree.
    #[arg(long, value_name = "PATH")]
    pub cgroup: String,
    /// The interface that the operations are on: what is granted on some
    /// interfaces alone is told for this one.
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// The interface's link kind, such as `veth`.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Operations, such as `link.up` or `addr.*`.
    #[arg(value_name = "OPERATION", required = true)]
    pub operations: Vec<String>,
}

impl Cli {
    /// Does what the command line asks for.
    pub fn execute(&self) -> anyhow::Result<Exit> {
        match (&self.command, &self.run) {
            (Some(Command::Check(options)), _) => check::check(options),
            (Some(Command::Explain(options)), _) => explain::explain(options),
            (Some(Command::Operations), _) => operations::operations(),
            (Some(Command::Doctor), _) => doctor::doctor(),
            (Some(Command::Witness), _) => run::witness(),
            (Some(Command::Status(options)), _) => status::status(options),
            (Some(Command::Exec(options)), _) => exec::exec(options),
            (Some(Command::Unload), _) => run::unload(),
            (None, Some(options)) => run::run(options),
            // The parser has asked for --policy before.
            (None, None) => Ok(Exit::Usage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn refusal(arguments: &[&str]) -> ErrorKind {
        Cli::try_parse_from(arguments)
            .expect_err("a usage error")
            .kind()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn running_needs_a_policy_and_nothing_else() {
        let cli = Cli::try_parse_from(["netadmin-agent", "--policy", "p.toml"]);
        let run = cli.expect("valid").run.expect("to run");
        assert_eq!(run.policy, PathBuf::from("p.toml"));
        assert_eq!(run.events, EventsTo::Stdout);
        assert!(!run.log_programs);
        assert_eq!(
            refusal(&["netadmin-agent"]),
            ErrorKind::MissingRequiredArgument
        );
    }

    #[test]
    fn commands_take_no_options_of_running() {
        assert!(Cli::try_parse_from(["netadmin-agent", "doctor"]).is_ok());
        assert!(Cli::try_parse_from(["netadmin-agent", "witness"]).is_ok());
        assert_eq!(
            refusal(&["netadmin-agent", "--policy", "p.toml", "doctor"]),
            ErrorKind::ArgumentConflict
        );
    }

    #[test]
    fn a_dash_means_standard_output_for_events() {
        assert_eq!("-".parse(), Ok(EventsTo::Stdout));
        assert_eq!("./-".parse(), Ok(EventsTo::File("./-".into())));
    }
}
