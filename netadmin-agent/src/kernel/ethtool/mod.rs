//! Where the kernel keeps its copy of a sub-command of `SIOCETHTOOL`
//! (`netadmin-ebpf/src/hooks/ethtool.rs`), learnt by asking it for each of them.

mod place;

use std::os::fd::AsRawFd as _;

use aya::maps::{Array, MapData, MapError};
use aya::programs::{Lsm, ProgramError};
use netadmin_common::ethtool::{
    ETHTOOL_PERQUEUE, EthtoolPlace, SECRET_AT, SIOCETHTOOL, SUB_COMMANDS, Sight,
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::maps::map;
use super::programs::{Attachment, program};
use super::{KernelError, Programs};
use crate::output;
use crate::records::Record;

const COMMAND: libc::Ioctl = SIOCETHTOOL as libc::Ioctl;

const PROGRAM: &str = "ethtool_sight";
const PLACE: &str = ".data.ethtool";
const SIGHT: &str = "SIGHT";

/// Sub-commands that there are none of: no value that lies about by chance is one.
const MADE_UP: [u32; 8] = [
    0x9e37_79b9,
    0x7f4a_7c15,
    0xbf58_476d,
    0x1ce4_e5b9,
    0x94d0_49bb,
    0x1331_11eb,
    0xd6e8_feb8,
    0x6659_fd93,
];

/// `struct ifreq` (linux/if.h): a name, and where the argument lies.
#[repr(C)]
struct Request {
    name: [u8; 16],
    data: *const u8,
    rest: [u64; 2],
}

/// The sub-command, and more than any of them is read of before the kernel asks.
#[repr(align(8))]
struct Argument([u8; 256]);

impl Argument {
    fn new(sub_command: u32, secret: u64) -> Self {
        let mut bytes = [0; 256];
        bytes[..4].copy_from_slice(&sub_command.to_ne_bytes());
        if sub_command == ETHTOOL_PERQUEUE {
            bytes[4..8].copy_from_slice(&MADE_UP[0].to_ne_bytes());
        }
        bytes[SECRET_AT..SECRET_AT + 8].copy_from_slice(&secret.to_ne_bytes());
        Self(bytes)
    }
}

impl Programs {
    /// Tells the programs where the copy lies; if that cannot be found out, says so. Then
    /// no sub-command is told from another.
    pub(super) fn learn_ethtool(&mut self) -> Result<(), KernelError> {
        let attachment = Attachment::Lsm("capable");
        self.load_program(PROGRAM, attachment)?;
        let link = self.sight()?.attach().map_err(failed("attach"))?;
        let seen = self.look_at_all();
        self.sight()?.detach(link).map_err(failed("detach"))?;
        self.sight()?.unload().map_err(failed("unload"))?;
        let place = place::find(&seen?);
        self.ethtool_as_one = place == EthtoolPlace::UNKNOWN;
        if self.ethtool_as_one {
            output::complain(
                "netadmin-agent: warning: the sub-commands of ethtool's ioctl cannot be told \
                 apart on this kernel: where a policy refuses one of `ioctl.ethtool.*`, all are \
                 refused; please report the kernel's version\n",
            );
        }
        let mut to: Array<&mut MapData, Record<EthtoolPlace>> = map(&mut self.ebpf, PLACE)?;
        to.set(0, Record(place), 0).map_err(refused(PLACE))
    }

    fn sight(&mut self) -> Result<&mut Lsm, KernelError> {
        program(&mut self.ebpf, PROGRAM)?
            .try_into()
            .map_err(failed("load"))
    }

    /// Every sub-command that a policy can name, since each comes to the question by a
    /// path of its own, and some that there are none of.
    fn look_at_all(&mut self) -> Result<Vec<(u32, Sight)>, KernelError> {
        let all = SUB_COMMANDS.iter().chain(&MADE_UP);
        let seen = all.map(|sub_command| Ok((*sub_command, self.look_at(*sub_command)?)));
        seen.collect()
    }

    fn look_at(&mut self, sub_command: u32) -> Result<Sight, KernelError> {
        let mut room: Array<&mut MapData, Record<Sight>> = map(&mut self.ebpf, SIGHT)?;
        let secret = secret();
        let sight = Sight {
            secret,
            ..Sight::NOTHING
        };
        room.set(0, Record(sight), 0).map_err(refused(SIGHT))?;
        ask(&Argument::new(sub_command, secret));
        let Record(sight) = room.get(&0, 0).map_err(refused(SIGHT))?;
        Ok(sight)
    }
}

fn failed(act: &'static str) -> impl Fn(ProgramError) -> KernelError {
    move |source| KernelError::Program {
        act,
        program: PROGRAM,
        source,
    }
}

fn refused(map: &'static str) -> impl Fn(MapError) -> KernelError {
    move |source| KernelError::Map { map, source }
}

/// What nobody else knows.
fn secret() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) | 1
}

/// Has the kernel ask. The program refuses, or, if it does not see it, another reason is
/// found; nothing is changed. (Not inlined: no register has the sub-command.)
#[inline(never)]
fn ask(argument: &Argument) {
    let mut request = Request {
        name: *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        data: argument.0.as_ptr(),
        rest: [0; 2],
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let Ok(socket) = socket(AddressFamily::Inet, SockType::Datagram, flags, None) else {
        return;
    };
    // SAFETY: the request and its argument live, and are longer than the kernel takes
    // them for.
    unsafe { libc::ioctl(socket.as_raw_fd(), COMMAND, &raw mut request) };
}
