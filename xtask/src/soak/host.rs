//! Coverage-guided fuzzing on this machine, of the code that the kernel runs.
//!
//! libFuzzer comes with a crate, and the instrumentation is a pass that every
//! rustc has, so neither cargo-fuzz nor a nightly toolchain is needed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{build, command, paths, progress};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What libFuzzer needs: counters for each edge, their places, and operands of comparisons.
const INSTRUMENTATION: &str = "--cfg fuzzing -C codegen-units=1 -C passes=sancov-module \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares";

/// Programs, and the longest input that is of use to each.
const TARGETS: [(&str, usize); 2] = [("walk", 1_024), ("decide", 4_096)];

/// Runs each for so many seconds; the number of those that found a fault. What
/// they learnt stays below `target`, for the next time.
pub fn run(seconds: u64, seed: u64) -> Result<u8> {
    progress::step("building the fuzzers");
    let directory = build::target_directory().join("fuzz");
    let mut compile = build::cargo();
    compile
        .current_dir(paths::workspace().join("fuzz"))
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(&directory)
        .env("RUSTFLAGS", INSTRUMENTATION)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command::shown(&mut compile)?;
    let mut failed = 0;
    for (name, len) in TARGETS {
        progress::step(format!("fuzzing {name} for {seconds} seconds"));
        let corpus = corpus(&directory, name, len)?;
        let program = directory.join(TARGET).join("release").join(name);
        let mut fuzzer = std::process::Command::new(program);
        fuzzer
            .arg(corpus)
            .arg(format!("-max_len={len}"))
            .args(["-len_control=0", "-print_final_stats=1"])
            .arg(format!("-max_total_time={seconds}"))
            // libFuzzer's seed has 32 bits, of which 0 means that it takes one itself.
            .arg(format!("-seed={}", seed % 0xffff_ffff + 1))
            .current_dir(&directory);
        let passed = command::watched(&mut fuzzer, |line| progress::print_line(line.as_bytes()))?;
        failed += u8::from(!passed);
    }
    Ok(failed)
}

/// Where the inputs are kept; at first one, as long as any, from which it begins.
fn corpus(directory: &std::path::Path, name: &str, len: usize) -> Result<PathBuf> {
    let corpus = directory.join("corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("create {}", corpus.display()))?;
    let first = corpus.join("zeroes");
    fs::write(&first, vec![0; len / 2]).with_context(|| format!("write {}", first.display()))?;
    Ok(corpus)
}
