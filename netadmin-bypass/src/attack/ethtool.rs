//! `SIOCETHTOOL`: what the device is told lies in memory of its own, sub-command first.

use std::io;

use super::abi::Low;
use super::ioctl::{Family, Request};

const SIOCETHTOOL: u32 = 0x8946;
/// linux/ethtool.h: whether sent packets' checksums are offloaded.
pub const ETHTOOL_GTXCSUM: u32 = 0x16;
/// Offloads them, or not.
pub const ETHTOOL_STXCSUM: u32 = 0x17;
/// How many queues there are to be.
pub const ETHTOOL_SCHANNELS: u32 = 0x3d;

/// More than any sub-command is read of.
const LEN: usize = 4096;

/// `struct ethtool_value`: a sub-command, and a number. What the kernel then has in the
/// number's place.
pub fn make(device: &str, sub_command: u32, number: u32) -> io::Result<u32> {
    let mut argument = Low::new(LEN)?;
    argument.bytes()[..4].copy_from_slice(&sub_command.to_ne_bytes());
    argument.bytes()[4..8].copy_from_slice(&number.to_ne_bytes());
    request(device, argument.address())?.make(Family::Inet, SIOCETHTOOL)?;
    let told = argument.bytes()[4..8].try_into();
    told.map(u32::from_ne_bytes).map_err(io::Error::other)
}

/// `struct ifreq` with an argument that lies here.
pub fn request(device: &str, argument: usize) -> io::Result<Request> {
    Ok(Request::about(device)?.with(&argument.to_ne_bytes()))
}
