//! The third stage: every value means something, and the policies go together.

use std::ops::Range;

use netadmin_common::SocketOption;
use toml::Spanned;

use super::glob::PathGlob;
use super::interface::InterfacePattern;
use super::operation_pattern::OperationPattern;
use super::parsed::{Access, Mode, OnBreach};
use super::value_set::Values;

/// The policies of a file without errors, in its order.
#[derive(Debug)]
pub struct Checked(pub(super) Vec<Policy>);

/// A policy that can be compiled.
#[derive(Debug)]
pub struct Policy {
    /// Its name, unique in the file.
    pub name: Spanned<String>,
    /// Whether refusals are carried out.
    pub mode: Mode,
    /// Its globs, at least one.
    pub cgroups: Vec<PathGlob>,
    /// Promiscuous mode.
    pub promiscuous: Option<Promiscuous>,
    /// The pieces of the capability.
    pub net_admin: Option<NetAdmin>,
    /// Socket options.
    pub options: Vec<OptionRule>,
}

/// What is said of promiscuous mode.
#[derive(Debug)]
pub struct Promiscuous {
    /// `default`.
    pub default: Spanned<Access>,
    /// `keep`.
    pub keep: Option<Spanned<Access>>,
    /// `side_effects`.
    pub side_effects: Option<Spanned<Access>>,
    /// `on_breach`.
    pub on_breach: Option<Spanned<OnBreach>>,
    /// The place of `allow`.
    pub allow_span: Option<Range<usize>>,
    /// `allow`, at most as many as a record holds.
    pub allow: Vec<InterfacePattern>,
}

/// What is said of the pieces of the capability.
#[derive(Debug)]
pub struct NetAdmin {
    /// `default`.
    pub default: Spanned<Access>,
    /// `allow`.
    pub allow: Vec<OperationEntry>,
    /// `deny`, which beats `allow`.
    pub deny: Vec<OperationEntry>,
}

/// An entry of a list of operations.
#[derive(Debug)]
pub struct OperationEntry {
    /// What it names.
    pub pattern: OperationPattern,
    /// On which interfaces alone.
    pub on: Option<InterfacePattern>,
    /// Its place.
    pub span: Range<usize>,
}

/// What is said of an option.
#[derive(Debug)]
pub struct OptionRule {
    /// The option.
    pub option: SocketOption,
    /// The place of the key.
    pub span: Range<usize>,
    /// The answer.
    pub answer: OptionAnswer,
}

/// What is said of an option.
#[derive(Debug, PartialEq, Eq)]
pub enum OptionAnswer {
    /// For every value.
    Access(Access),
    /// Only these values are allowed; their ranges fit a record.
    Values(Values),
}
