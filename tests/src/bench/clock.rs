//! What costs are measured in.

use std::arch::asm;
use std::arch::x86_64::_rdtsc;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// The unit of a report's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Instructions that the processor executed, in user mode and in the kernel.
    Instructions,
    /// Time, where a person has real hardware.
    Nanoseconds,
}

/// Turns of the loop that the clock is tried with, of two instructions each.
const TURNS: u64 = 1_000_000;

impl Unit {
    /// The clock's reading.
    pub fn now(self) -> u64 {
        match self {
            // SAFETY: every x86-64 processor has the instruction.
            Self::Instructions => unsafe { _rdtsc() },
            Self::Nanoseconds => monotonic(),
        }
    }

    /// Fails unless the clock counts what it should. Under `-icount shift=0`
    /// the emulated time stamp counter grows by one with each instruction; on
    /// hardware it counts something else.
    pub fn check(self) -> Result<()> {
        if self == Self::Nanoseconds {
            return Ok(());
        }
        // A timer's interrupt makes one try too long: not the shortest.
        let counted = (0..5).map(|_| counted_loop()).min().unwrap_or_default();
        let expected = 2 * TURNS;
        ensure!(
            counted.abs_diff(expected) < 100,
            "{expected} instructions took {counted} ticks: this clock counts something else; \
             `cargo xtask bench` starts a machine whose clock counts instructions"
        );
        Ok(())
    }
}

fn counted_loop() -> u64 {
    let begin = Unit::Instructions.now();
    // SAFETY: counts a register down.
    unsafe {
        asm!("2:", "dec {turns}", "jnz 2b", turns = inout(reg) TURNS => _, options(nomem, nostack));
    }
    Unit::Instructions.now() - begin
}

fn monotonic() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
