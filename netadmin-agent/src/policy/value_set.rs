//! Sets of option values: what `allow` and `deny` come to.

use netadmin_common::value::MAX_RANGES;
use netadmin_common::{Range, SocketOption, ValueSet};

use std::fmt;
use std::ops::RangeInclusive;

/// All values that an option can be given, on the axis that rules use: the
/// kernel reads `SO_MARK` as `u32` and the others as `int`.
pub fn domain(option: SocketOption) -> RangeInclusive<i64> {
    match option {
        SocketOption::Mark => 0..=i64::from(u32::MAX),
        _ => i64::from(i32::MIN)..=i64::from(i32::MAX),
    }
}

/// A set of values as sorted, separate ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<(i64, i64)>);

impl Values {
    /// The union of these ranges, in any order; an upside-down one is empty.
    pub fn union_of(ranges: impl IntoIterator<Item = RangeInclusive<i64>>) -> Self {
        let mut sorted: Vec<(i64, i64)> = ranges
            .into_iter()
            .filter(|range| !range.is_empty())
            .map(RangeInclusive::into_inner)
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    /// These values without those of `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(first, last) in &self.0 {
            let mut from = first;
            for &(taken_first, taken_last) in &other.0 {
                if taken_last < from || taken_first > last {
                    continue;
                }
                if taken_first > from {
                    left.push((from, taken_first - 1));
                }
                from = taken_last.saturating_add(1);
            }
            if from <= last {
                left.push((from, last));
            }
        }
        Self(left)
    }

    /// Whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set is exactly this range.
    pub fn is_exactly(&self, range: &RangeInclusive<i64>) -> bool {
        self.0 == [(*range.start(), *range.end())]
    }

    /// How many ranges it takes to write the set down.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The set as the programs read it, if it has no more than
    /// [`MAX_RANGES`] ranges.
    pub fn to_record(&self) -> Option<ValueSet> {
        if self.len() > MAX_RANGES {
            return None;
        }
        let mut record = ValueSet::EMPTY;
        for (slot, &(first, last)) in record.ranges.iter_mut().zip(&self.0) {
            *slot = Range { first, last };
            record.len += 1;
        }
        Some(record)
    }

    /// The set that a record holds.
    pub fn from_record(record: &ValueSet) -> Self {
        let used = record.ranges.iter().take(record.len as usize);
        Self::union_of(used.map(|range| range.first..=range.last))
    }
}

impl fmt::Display for Values {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("nothing");
        }
        for (index, (first, last)) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            if first == last {
                write!(formatter, "{first}")?;
            } else {
                write!(formatter, "{first}..={last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "value_set_tests.rs"]
mod tests;
