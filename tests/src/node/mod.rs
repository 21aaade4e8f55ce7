//! On a node: real systemd, a real container runtime, and the agent from the
//! very image, manifest and unit that users get.

mod image;
mod manifest;
pub mod neighbour;
pub mod reboot;
mod rolling;
mod runtime;
mod systemd;
mod unit;

use anyhow::Result;
use libtest_mimic::Trial;

type Body = fn() -> Result<()>;

/// The tests before the machine reboots, in the order in which they must run.
pub fn trials() -> Vec<Trial> {
    let parts = [image::TESTS, rolling::TESTS, unit::TESTS];
    parts.into_iter().flat_map(named).collect()
}

/// The tests after that.
pub fn trials_after_reboot() -> Vec<Trial> {
    named(unit::TESTS_AFTER_REBOOT).collect()
}

fn named(tests: &'static [(&'static str, Body)]) -> impl Iterator<Item = Trial> {
    tests.iter().map(|&(name, body)| {
        Trial::test(format!("node::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}
