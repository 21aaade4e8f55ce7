//! Compiled policies: what the programs and the event reporter read.

use netadmin_common::{OperationKind, PolicyRecord, Rule};

use super::glob::PathGlob;
use super::net_admin::NetAdminRules;

/// A `[[policy]]`, compiled: the last stage.
#[derive(Clone, Debug)]
pub struct CompiledPolicy {
    /// Its name, unique in the set.
    pub name: String,
    /// The file that it is in.
    pub file: String,
    /// `match.cgroups`.
    pub cgroups: Vec<PathGlob>,
    /// What the programs read.
    pub record: PolicyRecord,
    /// `[policy.net_admin]`, with its lines.
    pub net_admin: Option<NetAdminRules>,
    pub(super) lines: Vec<(Rule, usize)>,
}

impl CompiledPolicy {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line of the file that makes this rule what it is: the rule's own,
    /// or, where it is not written down, that of the `promiscuous.default` it
    /// comes with; of `net_admin.deny`, that of the entry that names the
    /// operation.
    pub fn rule_line(&self, rule: Rule, operation: Option<OperationKind>) -> Option<usize> {
        if let (Rule::NetAdminDeny, Some(rules), Some(kind)) = (rule, &self.net_admin, operation) {
            return rules.denying(kind).map(|entry| entry.line);
        }
        let own = self.lines.iter().find(|(known, _)| *known == rule);
        own.map(|(_, line)| *line)
    }

    /// Whether `match.cgroups` names the cgroup at exactly this path.
    pub fn matches(&self, path: &str) -> bool {
        self.cgroups.iter().any(|glob| glob.matches(path))
    }

    /// Whether this policy needs the program that sees the values of socket
    /// options on its cgroups: for packet memberships and for value rules.
    pub fn needs_value_program(&self) -> bool {
        self.record.needs_value_program()
    }
}

/// The policies of a file, in its order.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    /// The policies; their places are the indices of the policy map.
    pub policies: Vec<CompiledPolicy>,
}

impl PolicySet {
    /// The policy of the cgroup at exactly this path: the first in the order
    /// of the file that matches it. `None` if none does; then its nearest
    /// guarded ancestor's policy holds, which is the caller's affair.
    pub fn policy_for(&self, path: &str) -> Option<usize> {
        self.policies.iter().position(|policy| policy.matches(path))
    }

    /// Whether any policy rules on pieces of the capability.
    pub fn rules_net_admin(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.record.rules_net_admin())
    }

    /// Whether any policy needs the program that sees values.
    pub fn needs_value_program(&self) -> bool {
        self.policies
            .iter()
            .any(CompiledPolicy::needs_value_program)
    }
}
