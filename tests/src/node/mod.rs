//! On a node: real systemd, a real container runtime, and the agent from the
//! very image and manifest that users get.

mod image;
mod manifest;
pub mod neighbour;
mod runtime;

use anyhow::Result;
use libtest_mimic::Trial;

type Body = fn() -> Result<()>;

/// All tests of a node, in the order in which they must run.
pub fn trials() -> Vec<Trial> {
    let tests: Vec<(&'static str, Body)> = image::TESTS.to_vec();
    let trial = |(name, body): (&str, Body)| {
        Trial::test(format!("node::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    };
    tests.into_iter().map(trial).collect()
}
