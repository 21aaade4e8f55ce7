//! The nearest known word to one that is not known.

/// The word of `known` that `word` is most likely meant to be, if any is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let lowered = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lowered, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions and substitutions lie between two words
/// (Levenshtein). The words of a policy file are short; longer ones are cut.
fn distance(from: &str, to: &str) -> usize {
    const LONGEST: usize = 64;
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["default", "side_effects", "SO_PRIORITY"];

    #[test]
    fn a_slip_of_the_pen_is_found() {
        assert_eq!(nearest("defualt", KNOWN), Some("default"));
        assert_eq!(nearest("side-effects", KNOWN), Some("side_effects"));
        assert_eq!(nearest("so_priority", KNOWN), Some("SO_PRIORITY"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
    }
}
