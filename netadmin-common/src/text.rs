//! Names of at most 16 bytes, as two words: the programs compare and cut them
//! without a branch for each byte, which the verifier would have to follow.

use crate::bits::{nonzero, not};
use crate::device::IFNAMSIZ;

/// An interface name or a link kind, zero-padded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    words: [u64; 2],
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

impl Text {
    /// No bytes.
    pub const EMPTY: Self = Self { words: [0; 2] };

    /// The first 16 of these bytes.
    pub const fn new(bytes: &[u8]) -> Self {
        let mut padded = [0; IFNAMSIZ];
        let mut index = 0;
        while index < IFNAMSIZ && index < bytes.len() {
            padded[index] = bytes[index];
            index += 1;
        }
        Self::from_words(u128::from_le_bytes(padded))
    }

    const fn from_words(bits: u128) -> Self {
        Self {
            words: [bits as u64, (bits >> 64) as u64],
        }
    }

    /// The text as the kernel's memory has it, in two words.
    #[inline(always)]
    pub fn from_memory(words: [u64; 2]) -> Self {
        Self { words }
    }

    /// The two words.
    #[inline(always)]
    pub fn words(&self) -> [u64; 2] {
        self.words
    }

    /// The bytes, zero-padded.
    pub fn bytes(&self) -> [u8; IFNAMSIZ] {
        (u128::from(self.words[0]) | u128::from(self.words[1]) << 64).to_le_bytes()
    }

    /// What comes before the first zero. What follows it in the kernel is left
    /// over from an earlier name (`dev_change_name`).
    #[inline(always)]
    pub fn terminated(self) -> Self {
        self.before(0)
    }

    /// What comes before the first `stop`.
    #[inline(always)]
    pub fn before(self, stop: u8) -> Self {
        let [first, second] = self.mask_before(stop).words;
        Self {
            words: [self.words[0] & first, self.words[1] & second],
        }
    }

    /// Ones in the bytes before the first `stop`; in all, if there is none.
    #[inline(always)]
    pub fn mask_before(self, stop: u8) -> Self {
        let pattern = ONES.wrapping_mul(u64::from(stop));
        let (first, stopped) = keep_before(self.words[0], pattern);
        let (second, _) = keep_before(self.words[1], pattern);
        Self {
            words: [first, second & stopped.wrapping_sub(1)],
        }
    }

    /// The first `len` bytes.
    #[inline(always)]
    pub fn first(self, len: u32) -> Self {
        Self {
            words: [
                self.words[0] & mask(len),
                self.words[1] & mask(len.saturating_sub(8)),
            ],
        }
    }

    /// The bits that are ones in both.
    #[inline(always)]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            words: [
                self.words[0] & other.words[0],
                self.words[1] & other.words[1],
            ],
        }
    }

    /// The bits of `other` where `mask` has ones, and its own elsewhere.
    #[inline(always)]
    pub fn or_where(&self, mask: u64, other: &Self) -> Self {
        let choose = |own: u64, other: u64| own ^ ((own ^ other) & mask);
        Self {
            words: [
                choose(self.words[0], other.words[0]),
                choose(self.words[1], other.words[1]),
            ],
        }
    }

    /// 1 if it equals `other`, else 0.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> u64 {
        let first = self.words[0] ^ other.words[0];
        let second = self.words[1] ^ other.words[1];
        not(nonzero(first | second))
    }

    /// Whether it equals `other` in every byte where `mask` has ones.
    #[inline(always)]
    pub fn equals_under(&self, other: &Self, mask: &Self) -> bool {
        let first = (self.words[0] ^ other.words[0]) & mask.words[0];
        let second = (self.words[1] ^ other.words[1]) & mask.words[1];
        first | second == 0
    }
}

/// Ones in the bytes of `word` before the first that `pattern` repeats, and
/// whether there is one (0 or 1).
#[inline(always)]
fn keep_before(word: u64, pattern: u64) -> (u64, u64) {
    let differs = word ^ pattern;
    // The lowest bit that is set is in the first byte that is equal.
    let equal = differs.wrapping_sub(ONES) & !differs & HIGHS;
    let lowest = equal & equal.wrapping_neg();
    ((lowest >> 7).wrapping_sub(1), u64::from(equal != 0))
}

/// Ones in the first `len` bytes of a word.
#[inline(always)]
fn mask(len: u32) -> u64 {
    if len >= 8 {
        u64::MAX
    } else {
        (1 << (len * 8)) - 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive_before(bytes: [u8; IFNAMSIZ], stop: u8) -> [u8; IFNAMSIZ] {
        let len = bytes
            .iter()
            .position(|&byte| byte == stop)
            .unwrap_or(IFNAMSIZ);
        naive_first(bytes, len)
    }

    fn naive_first(mut bytes: [u8; IFNAMSIZ], len: usize) -> [u8; IFNAMSIZ] {
        bytes[len.min(IFNAMSIZ)..].fill(0);
        bytes
    }

    proptest! {
        #[test]
        fn before_agrees_with_a_search(
            bytes in prop::array::uniform16(prop_oneof![Just(0u8), Just(b':'), any::<u8>()]),
            stop in prop_oneof![Just(0u8), Just(b':'), any::<u8>()],
        ) {
            prop_assert_eq!(Text::new(&bytes).before(stop).bytes(), naive_before(bytes, stop));
        }

        #[test]
        fn first_agrees_with_a_cut(bytes: [u8; IFNAMSIZ], len in 0u32..40) {
            prop_assert_eq!(Text::new(&bytes).first(len).bytes(), naive_first(bytes, len as usize));
        }

        #[test]
        fn bytes_come_back(bytes: [u8; IFNAMSIZ]) {
            prop_assert_eq!(Text::new(&bytes).bytes(), bytes);
        }
    }
}
