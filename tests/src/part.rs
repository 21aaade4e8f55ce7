//! One part of all tests, so that several machines can share them.

use std::str::FromStr;

use anyhow::{Context as _, Error, ensure};

/// `2/3` is the second of three parts. Each is a run of neighbours: those share
/// agents that are already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 1 on.
    number: usize,
    /// Of how many.
    count: usize,
}

impl Part {
    /// What is in this part.
    pub fn of<T>(self, all: Vec<T>) -> Vec<T> {
        let border = |number: usize| all.len() * number / self.count;
        let (first, end) = (border(self.number - 1), border(self.number));
        all.into_iter().take(end).skip(first).collect()
    }
}

impl FromStr for Part {
    type Err = Error;

    /// Fails if it is not two numbers with a slash between, the first of them from 1
    /// to the second.
    fn from_str(text: &str) -> Result<Self, Error> {
        let not_a_part = || format!("not a part of the tests: {text:?}; write 1/2, for example");
        let (number, count) = text.split_once('/').with_context(not_a_part)?;
        let part = Self {
            number: number.parse().with_context(not_a_part)?,
            count: count.parse().with_context(not_a_part)?,
        };
        ensure!((1..=part.count).contains(&part.number), not_a_part());
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn the_parts_are_the_whole_in_its_order() {
        for (len, count) in [(0, 1), (1, 2), (7, 2), (800, 3), (2, 5)] {
            let whole: Vec<usize> = (0..len).collect();
            let parts = (1..=count).flat_map(|number| Part { number, count }.of(whole.clone()));
            assert_eq!(parts.collect::<Vec<_>>(), whole, "{len} in {count}");
        }
    }

    #[test]
    fn what_is_not_a_part_is_an_error_that_shows_it() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
            let error = text.parse::<Part>().expect_err(text);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        assert_eq!(
            "2/2".parse::<Part>().ok(),
            Some(Part {
                number: 2,
                count: 2
            })
        );
    }
}
