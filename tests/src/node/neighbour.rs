//! A container beside the agent's, whose program attacks from its first
//! instruction on, as fast as it can.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::attack::ioctl::{Family, change_flags};
use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::attack::sockopt::udp_socket;
use crate::attack::{IFF_PROMISC, Membership, SocketOption, index_of, packet};

/// The argument by which this program becomes the attacker.
pub const ARGUMENT: &str = "--attack-until";

/// What came of the attacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Attempts.
    pub tries: u64,
    /// Attempts that succeeded.
    pub wins: u64,
    /// What succeeded: a bit for each way.
    pub ways: u32,
}

/// The ways, each of which leaves nothing behind.
const WAYS: [fn() -> io::Result<()>; 4] = [by_ioctl, by_membership, by_netlink, by_option];

/// Attacks until there is a file of this name, and prints the score.
pub fn attack_until(stop: &Path) -> Result<()> {
    let mut score = Score::default();
    while !stop.exists() || score.tries == 0 {
        for (number, way) in WAYS.iter().enumerate() {
            score.tries += 1;
            if way().is_ok() {
                score.wins += 1;
                score.ways |= 1 << number;
            }
        }
    }
    println!("{}", serde_json::to_string(&score)?);
    Ok(())
}

impl Score {
    /// Reads what an attacker has printed.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text.trim()).with_context(|| format!("an attacker said {text:?}"))
    }
}

fn by_ioctl() -> io::Result<()> {
    change_flags(Family::Inet, "lo", IFF_PROMISC, 0)?;
    // Done already; only the next attempt needs this.
    let _ = change_flags(Family::Inet, "lo", 0, IFF_PROMISC);
    Ok(())
}

fn by_membership() -> io::Result<()> {
    packet::join(index_of("lo")?, Membership::Promiscuous).map(drop)
}

fn by_netlink() -> io::Result<()> {
    let message = || link::change(RTM_SETLINK, Target::Name("lo"));
    link::request(message().flags(IFF_PROMISC, IFF_PROMISC))?;
    let _ = link::request(message().flags(0, IFF_PROMISC));
    Ok(())
}

fn by_option() -> io::Result<()> {
    SocketOption::Debug.set(udp_socket()?.as_fd(), 1)
}
