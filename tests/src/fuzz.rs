//! Requests made up at random, carried out twice: guarded and unguarded. Guarded
//! nothing rises; and what our own walk calls harmless does the same in both.

use std::env;

use anyhow::{Context as _, Result, bail, ensure};
use libtest_mimic::Trial;
use netadmin_bypass::fuzz::{Case, Class};
use netadmin_common::netlink::{LinkRequest, NETLINK_ROUTE, Step, Walk};

use crate::attack::process::shell;
use crate::attack::{IFF_PROMISC, IFF_UP};
use crate::rig::{Container, Stage, Trials, USUAL_POLICY};

/// The seed of `cargo xtask test`; `cargo xtask soak` sets others.
const SEED: u64 = 20_261_124;
const CASES: u64 = 300;
/// So many at a time, each in a process of its own.
const BATCH: u64 = 300;
/// Sets the seed.
pub const SEED_VARIABLE: &str = "NETADMIN_TEST_FUZZ_SEED";
/// Sets how many requests are made up.
pub const CASES_VARIABLE: &str = "NETADMIN_TEST_FUZZ_CASES";

/// The fuzzing tests.
pub fn trials() -> Vec<Trial> {
    let mut trials = Trials::new("fuzz");
    trials.guarded(
        USUAL_POLICY,
        "nothing_made_up_raises_anything_and_what_is_harmless_does_the_same",
        compare,
    );
    trials.finish()
}

/// A number from the environment.
pub fn number(variable: &str, usual: u64) -> u64 {
    let set = env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn compare(stage: &Stage<'_>) -> Result<()> {
    let (seed, cases) = (number(SEED_VARIABLE, SEED), number(CASES_VARIABLE, CASES));
    println!("note: seed {seed}, {cases} cases");
    let (mut rises, mut refused) = (0, 0);
    for first in (0..cases).step_by(usize::try_from(BATCH)?) {
        let unguarded = run(&stage.unguarded()?, seed, first)?;
        let guarded = run(&stage.guarded()?, seed, first)?;
        ensure!(
            guarded.len() == unguarded.len(),
            "the runs differ in length"
        );
        for (guarded, unguarded) in guarded.iter().zip(&unguarded) {
            judge(guarded, unguarded).with_context(|| {
                format!("seed {seed}: guarded {guarded:#?}, unguarded {unguarded:#?}")
            })?;
            rises += u32::from(unguarded.rose);
            refused += u32::from(guarded.errno == libc::EPERM && unguarded.errno != libc::EPERM);
        }
    }
    println!("note: {rises} rises unguarded, {refused} refusals guarded");
    ensure!(
        rises > 0,
        "no case raised anything unguarded: this shows nothing"
    );
    Ok(())
}

fn run(container: &Container, seed: u64, first: u64) -> Result<Vec<Case>> {
    let line = format!("netadmin-bypass fuzz --seed {seed} --first {first} --count {BATCH}");
    let ran = container.run(|| shell(&line))?;
    let cases: Result<Vec<_>, _> = ran.stdout.lines().map(serde_json::from_str).collect();
    let cases = cases.with_context(|| format!("{ran:#?}"))?;
    ensure!(
        cases.len() as u64 == BATCH,
        "{} cases; {}",
        cases.len(),
        ran.stderr
    );
    Ok(cases)
}

fn judge(guarded: &Case, unguarded: &Case) -> Result<()> {
    ensure!(!guarded.rose, "guarded, and a device's promiscuity rose");
    let same = guarded.errno == unguarded.errno && guarded.devices == unguarded.devices;
    if same {
        return Ok(());
    }
    if is_harmless(guarded)? {
        bail!("harmless, and not the same guarded and unguarded");
    }
    let refused = [libc::EPERM, libc::EACCES].contains(&guarded.errno);
    ensure!(
        refused && guarded.devices.is_empty(),
        "neither refused nor the same"
    );
    Ok(())
}

/// What our own walk finds nothing in, whatever the devices' state.
fn is_harmless(case: &Case) -> Result<bool> {
    match case.class {
        Class::Harmless => Ok(true),
        Class::Dangerous => Ok(false),
        Class::Netlink => {
            let bytes = bytes_of(&case.bytes)?;
            let links = links(&bytes)?;
            Ok(links.iter().all(changes_nothing_that_matters))
        }
    }
}

fn changes_nothing_that_matters(link: &LinkRequest) -> bool {
    let nothing = LinkRequest::default();
    link.flags & (IFF_PROMISC | IFF_UP) == 0
        && (link.has_master, link.has_address) == (nothing.has_master, nothing.has_address)
        && (link.kind, link.has_data) == (nothing.kind, nothing.has_data)
        && (link.neighbour_flags, link.floods) == (nothing.neighbour_flags, nothing.floods)
}

fn links(bytes: &[u8]) -> Result<Vec<LinkRequest>> {
    let mut walk = Walk::default();
    walk.begin(NETLINK_ROUTE, u32::try_from(bytes.len())?);
    let mut found = Vec::new();
    loop {
        match walk.step(bytes) {
            Step::More | Step::Message => {}
            Step::Link => found.push(walk.link),
            Step::Done => return Ok(found),
            Step::Unreadable => bail!("the walk cannot read a slice"),
        }
    }
}

fn bytes_of(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    pairs.map(byte).collect()
}
