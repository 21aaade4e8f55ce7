//! A report as a person reads it on a terminal.

use std::fmt::Write as _;

use super::clock::Unit;
use super::configurations::{FLOOR, NOTHING};
use super::report::{Configured, Figure, Outcome, Report};
use super::targets::{Judged, judge};

/// How many configurations stand side by side.
const COLUMNS: usize = 5;
const CALL_WIDTH: usize = 42;
const WIDTH: usize = 18;
/// Less than this of a floor is noise of a call without a hook.
const LEAST_FLOOR: f64 = 100.0;

/// Everything: the figures, what they are, and the targets.
pub fn write(report: &Report) -> String {
    let unit = match report.unit {
        Unit::Instructions => "instructions",
        Unit::Nanoseconds => "nanoseconds",
    };
    let mut text = format!(
        "kernel {}, {unit} a call, {} rounds, furthest apart {:.2} %\n",
        report.kernel,
        report.rounds,
        100.0 * widest_spread(report),
    );
    text += "\"nothing\" is the whole call; the others say what they add to it,\n\
             and how many floors that is. ! marks a refusal.\n";
    for group in report.configurations.chunks(COLUMNS) {
        text += "\n";
        text += &group_table(report, group);
    }
    text += "\n";
    for configuration in &report.configurations {
        let _ = writeln!(text, "{:<18} {}", configuration.name, configuration.what);
    }
    for skipped in &report.skipped {
        let _ = writeln!(text, "{:<18} not measured: {}", skipped.name, skipped.why);
    }
    text + &agent_lines(report)
}

fn widest_spread(report: &Report) -> f64 {
    let figures = report.configurations.iter().flat_map(|one| &one.figures);
    figures.map(|figure| figure.spread).fold(0.0, f64::max)
}

fn group_table(report: &Report, group: &[Configured]) -> String {
    let mut text = format!("{:CALL_WIDTH$}", "");
    for configuration in group {
        let _ = write!(text, "{:>WIDTH$}", configuration.name);
    }
    text.push('\n');
    for call in calls_of(group) {
        let _ = write!(text, "{call:CALL_WIDTH$}");
        for configuration in group {
            let cell = configuration.figure(call);
            let cell = cell.map(|figure| cell_of(report, configuration, figure));
            let _ = write!(text, "{:>WIDTH$}", cell.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

/// The calls of the configuration that has most.
fn calls_of(group: &[Configured]) -> Vec<&str> {
    let longest = group.iter().max_by_key(|one| one.figures.len());
    let figures = longest
        .map(|one| one.figures.as_slice())
        .unwrap_or_default();
    figures.iter().map(|figure| figure.call.as_str()).collect()
}

fn cell_of(report: &Report, configuration: &Configured, figure: &Figure) -> String {
    let mark = if figure.outcome == Outcome::Done {
        ""
    } else {
        "!"
    };
    let added = report.added(&configuration.name, &figure.call);
    let Some(added) = added.filter(|_| configuration.name != NOTHING) else {
        return format!("{:.0}{mark}", figure.cost);
    };
    match report.added(FLOOR, &figure.call) {
        Some(floor) if floor > LEAST_FLOOR => {
            format!("{added:+.0}{mark} ({:.2})", added / floor)
        }
        _ => format!("{added:+.0}{mark}"),
    }
}

fn agent_lines(report: &Report) -> String {
    let Some(agent) = &report.agent else {
        return String::new();
    };
    format!(
        "\nagent: in force after {:.3} s, {} KiB resident, {} KiB at most, \
         {} ns on the processor in {} s without an event\n",
        agent.in_force, agent.resident, agent.peak, agent.idle, agent.idle_seconds,
    )
}

/// The targets: those not kept, those not met yet, and how many are.
pub fn verdict(report: &Report) -> (String, bool) {
    let judged = judge(report);
    let lines = |which: fn(&&Judged) -> bool, word: &str| -> String {
        let found = judged.iter().filter(which);
        found.map(|judged| format!("{word}: {judged}\n")).collect()
    };
    let missed = lines(|judged| !judged.holds(), "MISSED");
    let open = lines(|judged| judged.holds() && !judged.is_met(), "not met yet");
    let met = judged.iter().filter(|judged| judged.is_met()).count();
    let text = format!("{open}{missed}{met} of {} targets are met\n", judged.len());
    (text, missed.is_empty())
}
