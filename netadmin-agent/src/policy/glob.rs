//! Path globs: which cgroups a policy matches.
//!
//! A glob is matched component by component. `*` is any run of characters
//! within one component, `?` any one character, `[a-z]` or `[!a-z]` one
//! character of a class or outside it, and `**`, alone in a component, any
//! number of components, none included. Everything else stands for itself; so
//! does the backslash, because systemd writes cgroup names such as
//! `system-getty\x2dgenerator.slice`.

use std::fmt;

use netadmin_common::glob::{
    ANY_DEPTH, ANY_ONE, ANY_RUN, CLASS, CLASS_LEN, GLOB_LEN, GlobRecord, NOT_CLASS, UNSURE,
};

/// Why a text is no glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is the empty string.
    #[error("the glob is empty")]
    Empty,
    /// It does not begin with `/`.
    #[error("the glob is relative: a cgroup path begins with `/`, the root of the cgroup2 tree")]
    Relative,
    /// `//`, or `/` at the end.
    #[error("the glob has an empty component: no cgroup has a path with `//` or a trailing `/`")]
    EmptyComponent,
    /// `.` or `..`.
    #[error("`.` and `..` are no names of cgroups")]
    DotComponent,
    /// `a**`.
    #[error("`**` stands for whole components: write it alone between two `/`")]
    DoubleStarWithin,
    /// `[` without `]`.
    #[error("the class that `[` begins has no `]`")]
    OpenClass,
    /// `[]` or `[!]`.
    #[error("the class `[]` has no members")]
    EmptyClass,
    /// `[z-a]`.
    #[error("the range `{0}-{1}` is upside down")]
    UpsideDown(char, char),
    /// A zero byte or a newline.
    #[error("no cgroup has a control character in its name")]
    Control,
}

/// A checked path glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGlob {
    text: String,
    /// How much of it, from its beginning, every path that it matches begins with.
    literal: usize,
    components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    AnyDepth,
    Name(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    AnyRun,
    AnyOne,
    One(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl PathGlob {
    /// Reads a glob.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(GlobError::Control);
        }
        let rest = text.strip_prefix('/').ok_or(GlobError::Relative)?;
        let components = match rest {
            "" => Vec::new(),
            _ => rest
                .split('/')
                .map(Component::parse)
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            text: text.to_owned(),
            literal: literal_part(text),
            components,
        })
    }

    /// Whether the cgroup at exactly this path is matched. What lies below it
    /// is guarded too, but by inheritance, not by this function.
    pub fn matches(&self, path: &str) -> bool {
        // Of hundreds of policies most are told apart by this.
        if !path.starts_with(&self.text[..self.literal]) {
            return false;
        }
        let Some(rest) = path.strip_prefix('/') else {
            return false;
        };
        let names: Vec<&str> = match rest {
            "" => Vec::new(),
            _ => rest.split('/').collect(),
        };
        wild_match(
            &self.components,
            &names,
            |component| *component == Component::AnyDepth,
            |component, name| component.matches(name),
        )
    }

    /// The glob as the programs match it. What does not fit is left for the agent
    /// to decide.
    pub fn to_record(&self, policy: u32) -> GlobRecord {
        let mut record = GlobRecord {
            policy,
            ..GlobRecord::EMPTY
        };
        let mut code = Vec::new();
        for component in &self.components {
            component.compile(&mut code);
        }
        if code.len() > GLOB_LEN {
            code.truncate(GLOB_LEN - CLASS_LEN - 1);
            // Not in the middle of a class: back to where a component begins.
            let whole = code.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            code.truncate(whole);
            code.push(UNSURE);
        }
        record.code[..code.len()].copy_from_slice(&code);
        record.len = code.len() as u32;
        record
    }

    /// Whether every path that `other` matches is surely matched by this glob.
    /// `false` may also mean that it is hard to tell.
    pub fn covers(&self, other: &Self) -> bool {
        wild_match(
            &self.components,
            &other.components,
            |component| *component == Component::AnyDepth,
            |mine, theirs| mine.covers(theirs),
        )
    }
}

/// The length of what stands for itself at the beginning; without the `/` before `**`,
/// which may stand for nothing.
fn literal_part(text: &str) -> usize {
    let end = text.find(['*', '?', '[']).unwrap_or(text.len());
    text[..end].trim_end_matches('/').len()
}

impl fmt::Display for PathGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Component {
    fn parse(text: &str) -> Result<Self, GlobError> {
        match text {
            "" => return Err(GlobError::EmptyComponent),
            "." | ".." => return Err(GlobError::DotComponent),
            "**" => return Ok(Self::AnyDepth),
            _ => {}
        }
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (token, after) = Token::parse(first, &rest[first.len_utf8()..])?;
            if token == Token::AnyRun && tokens.last() == Some(&token) {
                return Err(GlobError::DoubleStarWithin);
            }
            tokens.push(token);
            rest = after;
        }
        Ok(Self::Name(tokens))
    }

    fn compile(&self, code: &mut Vec<u8>) {
        match self {
            Self::AnyDepth => code.push(ANY_DEPTH),
            Self::Name(tokens) => {
                code.push(b'/');
                for token in tokens {
                    token.compile(code);
                }
            }
        }
    }

    fn matches(&self, name: &str) -> bool {
        let Self::Name(tokens) = self else {
            return false;
        };
        let characters: Vec<char> = name.chars().collect();
        wild_match(
            tokens,
            &characters,
            |token| *token == Token::AnyRun,
            |token, character| token.matches(*character),
        )
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(mine), Self::Name(theirs)) => {
                wild_match(mine, theirs, |token| *token == Token::AnyRun, Token::covers)
            }
            _ => false,
        }
    }
}

impl Token {
    fn parse(first: char, rest: &str) -> Result<(Self, &str), GlobError> {
        match first {
            '*' => Ok((Self::AnyRun, rest)),
            '?' => Ok((Self::AnyOne, rest)),
            '[' => Self::parse_class(rest),
            other => Ok((Self::One(other), rest)),
        }
    }

    fn parse_class(text: &str) -> Result<(Self, &str), GlobError> {
        let (body, rest) = text.split_once(']').ok_or(GlobError::OpenClass)?;
        let (negated, members) = match body.strip_prefix('!') {
            Some(members) => (true, members),
            None => (false, body),
        };
        let members: Vec<char> = members.chars().collect();
        let ranges = class_ranges(&members)?;
        Ok((Self::Class { negated, ranges }, rest))
    }

    fn compile(&self, code: &mut Vec<u8>) {
        match self {
            Self::AnyRun => code.push(ANY_RUN),
            Self::AnyOne => code.push(ANY_ONE),
            Self::One(character) => {
                code.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Self::Class { ranges, .. } if ranges.iter().any(|(_, last)| !last.is_ascii()) => {
                code.push(UNSURE);
            }
            Self::Class { negated, ranges } => {
                let mut bits = [0u8; CLASS_LEN];
                for byte in 0..128u8 {
                    let character = char::from(byte);
                    let member = ranges
                        .iter()
                        .any(|(first, last)| (*first..=*last).contains(&character));
                    // No name has a `/`.
                    if member && byte != b'/' {
                        bits[usize::from(byte >> 3)] |= 1 << (byte & 7);
                    }
                }
                code.push(if *negated { NOT_CLASS } else { CLASS });
                code.extend_from_slice(&bits);
            }
        }
    }

    fn matches(&self, character: char) -> bool {
        match self {
            Self::AnyRun => false,
            Self::AnyOne => true,
            Self::One(mine) => *mine == character,
            Self::Class { negated, ranges } => {
                let member = ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&character));
                member != *negated
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::AnyRun) => false,
            (Self::AnyOne, _) => true,
            (_, Self::One(character)) => self.matches(*character),
            _ => self == other,
        }
    }
}

fn class_ranges(mut members: &[char]) -> Result<Vec<(char, char)>, GlobError> {
    let mut ranges = Vec::new();
    loop {
        let (range, rest) = match members {
            [] if ranges.is_empty() => return Err(GlobError::EmptyClass),
            [] => return Ok(ranges),
            [first, '-', last, rest @ ..] => ((*first, *last), rest),
            [only, rest @ ..] => ((*only, *only), rest),
        };
        if range.0 > range.1 {
            return Err(GlobError::UpsideDown(range.0, range.1));
        }
        ranges.push(range);
        members = rest;
    }
}

/// Matches a pattern with stars against a subject, in at most
/// `pattern.len() * subject.len()` steps: only the last star is ever reopened.
fn wild_match<P, S>(
    pattern: &[P],
    subject: &[S],
    is_star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &S) -> bool,
) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut reopen = None;
    while seen < subject.len() {
        if at < pattern.len() && is_star(&pattern[at]) {
            reopen = Some((at + 1, seen));
            at += 1;
        } else if at < pattern.len() && fits(&pattern[at], &subject[seen]) {
            at += 1;
            seen += 1;
        } else if let Some((after_star, taken)) = reopen {
            reopen = Some((after_star, taken + 1));
            at = after_star;
            seen = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_star)
}

#[cfg(test)]
#[path = "glob_tests.rs"]
mod tests;
