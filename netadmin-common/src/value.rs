//! Sets of option values, as sorted ranges.

/// How many ranges one [`ValueSet`] holds.
pub const MAX_RANGES: usize = 16;

/// An inclusive range of option values.
///
/// Values are compared as `i64`, so that both readings of a 32-bit option are
/// on one axis: an option that the kernel reads as `int` is sign-extended, one
/// that it reads as `u32` is zero-extended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Smallest value in the range.
    pub first: i64,
    /// Largest value in the range.
    pub last: i64,
}

/// A set of values: the union of up to [`MAX_RANGES`] ranges.
///
/// The rest of `ranges` is unused; an all-zero set is empty, and so refuses.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueSet {
    /// How many of `ranges` are in use.
    pub len: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// The ranges, in ascending order; none overlaps another.
    pub ranges: [Range; MAX_RANGES],
}

const _: () = assert!(MAX_RANGES.is_power_of_two());
const _: () = assert!(size_of::<ValueSet>() == 8 + 16 * MAX_RANGES);

impl ValueSet {
    /// The set without members.
    pub const EMPTY: Self = Self {
        len: 0,
        reserved: 0,
        ranges: [Range { first: 0, last: 0 }; MAX_RANGES],
    };

    /// Whether `value` is a member. By halves: as many steps for one range as for
    /// [`MAX_RANGES`]. (The masks bound the place for the verifier.)
    #[inline(always)]
    pub fn contains(&self, value: i64) -> bool {
        let mut place = 0;
        let mut half = MAX_RANGES / 2;
        while half > 0 {
            let next = (place + half) & (MAX_RANGES - 1);
            if (next as u32) < self.len && self.ranges[next].first <= value {
                place = next;
            }
            half /= 2;
        }
        let range = &self.ranges[place & (MAX_RANGES - 1)];
        self.len != 0 && range.first <= value && value <= range.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(i64, i64)]) -> ValueSet {
        let mut set = ValueSet::EMPTY;
        for &(first, last) in ranges {
            set.ranges[set.len as usize] = Range { first, last };
            set.len += 1;
        }
        set
    }

    #[test]
    fn empty_set_contains_nothing() {
        assert!(!ValueSet::EMPTY.contains(0));
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let set = set(&[(0, 6), (20, 20)]);
        assert!([0, 6, 20].iter().all(|&value| set.contains(value)));
        assert!(![-1, 7, 19, 21].iter().any(|&value| set.contains(value)));
    }

    #[test]
    fn the_last_of_all_ranges_counts() {
        let mut full = ValueSet::EMPTY;
        for index in 0..MAX_RANGES {
            let value = index as i64 * 10;
            full.ranges[index] = Range {
                first: value,
                last: value,
            };
        }
        full.len = MAX_RANGES as u32;
        assert!(full.contains((MAX_RANGES as i64 - 1) * 10));
    }
}
