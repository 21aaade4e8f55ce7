//! One entry of `promiscuous.allow`: which interfaces are excepted.

use std::fmt;

use netadmin_common::device::IFNAMSIZ;
use netadmin_common::{Exception, OperationKind};

/// Why a text names no interfaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceError {
    /// The empty string, or `{ kind = "" }`.
    #[error("an interface exception needs at least one character")]
    Empty,
    /// `*`.
    #[error("`*` excepts every interface: write `default = \"allow\"` if that is meant")]
    Everything,
    /// Longer than the kernel's names are.
    #[error("{0:?} is longer than 15 bytes, the longest that an interface's name can be")]
    TooLong(String),
    /// A character that no name has, or that looks like a pattern.
    #[error("{character:?} cannot stand in an interface exception")]
    BadCharacter {
        /// The character.
        character: char,
    },
}

/// Which interfaces one entry excepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfacePattern {
    /// The one of this name.
    Name(String),
    /// Those whose name begins so.
    Prefix(String),
    /// Those of this link kind.
    Kind(String),
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Prefix(prefix) => write!(formatter, "{prefix}*"),
            Self::Kind(kind) => write!(formatter, "kind {kind}"),
        }
    }
}

impl InterfacePattern {
    /// Reads a name, or the beginning of names with a `*` after it.
    pub fn parse_name(text: &str) -> Result<Self, InterfaceError> {
        match text.strip_suffix('*') {
            Some("") => Err(InterfaceError::Everything),
            Some(prefix) => checked(prefix).map(Self::Prefix),
            None => checked(text).map(Self::Name),
        }
    }

    /// Reads a link kind, such as `tun`.
    pub fn parse_kind(text: &str) -> Result<Self, InterfaceError> {
        checked(text).map(Self::Kind)
    }

    /// Whether it goes by name, which belongs to the attacker.
    pub fn is_by_name(&self) -> bool {
        !matches!(self, Self::Kind(_))
    }

    /// Whether what this operation does could bring any interface under the condition.
    pub fn is_escaped_by(&self, kind: OperationKind) -> bool {
        match kind {
            OperationKind::LinkRename => self.is_by_name(),
            OperationKind::LinkNamespace => true,
            _ => false,
        }
    }

    /// The entry as the programs read it.
    pub fn to_record(&self) -> Exception {
        match self {
            Self::Name(name) => Exception::name(name),
            Self::Prefix(prefix) => Exception::prefix(prefix),
            Self::Kind(kind) => Exception::kind(kind),
        }
    }
}

/// What `dev_valid_name` takes, without the characters of patterns: those are
/// refused so that `eth[0-9]` is not taken for a name.
fn checked(text: &str) -> Result<String, InterfaceError> {
    if text.is_empty() {
        return Err(InterfaceError::Empty);
    }
    if let Some(character) = text.chars().find(|&c| is_refused(c)) {
        return Err(InterfaceError::BadCharacter { character });
    }
    if text.len() >= IFNAMSIZ {
        return Err(InterfaceError::TooLong(text.to_owned()));
    }
    Ok(text.to_owned())
}

fn is_refused(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "/:*?[]{}!".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_prefixes_and_kinds_compile_to_their_records() {
        let name = InterfacePattern::parse_name("eth1").expect("a name");
        let prefix = InterfacePattern::parse_name("tap*").expect("a prefix");
        let kind = InterfacePattern::parse_kind("tun").expect("a kind");
        assert_eq!(name.to_record(), Exception::name("eth1"));
        assert_eq!(prefix.to_record(), Exception::prefix("tap"));
        assert_eq!(kind.to_record(), Exception::kind("tun"));
        assert!(name.is_by_name() && prefix.is_by_name() && !kind.is_by_name());
    }

    #[test]
    fn the_longest_name_is_fifteen_bytes() {
        assert!(InterfacePattern::parse_name("abcdefghijklmno").is_ok());
        assert!(InterfacePattern::parse_name("abcdefghijklmno*").is_ok());
        assert!(InterfacePattern::parse_name("abcdefghijklmnop").is_err());
        assert!(InterfacePattern::parse_name("äbcdefghijklmno").is_err());
    }

    #[test]
    fn other_patterns_are_refused() {
        for text in [
            "", "*", "e*h", "**", "eth?", "eth[0]", "a/b", "a b", "a:b", "a\n", "{a}",
        ] {
            assert!(InterfacePattern::parse_name(text).is_err(), "{text:?}");
        }
        assert!(InterfacePattern::parse_kind("tu*").is_err());
    }
}
