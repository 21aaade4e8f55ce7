//! The gate must fail on what misses a target, and say which and by how much.

use super::super::calls;
use super::super::clock::Unit;
use super::super::configurations::{ALL, NOTHING};
use super::super::report::{AgentCost, Configured, Figure, Report, SCHEMA};
use super::*;

/// Every call costs 1000, every hook 200 more, and the agent no more than that.
fn made_up() -> Report {
    Report {
        schema: SCHEMA,
        kernel: "made up".into(),
        unit: Unit::Instructions,
        rounds: 1,
        configurations: ALL.iter().map(|one| configured(one.name)).collect(),
        skipped: Vec::new(),
        agent: Some(AgentCost {
            in_force: 0.4,
            resident: 9000,
            peak: 30_000,
            idle: 0,
            idle_seconds: 10,
        }),
    }
}

fn configured(name: &str) -> Configured {
    let all = [calls::ORDINARY, calls::REFUSED, calls::UNTOLD];
    let figure = |call: &str| {
        let free = name == NOTHING || HOOKLESS.contains(&call) || [FORK, EXEC].contains(&call);
        let hooks = if call == ROUTES_30 { 400.0 } else { 200.0 };
        let refused = [DEBUG, PROMISC, DEBUG_UNTOLD, PROMISC_UNTOLD].contains(&call);
        Figure {
            call: call.to_owned(),
            cost: if free { 1000.0 } else { 1000.0 + hooks },
            spread: 0.0,
            outcome: if refused {
                Outcome::Errno(1)
            } else {
                Outcome::Done
            },
        }
    };
    Configured {
        name: name.to_owned(),
        what: String::new(),
        figures: all
            .into_iter()
            .flatten()
            .map(|call| figure(call.name))
            .collect(),
    }
}

/// The report with one figure changed.
fn with(configuration: &str, call: &str, change: impl Fn(&mut Figure)) -> Report {
    let mut report = made_up();
    let configurations = report.configurations.iter_mut();
    let found = configurations.filter(|one| one.name == configuration);
    let figures = found.flat_map(|one| &mut one.figures);
    figures
        .filter(|figure| figure.call == call)
        .for_each(change);
    report
}

fn misses(report: &Report) -> Vec<String> {
    let judged = judge(report);
    let missed = judged.iter().filter(|judged| !judged.holds());
    missed.map(ToString::to_string).collect()
}

#[test]
fn what_keeps_to_every_target_passes() {
    assert_eq!(misses(&made_up()), [""; 0]);
}

#[test]
fn one_instruction_on_a_call_without_a_hook_is_too_much() {
    let report = with(EXAMPLE, GETPPID, |figure| figure.cost += 1.0);
    let said = "guarded: getppid: 1.00 instructions, at most 0.00: 1.00 too much";
    assert_eq!(misses(&report), [said]);
}

#[test]
fn a_dearer_hook_fails_and_the_message_says_by_how_much() {
    let report = with(UNGUARDED, FIONREAD, |figure| figure.cost = 1260.0);
    let said = misses(&report);
    let said = said.first().map(String::as_str).unwrap_or_default();
    let found = "unguarded: ioctl FIONREAD: 1.30 times the floor, at most ";
    assert!(
        said.starts_with(found) && said.ends_with("too much"),
        "{said}"
    );
}

#[test]
fn a_refusal_is_no_cheap_success() {
    let report = with(EXAMPLE, NEW_LINK, |figure| {
        figure.outcome = Outcome::Errno(1);
    });
    assert_eq!(
        misses(&report),
        ["guarded: RTM_NEWLINK, no change: not measured"]
    );
}

#[test]
fn growth_with_the_number_of_cgroups_fails() {
    let report = with(CROWD, MARK_7, |figure| figure.cost = 1260.0);
    let said = misses(&report).concat();
    let found = "from guarded to guarded-20000, the call that grows most: 5.00 % of the call";
    assert!(
        said.starts_with(found) && said.ends_with("too much"),
        "{said}"
    );
}

#[test]
fn an_event_of_400_instructions_fails() {
    let report = with(EXAMPLE, DEBUG, |figure| figure.cost = 1600.0);
    let said = misses(&report).concat();
    let found = "guarded: the event of a refused setsockopt SO_DEBUG=1: 400.00 instructions";
    assert!(
        said.starts_with(found) && said.ends_with("too much"),
        "{said}"
    );
}

#[test]
fn an_agent_that_works_when_nothing_happens_fails() {
    let mut report = made_up();
    report
        .agent
        .iter_mut()
        .for_each(|agent| agent.idle = 1_000_000);
    assert_eq!(misses(&report).len(), 1);
}

#[test]
fn what_was_not_measured_has_not_passed() {
    let mut report = made_up();
    report.configurations.retain(|one| one.name != EXAMPLE);
    assert!(misses(&report).len() > 10);
    report.agent = None;
    assert!(misses(&report).contains(&"agent: peak memory: not measured".to_owned()));
}

#[test]
fn the_gate_leaves_out_only_what_takes_long() {
    let mut report = made_up();
    report.configurations.retain(|one| one.name != CROWD);
    assert_eq!(misses(&report), [""; 0]);
    report.configurations.retain(|one| one.name != DEEP);
    assert!(!misses(&report).is_empty());
}
