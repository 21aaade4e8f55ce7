//! The pieces of `CAP_NET_ADMIN`, as sets: a decision is one bit test.

use crate::bits::opaque;
use crate::catalogue::OperationKind;

/// Words of a [`PieceSet`]: a bit for each number of an operation below 256.
pub const PIECE_WORDS: usize = 4;

/// A set of operations.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceSet {
    words: [u64; PIECE_WORDS],
}

impl PieceSet {
    /// No operation.
    pub const EMPTY: Self = Self {
        words: [0; PIECE_WORDS],
    };

    /// Adds an operation.
    pub fn insert(&mut self, kind: OperationKind) {
        let number = kind as usize;
        self.words[number / 64] |= 1 << (number % 64);
    }

    /// Takes an operation out.
    pub fn remove(&mut self, kind: OperationKind) {
        let number = kind as usize;
        self.words[number / 64] &= !(1 << (number % 64));
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(other.words) {
            *word |= more;
        }
    }

    /// Whether an operation is in it. (The mask bounds the index for the
    /// verifier; the compiler, which knows the enum, would leave it out.)
    #[inline(always)]
    pub fn contains(&self, kind: OperationKind) -> bool {
        let number = opaque(u64::from(kind as u16)) as usize;
        self.words[(number / 64) & (PIECE_WORDS - 1)] & (1 << (number % 64)) != 0
    }

    /// Whether no operation is in it.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.words[0] | self.words[1] | self.words[2] | self.words[3] == 0
    }

    /// Those of `link.*`, as [`LinkPieces`] has them.
    #[inline(always)]
    pub fn links(&self) -> LinkPieces {
        self.words[LINK_WORD]
    }
}

/// The section `[policy.net_admin]`. Without it both sets are empty.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetAdminRecord {
    /// What is refused, for whatever reason.
    pub refused: PieceSet,
    /// Of these, what `deny` names; the rest is refused by `default`.
    pub denied: PieceSet,
}

const _: () = assert!(size_of::<NetAdminRecord>() == 2 * 8 * PIECE_WORDS);

/// A set of operations on links, a bit each: what one message asks for.
pub type LinkPieces = u64;

/// The word that holds `link.*`.
const LINK_WORD: usize = OperationKind::LinkUp as usize / 64;

/// The set of this one operation on a link.
#[inline(always)]
pub const fn link_piece(kind: OperationKind) -> LinkPieces {
    1 << (kind as u16 % 64)
}

/// The number of the operation with this bit.
#[inline(always)]
pub fn link_number(bit: u32) -> u32 {
    LINK_WORD as u32 * 64 + bit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_has_a_bit_of_its_own() {
        let mut set = PieceSet::EMPTY;
        for kind in OperationKind::ALL {
            assert!(!set.contains(*kind), "{}", kind.name());
            set.insert(*kind);
            assert!(set.contains(*kind));
        }
        for kind in OperationKind::ALL {
            set.remove(*kind);
        }
        assert!(set.is_empty());
    }

    #[test]
    fn the_operations_on_links_lie_in_one_word() {
        for kind in OperationKind::ALL {
            let link = kind.name().starts_with("link.");
            let number = *kind as usize;
            assert_eq!(number / 64 == LINK_WORD, link, "{}", kind.name());
            assert!(!link || link_number(number as u32 % 64) as usize == number);
        }
    }

    #[test]
    fn names_are_unique_and_say_what_they_mean() {
        for (place, kind) in OperationKind::ALL.iter().enumerate() {
            assert_eq!(OperationKind::from_name(kind.name()), Some(*kind));
            assert_eq!(OperationKind::from_number(*kind as u16), Some(*kind));
            assert!(!kind.summary().is_empty() && kind.summary().ends_with('.'));
            let earlier = &OperationKind::ALL[..place];
            assert!(earlier.iter().all(|other| (*other as u16) < *kind as u16));
        }
    }
}
