//! The state of a device, as the kernel tells it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use serde::{Deserialize, Serialize};

use crate::attack::link::{self, Target};
use crate::attack::netlink::{ask, each_attribute, number_at};
use crate::attack::{IFF_PROMISC, IFF_UP};

const RTM_GETLINK: u16 = 18;
const IFLA_MASTER: u16 = 10;
const IFLA_PROMISCUITY: u16 = 30;
const IFINFOMSG_LEN: usize = 16;

/// What the tests look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceState {
    /// `ifindex`.
    pub index: u32,
    /// `IFLA_PROMISCUITY`: how many want it promiscuous.
    pub promiscuity: u32,
    /// `ifi_flags`, in which `IFF_PROMISC` is that of `gflags`.
    pub shown_flags: u32,
    /// `dev->flags` itself, from sysfs.
    pub flags: u32,
    /// `IFLA_MASTER`.
    pub master: Option<u32>,
}

impl DeviceState {
    /// Asks the kernel about a device of the caller's network namespace.
    pub fn read(name: &str) -> io::Result<Self> {
        let answer = about(name)?;
        let missing = || io::Error::other(format!("a short answer about {name}"));
        let mut state = Self {
            index: number_at(&answer, 4).ok_or_else(missing)?,
            promiscuity: 0,
            shown_flags: number_at(&answer, 8).ok_or_else(missing)?,
            flags: flags_in_sysfs(name)?,
            master: None,
        };
        each_attribute(&answer[IFINFOMSG_LEN..], |kind, payload| match kind {
            IFLA_PROMISCUITY => state.promiscuity = number_at(payload, 0).unwrap_or_default(),
            IFLA_MASTER => state.master = number_at(payload, 0),
            _ => {}
        });
        Ok(state)
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether it receives everything, whoever asked.
    pub fn is_promiscuous(&self) -> bool {
        self.flags & IFF_PROMISC != 0
    }

    /// Whether that was asked for by flag (`gflags`).
    pub fn is_promiscuous_by_flag(&self) -> bool {
        self.shown_flags & IFF_PROMISC != 0
    }
}

/// How many want a device of the caller's network namespace promiscuous; of one
/// that is not there, nobody does.
pub fn promiscuity(name: &str) -> io::Result<u32> {
    let answer = match about(name) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(0),
        answer => answer?,
    };
    let mut count = None;
    each_attribute(
        answer.get(IFINFOMSG_LEN..).unwrap_or_default(),
        |kind, payload| {
            if kind == IFLA_PROMISCUITY {
                count = number_at(payload, 0);
            }
        },
    );
    count.ok_or_else(|| io::Error::other(format!("no IFLA_PROMISCUITY of {name}")))
}

fn about(name: &str) -> io::Result<Vec<u8>> {
    ask(&link::change(RTM_GETLINK, Target::Name(name)))
}

fn flags_in_sysfs(name: &str) -> io::Result<u32> {
    FlagsFile::open(name)?.read()
}

/// `dev->flags` of a device, from sysfs: to be read often, without a lock.
#[derive(Debug)]
pub struct FlagsFile(File);

impl FlagsFile {
    /// A device's, in the network namespace that `/sys` shows.
    pub fn open(name: &str) -> io::Result<Self> {
        File::open(format!("/sys/class/net/{name}/flags")).map(Self)
    }

    /// What it says now.
    pub fn read(&self) -> io::Result<u32> {
        // "0x1003\n": a hexadecimal int.
        let mut text = [0; 16];
        let len = self.0.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..len]);
        u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).map_err(io::Error::other)
    }
}
