//! Entries of `net_admin.allow` and `.deny`: names of operations, and wildcards.

use std::fmt;

use netadmin_common::OperationKind;

use super::nearest::nearest;

/// Why an entry names no operations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No operation has this name.
    #[error("there is no operation `{0}`")]
    Unknown(String),
    /// No operation's name begins so.
    #[error("no operation matches `{0}`")]
    MatchesNothing(String),
    /// A star that is not the last component.
    #[error("`{0}`: a `*` may only stand for the end of a name, after a dot")]
    Star(String),
    /// Another section rules on it.
    #[error("`{0}` is ruled on by `[policy.promiscuous]`")]
    Promiscuous(String),
}

impl PatternError {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            Self::Unknown(name) if begins_names(name) => {
                format!("write `{name}.*`, or one of them")
            }
            Self::Unknown(name) => {
                let names = pieces().map(OperationKind::name);
                match nearest(name, names) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => "`netadmin-agent operations` lists them all".to_owned(),
                }
            }
            Self::Star(_) => "write `link.*`, or a name".to_owned(),
            Self::MatchesNothing(_) => "`netadmin-agent operations` lists them all".to_owned(),
            Self::Promiscuous(_) => "here `link.promisc` is the flag, set or cleared".to_owned(),
        }
    }
}

/// The pieces of the capability.
pub fn pieces() -> impl Iterator<Item = OperationKind> {
    OperationKind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.is_piece())
}

fn begins_names(name: &str) -> bool {
    let below = |kind: OperationKind| kind.name().strip_prefix(name)?.strip_prefix('.').map(drop);
    pieces().any(|kind| below(kind).is_some())
}

/// A name of an operation, or the beginning of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationPattern {
    text: String,
}

impl OperationPattern {
    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let shown = || text.escape_debug().to_string();
        let pattern = Self {
            text: text.to_owned(),
        };
        let stars = text.matches('*').count();
        let wildcard = text == "*" || text.ends_with(".*");
        if stars > 1 || stars == 1 && !wildcard {
            return Err(PatternError::Star(shown()));
        }
        if pattern.kinds().next().is_some() {
            return Ok(pattern);
        }
        if text == "promiscuous" || text.starts_with("promiscuous.") {
            Err(PatternError::Promiscuous(shown()))
        } else if wildcard {
            Err(PatternError::MatchesNothing(shown()))
        } else {
            Err(PatternError::Unknown(shown()))
        }
    }

    /// Whether it names this operation. No wildcard names `unclassified`.
    pub fn matches(&self, kind: OperationKind) -> bool {
        match self.text.strip_suffix('*') {
            Some(beginning) => {
                kind != OperationKind::Unclassified && kind.name().starts_with(beginning)
            }
            None => kind.name() == self.text,
        }
    }

    /// The operations that it names.
    pub fn kinds(&self) -> impl Iterator<Item = OperationKind> {
        pieces().filter(|kind| self.matches(*kind))
    }

    /// Whether it has a star.
    pub fn is_wildcard(&self) -> bool {
        self.text.ends_with('*')
    }
}

impl fmt::Display for OperationPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        let pattern = OperationPattern::parse(text).expect("a pattern");
        pattern.kinds().map(OperationKind::name).collect()
    }

    #[test]
    fn a_name_is_itself_and_a_wildcard_all_below() {
        assert_eq!(names("rule.*"), ["rule.add", "rule.delete"]);
        assert_eq!(names("link.up"), ["link.up"]);
        assert!(names("link.*").contains(&"link.create.veth"));
        assert!(!names("link.create.*").contains(&"link.up"));
    }

    #[test]
    fn a_star_names_every_piece_but_unclassified() {
        assert_eq!(names("*").len(), pieces().count() - 1);
        assert_eq!(names("unclassified"), ["unclassified"]);
    }

    #[test]
    fn what_names_nothing_is_an_error_with_its_reason() {
        let error = |text| OperationPattern::parse(text).expect_err("an error");
        assert_eq!(error("link.upp").help(), "did you mean `link.up`?");
        let old = error("ioctl.ethtool").help();
        assert_eq!(old, "write `ioctl.ethtool.*`, or one of them");
        assert!(matches!(error("link*"), PatternError::Star(_)));
        assert!(matches!(error("*.add"), PatternError::Star(_)));
        assert!(matches!(error("lnk.*"), PatternError::MatchesNothing(_)));
        assert!(matches!(error(""), PatternError::Unknown(_)));
        assert!(matches!(
            error("promiscuous.flag"),
            PatternError::Promiscuous(_)
        ));
    }
}
