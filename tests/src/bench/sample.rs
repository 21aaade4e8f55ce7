//! How one call is measured: in batches, of which the median counts.

use std::io;
use std::time::Duration;

use super::clock::Unit;
use super::report::{Figure, Outcome};

/// One call of the bench, ready to be made again and again with the same result.
pub type Prepared = Box<dyn FnMut() -> io::Result<()>>;

/// How thoroughly.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Batches in one round.
    pub batches: usize,
    /// Rounds, each in a process of its own.
    pub rounds: usize,
}

impl Effort {
    /// For a report.
    pub const FULL: Self = Self {
        batches: 15,
        rounds: 3,
    };
    /// For the gate, whose figures repeat anyway.
    pub const QUICK: Self = Self {
        batches: 7,
        rounds: 1,
    };
}

/// Calls before the first batch: what the first calls allocate and cache.
const WARM_UP: u32 = 3;

/// Before each batch: kernel workers finish what the one before has left to them.
const SETTLE: Duration = Duration::from_millis(20);

/// The cost of `call`. A timer's interrupt falls into a few batches and not
/// into their median.
pub fn measure(unit: Unit, effort: Effort, size: u32, call: &mut Prepared) -> io::Result<Cost> {
    let outcome = Outcome::of(&call())?;
    for _ in 0..WARM_UP {
        expect(&outcome, call())?;
    }
    let mut batches = Vec::with_capacity(effort.batches);
    for _ in 0..effort.batches {
        std::thread::sleep(SETTLE);
        let begin = unit.now();
        for _ in 0..size {
            expect(&outcome, call())?;
        }
        batches.push(unit.now() - begin);
    }
    batches.sort_unstable();
    Ok(Cost {
        outcome,
        cost: per_call(batches[batches.len() / 2], size),
    })
}

/// What one round found.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    outcome: Outcome,
    cost: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a batch takes far less than 2^52"
)]
fn per_call(batch: u64, size: u32) -> f64 {
    batch as f64 / f64::from(size)
}

#[inline]
fn expect(outcome: &Outcome, result: io::Result<()>) -> io::Result<()> {
    match (outcome, result) {
        (Outcome::Done, Ok(())) => Ok(()),
        (Outcome::Errno(errno), Err(error)) if error.raw_os_error() == Some(*errno) => Ok(()),
        (_, result) => Err(io::Error::other(format!(
            "a call that was {outcome:?} before is {result:?} now"
        ))),
    }
}

/// Rounds put together: their median, and how far they are apart.
pub fn combine(call: &str, rounds: &[Cost]) -> Option<Figure> {
    let mut costs: Vec<f64> = rounds.iter().map(|round| round.cost).collect();
    costs.sort_by(f64::total_cmp);
    let (first, last) = (costs.first()?, costs.last()?);
    let cost = costs[costs.len() / 2];
    Some(Figure {
        call: call.to_owned(),
        cost,
        spread: if cost > 0.0 {
            (last - first) / cost
        } else {
            0.0
        },
        outcome: rounds.first()?.outcome.clone(),
    })
}
