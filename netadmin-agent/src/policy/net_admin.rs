//! `[policy.net_admin]`, compiled: what the record says, and where it is said.

use std::fmt;

use netadmin_common::OperationKind;
use netadmin_common::grants::{Grant, Grants, can_be_conditional};
use netadmin_common::pieces::NetAdminRecord;

use super::checked::{NetAdmin, OperationEntry};
use super::interface::InterfacePattern;
use super::operation_pattern::{OperationPattern, pieces};
use super::parsed::Access;
use super::sources::Sources;

/// The section, with its lines.
#[derive(Clone, Debug)]
pub struct NetAdminRules {
    /// Whether what nothing names is refused.
    pub default_deny: bool,
    /// The line of `default`.
    pub default_line: usize,
    /// `allow`.
    pub allow: Vec<OperationRule>,
    /// `deny`.
    pub deny: Vec<OperationRule>,
}

/// An entry of a list, with its line.
#[derive(Clone, Debug)]
pub struct OperationRule {
    /// What it names.
    pub pattern: OperationPattern,
    /// On which interfaces alone.
    pub on: Option<InterfacePattern>,
    /// Its line.
    pub line: usize,
}

impl fmt::Display for OperationRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.on {
            Some(on) => write!(formatter, "{} on {on}", self.pattern),
            None => self.pattern.fmt(formatter),
        }
    }
}

impl NetAdminRules {
    pub(super) fn compile(section: NetAdmin, source: &Sources) -> Self {
        let rules = |entries: Vec<OperationEntry>| {
            let rule = |entry: OperationEntry| OperationRule {
                pattern: entry.pattern,
                on: entry.on,
                line: source.line(entry.span.start),
            };
            entries.into_iter().map(rule).collect()
        };
        Self {
            default_deny: *section.default.get_ref() == Access::Deny,
            default_line: source.line(section.default.span().start),
            allow: rules(section.allow),
            deny: rules(section.deny),
        }
    }

    /// The sets that the programs read: deny beats allow.
    pub(super) fn record(&self) -> NetAdminRecord {
        let mut record = NetAdminRecord::default();
        for kind in pieces() {
            let denied = self.denying(kind).is_some();
            if denied {
                record.denied.insert(kind);
            }
            if denied || self.default_deny && self.allowing(kind).is_none() {
                record.refused.insert(kind);
            }
        }
        record
    }

    /// What is granted on some interfaces alone; deny beats it.
    pub(super) fn grants(&self) -> Grants {
        let mut grants = Grants::EMPTY;
        let conditional = self
            .allow
            .iter()
            .filter_map(|rule| Some((rule, rule.on.as_ref()?)));
        for (slot, (rule, on)) in grants.list.iter_mut().zip(conditional) {
            *slot = Grant {
                on: on.to_record(),
                ..Grant::default()
            };
            for kind in rule
                .pattern
                .kinds()
                .filter(|kind| can_be_conditional(*kind))
            {
                if self.denying(kind).is_none() {
                    slot.pieces.insert(kind);
                }
            }
            grants.len += 1;
        }
        grants
    }

    /// The entries of `allow` that grant the operation on some interfaces alone.
    pub fn granting(&self, kind: OperationKind) -> impl Iterator<Item = &OperationRule> {
        let possible = can_be_conditional(kind) && self.denying(kind).is_none();
        self.allow
            .iter()
            .filter(move |rule| possible && rule.on.is_some() && rule.pattern.matches(kind))
    }

    /// The first entry of `deny` that names the operation.
    pub fn denying(&self, kind: OperationKind) -> Option<&OperationRule> {
        find(&self.deny, kind)
    }

    /// The first entry of `allow` that grants the operation everywhere.
    pub fn allowing(&self, kind: OperationKind) -> Option<&OperationRule> {
        find(&self.allow, kind)
    }
}

fn find(rules: &[OperationRule], kind: OperationKind) -> Option<&OperationRule> {
    rules
        .iter()
        .find(|rule| rule.on.is_none() && rule.pattern.matches(kind))
}
