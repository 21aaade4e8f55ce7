//! Requests made up at random, from a seed: what they do is printed, so that two
//! runs, one guarded and one not, can be compared line by line.

mod op;
mod random;
mod world;

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use op::Class;
use op::Op;
pub use random::Random;
use world::World;

/// How often the devices are looked at again, until nothing changes any more.
const SETTLING: usize = 10;

/// What one request did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number; with the seed it makes the same request again.
    pub number: u64,
    /// What kind of request it was.
    pub class: Class,
    /// What it asked for, for people.
    pub text: String,
    /// A datagram's bytes in hexadecimal.
    pub bytes: String,
    /// The call's errno; of a netlink datagram, of its first message that failed.
    pub errno: i32,
    /// Whether the promiscuity of some device rose.
    pub rose: bool,
    /// Every device, as it was afterwards; empty if nothing has changed.
    pub devices: String,
}

/// The devices, once kernel workers have done what they have left to do (newer
/// kernels close what stands on a device, and set filters, a little later).
fn settled(before: &World, failed: bool) -> io::Result<world::Devices> {
    let mut seen = World::devices()?;
    if failed && seen == before.devices {
        return Ok(seen);
    }
    for _ in 0..SETTLING {
        thread::sleep(Duration::from_millis(20));
        let now = World::devices()?;
        if now == seen {
            break;
        }
        seen = now;
    }
    Ok(seen)
}

/// Makes the requests from `first` on, and writes a line of JSON for each.
pub fn run(seed: u64, first: u64, count: u64, output: &mut impl Write) -> io::Result<u64> {
    let mut world = World::make()?;
    let mut rises = 0;
    for number in first..first + count {
        let mut random = Random::new(seed, number);
        let op = Op::make_up(&mut random, &world);
        let errno = op.carry_out(&world);
        let after = settled(&world, errno != 0)?;
        let rose = after.is_raised_over(&world.devices);
        let changed = after != world.devices;
        let case = Case {
            number,
            class: op.class(),
            text: op.text(),
            bytes: op.bytes(),
            errno,
            rose,
            devices: if changed {
                after.to_string()
            } else {
                String::new()
            },
        };
        serde_json::to_writer(&mut *output, &case)?;
        writeln!(output)?;
        rises += u64::from(rose);
        if changed {
            world = World::make()?;
        }
    }
    World::remove_all()?;
    Ok(rises)
}
