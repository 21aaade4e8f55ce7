//! `[policy.net_admin]`, compiled: what the record says, and where it is said.

use netadmin_common::OperationKind;
use netadmin_common::pieces::NetAdminRecord;

use super::checked::{NetAdmin, OperationEntry};
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
    /// Its line.
    pub line: usize,
}

impl NetAdminRules {
    pub(super) fn compile(section: NetAdmin, source: &Sources) -> Self {
        let rules = |entries: Vec<OperationEntry>| {
            let rule = |entry: OperationEntry| OperationRule {
                pattern: entry.pattern,
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

    /// The first entry of `deny` that names the operation.
    pub fn denying(&self, kind: OperationKind) -> Option<&OperationRule> {
        find(&self.deny, kind)
    }

    /// The first entry of `allow` that names the operation.
    pub fn allowing(&self, kind: OperationKind) -> Option<&OperationRule> {
        find(&self.allow, kind)
    }
}

fn find(rules: &[OperationRule], kind: OperationKind) -> Option<&OperationRule> {
    rules.iter().find(|rule| rule.pattern.matches(kind))
}
