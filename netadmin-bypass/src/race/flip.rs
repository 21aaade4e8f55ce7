//! A thread on each processor that rewrites the word, and one that calls.
//!
//! Where processors run in parallel, so do the two. On one processor (or where an
//! emulator lets them take turns) the timer's interrupt has to fall between the
//! guard's read and the kernel's: the kernel must let itself be preempted there
//! (`preempt=full`), and the rewriter must come first (`SCHED_FIFO`). Where the
//! processor is so slow that the rewriter then leaves it nothing, it sleeps longer.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::target::{Attacker, Target};
use super::{Limits, Score, Try};

/// Of so many calls, one rewrite at least: a race in which the word hardly
/// changed, because the emulator gave the rewriter no turn, has shown nothing.
const CALLS_A_REWRITE: u64 = 10;

/// The rewriter sleeps so long, at least, and so much longer, in nanoseconds.
const SHORTEST: u64 = 5_000;
const SPREAD: u64 = 60_000;

/// A call that is not over after so many rewrites has too little of the processor.
const PATIENCE: u32 = 64;
/// The sleep grows up to this, in nanoseconds.
const LONGEST: u64 = 10_000_000;

/// What the threads share.
struct Shared {
    calls: AtomicU64,
    rewrites: AtomicU64,
    over: AtomicBool,
    limits: Limits,
}

impl Shared {
    /// Whether one more call is to be made; counts it.
    fn takes_one_more(&self) -> bool {
        if self.over.load(Ordering::Relaxed) {
            return false;
        }
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let rewrites = self.rewrites.load(Ordering::Relaxed);
        calls < self.limits.tries || rewrites < self.limits.tries / CALLS_A_REWRITE
    }
}

pub fn run(target: Target, limits: Limits) -> io::Result<Score> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut attackers = (0..processors)
        .map(|number| Attacker::new(target, number))
        .collect::<io::Result<Vec<_>>>()?;
    let shared = Shared {
        calls: AtomicU64::new(0),
        rewrites: AtomicU64::new(0),
        over: AtomicBool::new(false),
        limits,
    };
    let scores = race(&mut attackers, target, &shared);
    for attacker in &attackers {
        attacker.remove()?;
    }
    let mut total = Score {
        threads: processors,
        ..Score::default()
    };
    for score in scores? {
        total.add(&score);
    }
    total.rewrites = shared.rewrites.load(Ordering::Relaxed);
    Ok(total)
}

fn race(attackers: &mut [Attacker], target: Target, shared: &Shared) -> io::Result<Vec<Score>> {
    // While both threads hold a part of the attacker, the word is the only one
    // that they share.
    let places: Vec<usize> = attackers
        .iter()
        .map(|one| &raw const one.arena as usize)
        .collect();
    thread::scope(|scope| {
        for (processor, place) in places.into_iter().enumerate() {
            scope.spawn(move || {
                pin(processor);
                come_first();
                // SAFETY: the arena outlives the scope; other threads use the word alone.
                let arena = unsafe { &*(place as *const super::arena::Arena) };
                let mut sleep = Sleep::seeded(processor as u64 + 1);
                let mut turn = 0;
                while !shared.over.load(Ordering::Relaxed) {
                    sleep.a_little(shared.calls.load(Ordering::Relaxed));
                    turn ^= 1;
                    arena.set(target.words()[turn]);
                    shared.rewrites.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let work = |(processor, attacker): (usize, &mut Attacker)| {
            pin(processor);
            let score = attack(attacker, shared);
            shared.over.store(true, Ordering::Relaxed);
            score
        };
        let calling: Vec<_> = attackers
            .iter_mut()
            .enumerate()
            .map(|pair| scope.spawn(move || work(pair)))
            .collect();
        let ended = calling.into_iter().map(|thread| thread.join());
        let panicked = |_| Err(io::Error::other("a thread panicked"));
        ended
            .map(|result| result.unwrap_or_else(panicked))
            .collect()
    })
}

fn attack(attacker: &mut Attacker, shared: &Shared) -> io::Result<Score> {
    let mut score = Score::default();
    while shared.takes_one_more() {
        let outcome = attacker.attempt()?;
        score.count(outcome);
        if outcome == Try::Won && shared.limits.until_won {
            break;
        }
    }
    Ok(score)
}

/// Sleeps of changing length, so that no two interrupts fall alike.
struct Sleep {
    random: u64,
    shortest: u64,
    /// The calls that had begun when one was last seen to begin.
    calls: u64,
    /// Sleeps since then.
    in_vain: u32,
}

impl Sleep {
    fn seeded(seed: u64) -> Self {
        Self {
            random: seed,
            shortest: SHORTEST,
            calls: 0,
            in_vain: 0,
        }
    }

    fn a_little(&mut self, calls: u64) {
        self.adapt(calls);
        // xorshift64.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let nanoseconds = self.shortest + self.random % SPREAD;
        thread::sleep(std::time::Duration::from_nanos(nanoseconds));
    }

    /// Longer while no call ends, shorter again when one does.
    fn adapt(&mut self, calls: u64) {
        if calls != self.calls {
            self.calls = calls;
            self.in_vain = 0;
            self.shortest = (self.shortest / 2).max(SHORTEST);
        } else if self.in_vain < PATIENCE {
            self.in_vain += 1;
        } else {
            self.in_vain = 0;
            self.shortest = (self.shortest * 2).min(LONGEST);
        }
    }
}

/// Keeps this thread on one processor, if that is allowed.
fn pin(processor: usize) {
    // SAFETY: cpu_set_t is plain data, for which all zeroes is a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET checks the number against the set's size.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: the kernel reads one set. Where it refuses, the race is harder.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
}

/// Real-time priority and exact timers, if that is allowed.
fn come_first() {
    // SAFETY: sched_param is plain data, for which all zeroes is a valid value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 1;
    // SAFETY: the kernel reads one struct. Where it refuses, the race is harder.
    unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_FIFO,
            &raw const parameters,
        )
    };
    // SAFETY: PR_SET_TIMERSLACK takes a number.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PATIENCE, SHORTEST, Sleep};

    #[test]
    fn a_rewriter_sleeps_longer_only_while_no_call_ends() {
        let mut sleep = Sleep::seeded(1);
        for calls in 1..1000 {
            sleep.adapt(calls);
        }
        assert_eq!(sleep.shortest, SHORTEST);
        for _ in 0..PATIENCE * 64 {
            sleep.adapt(1000);
        }
        assert_eq!(sleep.shortest, LONGEST);
        for calls in 1001..1064 {
            sleep.adapt(calls);
        }
        assert_eq!(sleep.shortest, SHORTEST);
    }
}
