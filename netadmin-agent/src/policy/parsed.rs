//! The second stage: a file of the right shape. Every key is known and has a
//! value of its type; what the values mean is not looked at yet.

use std::ops::Range;

use netadmin_common::SocketOption;
use toml::Spanned;

/// A file: policies in its order.
#[derive(Debug, Default)]
pub struct File {
    /// Each `[[policy]]`.
    pub policies: Vec<Policy>,
}

/// A `[[policy]]`. Where an `Option` is `None`, the key is not there, or it
/// was found wrong and is among the faults.
#[derive(Debug)]
pub struct Policy {
    /// The place of the whole.
    pub span: Range<usize>,
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `mode`.
    pub mode: Option<Spanned<Mode>>,
    /// `match.cgroups`.
    pub cgroups: Option<Spanned<Vec<Spanned<String>>>>,
    /// `[policy.promiscuous]`.
    pub promiscuous: Option<Promiscuous>,
    /// `[policy.net_admin]`.
    pub net_admin: Option<NetAdmin>,
    /// `[policy.setsockopt]`.
    pub options: Vec<OptionRule>,
}

/// Whether refusals are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Refuse, and report.
    Enforce,
    /// Let pass, and report.
    Audit,
}

/// The answer that a rule gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `"allow"`.
    Allow,
    /// `"deny"`.
    Deny,
}

/// What becomes of a task that raised promiscuity all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBreach {
    /// `"report"`.
    Report,
    /// `"kill"`.
    Kill,
}

/// `[policy.promiscuous]`.
#[derive(Debug)]
pub struct Promiscuous {
    /// `default`.
    pub default: Option<Spanned<Access>>,
    /// `keep`.
    pub keep: Option<Spanned<Access>>,
    /// `side_effects`.
    pub side_effects: Option<Spanned<Access>>,
    /// `on_breach`.
    pub on_breach: Option<Spanned<OnBreach>>,
    /// `allow`.
    pub allow: Option<Spanned<Vec<Spanned<Interface>>>>,
}

/// A list of names.
pub type Names = Spanned<Vec<Spanned<String>>>;

/// A list of entries of `[policy.net_admin]`.
pub type Entries = Spanned<Vec<OperationText>>;

/// `"link.mtu"`, or `{ op = "link.mtu", interface = "tap*" }`.
#[derive(Debug)]
pub struct OperationText {
    /// The operation, or a wildcard.
    pub name: Spanned<String>,
    /// The place of the whole.
    pub span: Range<usize>,
    /// On which interfaces alone.
    pub on: Option<Spanned<Interface>>,
}

/// `[policy.net_admin]`.
#[derive(Debug)]
pub struct NetAdmin {
    /// `default`.
    pub default: Option<Spanned<Access>>,
    /// `allow`.
    pub allow: Option<Entries>,
    /// `deny`.
    pub deny: Option<Entries>,
}

/// An entry of `promiscuous.allow`, or a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `"tap*"`.
    Name(String),
    /// `{ kind = "tun" }`.
    Kind(String),
}

/// A key of `[policy.setsockopt]` with its rule.
#[derive(Debug)]
pub struct OptionRule {
    /// The option.
    pub option: SocketOption,
    /// The place of the key.
    pub span: Range<usize>,
    /// What is said of it.
    pub answer: Answer,
}

/// What is said of an option.
#[derive(Debug)]
pub enum Answer {
    /// `"allow"` or `"deny"`.
    Access(Access),
    /// `{ allow = [...], deny = [...] }`.
    Values {
        /// The place of the whole.
        span: Range<usize>,
        /// `allow`.
        allow: Option<Vec<Spanned<Entry>>>,
        /// `deny`.
        deny: Option<Vec<Spanned<Entry>>>,
    },
}

/// An entry of a list of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A TOML integer.
    Number {
        /// Its digits, with its sign.
        digits: String,
        /// Their base.
        radix: u32,
    },
    /// A TOML string.
    Text(String),
}
