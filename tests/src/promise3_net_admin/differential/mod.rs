//! Operations and policies made up at random: what the host's core decides of
//! each is what the kernel does. Refused where the core says so, with the errno
//! of a missing capability; and else the same errno, and the same state
//! afterwards, as unguarded.

pub mod families;
mod make_up;
mod messages;
mod policies;
mod request;
mod verdict;
mod workers;
mod world;

use anyhow::{Context as _, Result, ensure};

use crate::fuzz::{CASES_VARIABLE, SEED_VARIABLE, number};
use crate::rig::{Stage, Trials};
use families::Families;
use make_up::make_up;
use policies::{POLICIES, POLICY, Policy};
use request::Request;
use verdict::{Expected, expect};
use workers::Workers;

/// The seed of `cargo xtask test`; `cargo xtask soak` sets others.
const SEED: u64 = 20_261_124;
const CASES: u64 = 600;
/// So many under one policy, in a world of their own.
const BATCH: u64 = 100;

pub fn add(trials: &mut Trials) {
    trials.guarded(
        &POLICY,
        "random_operations_are_refused_just_where_the_core_says_so",
        compare,
    );
}

/// The seed of this run.
fn seed() -> u64 {
    number(SEED_VARIABLE, SEED)
}

/// How often what came of it.
#[derive(Debug, Default)]
struct Tally {
    /// Refused by the policy, and not without it.
    refused: u32,
    /// Let pass by the policy, and done.
    done: u32,
    /// Failed for reasons of its own.
    failed: u32,
    /// Of those that were refused: how many the kernel was asked about.
    asked: u32,
    /// Not compared.
    left_out: u32,
}

fn compare(_stage: &Stage<'_>) -> Result<()> {
    let (seed, cases) = (seed(), number(CASES_VARIABLE, CASES));
    println!("note: seed {seed}, {cases} cases");
    let families = Families::read()?;
    let policies = policies::explained()?;
    let mut tally = Tally::default();
    for first in (0..cases).step_by(usize::try_from(BATCH)?) {
        let policy = &policies[usize::try_from(first / BATCH)? % POLICIES];
        batch(policy, &families, seed, first, &mut tally)
            .with_context(|| format!("seed {seed}, policy {}", policy.name))?;
    }
    println!("note: {tally:?}");
    let shows =
        tally.refused * 8 > u32::try_from(cases)? && tally.done * 20 > u32::try_from(cases)?;
    ensure!(shows, "too little was refused, or done: {tally:?}");
    Ok(())
}

fn batch(
    policy: &Policy,
    families: &Families,
    seed: u64,
    first: u64,
    tally: &mut Tally,
) -> Result<()> {
    let mut workers = Workers::start(policy, families, seed)?;
    for case in first..first + BATCH {
        let request = make_up(seed, case, families);
        judge(policy, families, &mut workers, case, &request, tally)
            .with_context(|| format!("case {case}: {request:?}"))?;
    }
    workers.are_alike()
}

fn judge(
    policy: &Policy,
    families: &Families,
    workers: &mut Workers,
    case: u64,
    request: &Request,
    tally: &mut Tally,
) -> Result<()> {
    let expected = expect(&policy.record, families, request, |sought| {
        workers.look(sought)
    })?;
    match expected {
        Expected::LeftOut => tally.left_out += 1,
        Expected::Refused(kind) => {
            let guarded = workers.guarded(case)?;
            ensure!(
                guarded == libc::EPERM,
                "the core refuses {}, and the kernel answers {guarded}",
                kind.name()
            );
            tally.refused += 1;
        }
        Expected::AsWithout(kind) => {
            let without = workers.without(case)?;
            let guarded = workers.guarded(case)?;
            ensure!(
                guarded == without,
                "the core refuses {}: {without} without the capability, {guarded} guarded",
                kind.name()
            );
            let is_refusal = [libc::EPERM, libc::EACCES].contains(&without);
            tally.asked += u32::from(is_refusal);
            tally.refused += u32::from(is_refusal);
            if without == 0 {
                let unguarded = workers.unguarded(case)?;
                ensure!(unguarded == 0, "0 guarded, {unguarded} unguarded");
            }
        }
        Expected::AsUnguarded => {
            let guarded = workers.guarded(case)?;
            let unguarded = workers.unguarded(case)?;
            ensure!(
                guarded == unguarded,
                "the core allows it: {unguarded} unguarded, {guarded} guarded"
            );
            tally.done += u32::from(unguarded == 0);
            tally.failed += u32::from(unguarded != 0);
        }
    }
    Ok(())
}
