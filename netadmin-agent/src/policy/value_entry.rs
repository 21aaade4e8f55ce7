//! One entry of a value list: a number or a range.

use std::ops::RangeInclusive;

use netadmin_common::SocketOption;

use super::value_set::domain;

/// Why an entry names no values of an option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not a number.
    #[error("`{0}` is not a number: write it in decimal (`13`) or hexadecimal (`0x20000`)")]
    NotANumber(String),
    /// Outside what the kernel reads.
    #[error("{number} is not a value of {option}, which the kernel reads as {reading}")]
    OutOfDomain {
        /// The number as written.
        number: String,
        /// The option.
        option: &'static str,
        /// The C type, with its bounds.
        reading: &'static str,
    },
    /// `a..=b` with a above b.
    #[error("the range is upside down: {first} is more than {last}")]
    UpsideDown {
        /// What is written first, on the option's axis.
        first: i64,
        /// What is written last.
        last: i64,
    },
    /// `>2147483647` or `<0` of an unsigned option.
    #[error("no value of {option} is {comparison}")]
    Nothing {
        /// The option.
        option: &'static str,
        /// The comparison as written.
        comparison: String,
    },
    /// `a..b`.
    #[error(
        "`{0}` does not say whether its end belongs to it: write `..=` for a range with its end"
    )]
    HalfOpen(String),
}

/// A number as the policy file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<'a> {
    /// The digits, with a sign before decimal ones.
    pub digits: &'a str,
    /// 10, or another base: then the digits are a 32-bit pattern.
    pub radix: u32,
}

impl<'a> Number<'a> {
    fn parse(text: &'a str) -> Result<Self, EntryError> {
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None => (text, 10),
        };
        let unsigned = match radix {
            10 => digits.strip_prefix('-').unwrap_or(digits),
            _ => digits,
        };
        if unsigned.is_empty() || !unsigned.chars().all(|digit| digit.is_digit(radix)) {
            return Err(EntryError::NotANumber(text.to_owned()));
        }
        Ok(Self { digits, radix })
    }

    /// The value on the option's axis. A decimal number is itself; one in
    /// another base is the 32 bits that the kernel is given, so that for an
    /// `int` option 0xffffffff is -1.
    fn on_axis_of(self, option: SocketOption) -> Result<i64, EntryError> {
        let value = if self.radix == 10 {
            self.digits.parse::<i64>().ok()
        } else {
            u32::from_str_radix(self.digits, self.radix)
                .ok()
                .map(|pattern| option.widen(pattern))
        };
        value
            .filter(|value| domain(option).contains(value))
            .ok_or_else(|| EntryError::OutOfDomain {
                number: self.to_string(),
                option: option.name(),
                reading: reading(option),
            })
    }
}

impl std::fmt::Display for Number<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let prefix = match self.radix {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        write!(formatter, "{prefix}{}", self.digits)
    }
}

fn reading(option: SocketOption) -> &'static str {
    match option {
        SocketOption::Mark => "u32: 0 to 4294967295, or 0x0 to 0xffffffff",
        _ => "int: -2147483648 to 2147483647, or its 32 bits as 0x0 to 0xffffffff",
    }
}

/// The values that a number names.
pub fn read_number(
    number: Number<'_>,
    option: SocketOption,
) -> Result<RangeInclusive<i64>, EntryError> {
    let value = number.on_axis_of(option)?;
    Ok(value..=value)
}

/// The values that a text names: a number, `a..=b`, `a..`, `..=b`, or one of
/// `>`, `>=`, `<`, `<=` before a number. Spaces around the parts are free.
pub fn read_text(text: &str, option: SocketOption) -> Result<RangeInclusive<i64>, EntryError> {
    let text = text.trim();
    if let Some((first, last)) = text.split_once("..") {
        return read_range(text, first.trim(), last.trim(), option);
    }
    for (comparison, keep) in COMPARISONS {
        if let Some(number) = text.strip_prefix(comparison) {
            let bound = Number::parse(number.trim())?.on_axis_of(option)?;
            return within(keep(bound), option).ok_or_else(|| EntryError::Nothing {
                option: option.name(),
                comparison: text.to_owned(),
            });
        }
    }
    read_number(Number::parse(text)?, option)
}

type Keep = fn(i64) -> RangeInclusive<i64>;

/// The longer ones first: `>=` begins with `>`.
const COMPARISONS: [(&str, Keep); 4] = [
    (">=", |bound| bound..=i64::MAX),
    ("<=", |bound| i64::MIN..=bound),
    (">", |bound| bound + 1..=i64::MAX),
    ("<", |bound| i64::MIN..=bound - 1),
];

fn read_range(
    text: &str,
    first: &str,
    last: &str,
    option: SocketOption,
) -> Result<RangeInclusive<i64>, EntryError> {
    let bounds = domain(option);
    let last = match last.strip_prefix('=') {
        Some(last) => Number::parse(last.trim())?.on_axis_of(option)?,
        None if last.is_empty() && !first.is_empty() => *bounds.end(),
        None => return Err(EntryError::HalfOpen(text.to_owned())),
    };
    let first = match first {
        "" => *bounds.start(),
        _ => Number::parse(first)?.on_axis_of(option)?,
    };
    if first > last {
        return Err(EntryError::UpsideDown { first, last });
    }
    Ok(first..=last)
}

fn within(range: RangeInclusive<i64>, option: SocketOption) -> Option<RangeInclusive<i64>> {
    let bounds = domain(option);
    let cut = *range.start().max(bounds.start())..=*range.end().min(bounds.end());
    (!cut.is_empty()).then_some(cut)
}

#[cfg(test)]
#[path = "value_entry_tests.rs"]
mod tests;
