//! `SIOCETHTOOL` by sub-command: which piece of the capability each is, and where on
//! the kernel's stack its copy of the sub-command lies.

use crate::catalogue::OperationKind as Op;
use crate::pieces::PieceSet;

/// linux/sockios.h.
pub const SIOCETHTOOL: u32 = 0x8946;

/// linux/ethtool.h: the one whose own sub-command decides whether the kernel asks.
pub const ETHTOOL_PERQUEUE: u32 = 0x4b;

/// Defines which piece each sub-command is that the kernel asks for (`__dev_ethtool`),
/// and the list of them.
macro_rules! sub_commands {
    ($($($number:literal)|+ => $kind:ident,)+) => {
        /// The piece that a sub-command is.
        #[inline(always)]
        pub fn ethtool_piece(sub_command: u32) -> Op {
            match sub_command {
                $($($number)|+ => Op::$kind,)+
                _ => Op::EthtoolOther,
            }
        }

        /// All sub-commands that have a piece of their own.
        pub const SUB_COMMANDS: &[u32] = &[$($($number),+),+];

        /// The pieces.
        const PIECES: &[Op] = &[$(Op::$kind,)+ Op::EthtoolOther];
    };
}

sub_commands! {
    // SSET, NWAY_RST, SLINKSETTINGS.
    0x02 | 0x09 | 0x4d => EthtoolLink,
    // GWOL, SWOL.
    0x05 | 0x06 => EthtoolWol,
    // SCOALESCE, PERQUEUE, which sets nothing else (`ethtool_set_per_queue`).
    0x0f | 0x4b => EthtoolCoalesce,
    // SRINGPARAM.
    0x11 => EthtoolRing,
    // SPAUSEPARAM.
    0x13 => EthtoolPause,
    // SRXCSUM, STXCSUM, SSG, STSO, SUFO, SGSO, SFLAGS, SGRO, SFEATURES.
    0x15 | 0x17 | 0x19 | 0x1f | 0x22 | 0x24 | 0x26 | 0x2c | 0x3b => EthtoolFeatures,
    // SCHANNELS.
    0x3d => EthtoolChannels,
    // SRXFHINDIR, SRSSH.
    0x39 | 0x47 => EthtoolRss,
    // SRXFH, SRXCLSRLDEL, SRXCLSRLINS: one, since on 6.1 `ethtool_set_rxnfc` reads
    // anew from the caller's memory which of them it is.
    0x2a | 0x31 | 0x32 => EthtoolRules,
    // SFECPARAM.
    0x51 => EthtoolFec,
    // SEEE.
    0x45 => EthtoolEee,
    // GEEPROM, SEEPROM.
    0x0b | 0x0c => EthtoolEeprom,
    // GMODULEINFO, GMODULEEEPROM.
    0x42 | 0x43 => EthtoolModule,
    // FLASHDEV.
    0x33 => EthtoolFlash,
    // GREGS, SET_DUMP, GET_DUMP_FLAG, GET_DUMP_DATA.
    0x04 | 0x3e | 0x3f | 0x40 => EthtoolDump,
    // SPFLAGS.
    0x28 => EthtoolPrivateFlags,
    // STUNABLE, PHY_STUNABLE.
    0x49 | 0x4f => EthtoolTunable,
    // SMSGLVL.
    0x08 => EthtoolMsgLevel,
    // TEST.
    0x1a => EthtoolTest,
    // RESET.
    0x34 => EthtoolReset,
    // PHYS_ID.
    0x1c => EthtoolIdentify,
}

/// What one is whose sub-command cannot be told: each of the pieces, so that it is refused
/// if one of them is, as the first of those.
#[inline(always)]
pub fn untold_piece(refused: &PieceSet) -> Op {
    for kind in PIECES {
        if refused.contains(*kind) {
            return *kind;
        }
    }
    Op::EthtoolOther
}

/// Most return addresses from the question to the function that has the copy.
pub const MAX_CHAIN: usize = 8;

/// Where the kernel's copy of the sub-command lies when `capable` is asked.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthtoolPlace {
    /// The copy, in bytes from the program's context up.
    pub copy: u32,
    /// The first of `chain`, in bytes from there, too.
    pub first: u32,
    /// How many of `chain` are in use; 0 if the place is not known.
    pub len: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// The return addresses above the program's, from the innermost on, up to the one in
    /// the function that has the copy: where they are these, all frames are as long.
    pub chain: [u64; MAX_CHAIN],
}

const _: () = assert!(size_of::<EthtoolPlace>() == 16 + 8 * MAX_CHAIN);

impl EthtoolPlace {
    /// It is not known.
    pub const UNKNOWN: Self = Self {
        copy: 0,
        first: 0,
        len: 0,
        reserved: 0,
        chain: [0; MAX_CHAIN],
    };
}

/// Words of the stack that are looked at to find the place.
pub const SIGHT_WORDS: usize = 64;

/// Return addresses that are looked at.
pub const SIGHT_CHAIN: usize = 24;

/// What is seen of the stack when a made-up sub-command has the capability asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// The secret that the caller has to show; 0 when it has been shown.
    pub secret: u64,
    /// The stack, from the program's context up.
    pub words: [u64; SIGHT_WORDS],
    /// The return addresses, from the innermost on; 0 after the last.
    pub chain: [u64; SIGHT_CHAIN],
}

impl Sight {
    /// Nothing was seen.
    pub const NOTHING: Self = Self {
        secret: 0,
        words: [0; SIGHT_WORDS],
        chain: [0; SIGHT_CHAIN],
    };
}

const _: () = assert!(size_of::<Sight>() == 8 * (1 + SIGHT_WORDS + SIGHT_CHAIN));

/// Where in its argument the caller shows the secret, in bytes.
pub const SECRET_AT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_ethtool_has_a_sub_command() {
        let of_ethtool = |kind: &&Op| kind.name().starts_with("ioctl.ethtool.");
        let all = Op::ALL.iter().filter(of_ethtool);
        assert_eq!(all.count(), PIECES.len());
        for kind in PIECES {
            let is_it = |number: &u32| ethtool_piece(*number) == *kind;
            let named = SUB_COMMANDS.iter().any(is_it);
            assert_eq!(named, *kind != Op::EthtoolOther, "{}", kind.name());
        }
        for unknown in [0, 0x52, u32::MAX] {
            assert_eq!(ethtool_piece(unknown), Op::EthtoolOther);
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused_if_one_of_them_is() {
        let mut refused = PieceSet::EMPTY;
        refused.insert(Op::IoctlMii);
        assert!(!refused.contains(untold_piece(&refused)));
        for kind in PIECES {
            let mut refused = PieceSet::EMPTY;
            refused.insert(*kind);
            assert_eq!(untold_piece(&refused), *kind);
        }
    }
}
