//! `netadmin-agent explain`: what a policy says to an operation, why, and what
//! would change it. It asks the function that the programs ask.

use anyhow::bail;
use netadmin_common::policy::OPTION_VALUES;
use netadmin_common::{
    Device, Operation, OperationKind, Rule, SocketOption, Text, Value, Verdict, decide,
};

use crate::cli::ExplainOptions;
use crate::exit::Exit;
use crate::output;
use crate::policy::net_admin::{NetAdminRules, OperationRule};
use crate::policy::operation_pattern::OperationPattern;
use crate::policy::{self, CompiledPolicy, PolicySet};

/// Explains each operation; a negative answer if one of them is refused.
pub fn explain(options: &ExplainOptions) -> anyhow::Result<Exit> {
    let loaded = policy::load(&options.policy)?;
    output::show_report(&loaded.warnings);
    let kinds = kinds(&options.operations)?;
    let device = device(options);
    let Some((policy, guarding)) = guard(&loaded.set, &options.cgroup) else {
        output::print(&format!(
            "no policy guards {}: everything is allowed\n",
            options.cgroup
        ))?;
        return Ok(Exit::Success);
    };
    let mut text = format!("policy `{}`, which {guarding}\n", policy.name);
    if loaded.source.is_directory() {
        text.push_str(&format!("lines are of {}\n", policy.file));
    }
    let mut refused = false;
    for kind in kinds {
        let answer = Answer::new(policy, kind, &device);
        refused |= answer.refused;
        text.push_str(&answer.text());
    }
    output::print(&text)?;
    Ok(if refused {
        Exit::Negative
    } else {
        Exit::Success
    })
}

/// The interface as far as the command line tells it; none if it does not.
fn device(options: &ExplainOptions) -> Device {
    let text = |told: &Option<String>| Text::new(told.as_deref().unwrap_or_default().as_bytes());
    Device {
        index: u32::from(options.interface.is_some() || options.kind.is_some()),
        name: text(&options.interface),
        kind: text(&options.kind),
        ..Device::default()
    }
}

fn kinds(names: &[String]) -> anyhow::Result<Vec<OperationKind>> {
    let mut kinds = Vec::new();
    for name in names {
        if let Some(kind) = OperationKind::from_name(name) {
            kinds.push(kind);
            continue;
        }
        match OperationPattern::parse(name) {
            Ok(pattern) => kinds.extend(pattern.kinds()),
            Err(error) => bail!("{error}; {}", error.help()),
        }
    }
    Ok(kinds)
}

/// The policy of a cgroup, and by which path.
fn guard<'a>(set: &'a PolicySet, cgroup: &str) -> Option<(&'a CompiledPolicy, String)> {
    let mut path = cgroup;
    loop {
        if let Some(index) = set.policy_for(path) {
            let guarding = if path == cgroup {
                format!("matches {cgroup}")
            } else {
                format!("matches {path}, above {cgroup}")
            };
            return set.policies.get(index).map(|policy| (policy, guarding));
        }
        path = match path.rfind('/') {
            Some(0) if path.len() > 1 => "/",
            Some(at @ 1..) => &path[..at],
            _ => return None,
        };
    }
}

struct Answer {
    kind: OperationKind,
    refused: bool,
    why: String,
    edit: String,
}

impl Answer {
    fn new(policy: &CompiledPolicy, kind: OperationKind, device: &Device) -> Self {
        let by_value = option(kind).and_then(|option| Self::by_option(policy, option));
        if let Some(answer) = by_value {
            return answer;
        }
        let verdict = match decide(&policy.record, &Operation::piece(kind)) {
            Verdict::Refuse(_) if policy.record.grants.hold(kind, device) => Verdict::Allow,
            verdict => verdict,
        };
        let (refused, rule) = match verdict {
            Verdict::Allow => (false, None),
            Verdict::Report(rule) => (false, Some(rule)),
            Verdict::Refuse(rule) => (true, Some(rule)),
        };
        if !kind.is_piece() {
            let why = rule.map_or("allowed".to_owned(), |rule| place(policy, rule, kind));
            let edit = "see `[policy.promiscuous]`".to_owned();
            return Self {
                kind,
                refused,
                why,
                edit,
            };
        }
        let (why, edit) = match &policy.net_admin {
            Some(rules) if refused => refusal(rules, kind),
            Some(rules) => permission(rules, kind, device),
            None => (
                "the policy has no `[policy.net_admin]`".to_owned(),
                format!(
                    "add `[policy.net_admin]` with `default = \"allow\"` and `deny = [\"{}\"]`",
                    kind.name()
                ),
            ),
        };
        Self {
            kind,
            refused,
            why,
            edit,
        }
    }

    /// What `[policy.setsockopt]` says, if that is not simply yes.
    fn by_option(policy: &CompiledPolicy, option: SocketOption) -> Option<Self> {
        let kind = option.operation();
        let record = &policy.record.options[option as usize];
        let operation = Operation::set(option, Value::Privileged);
        let rule = match decide(&policy.record, &operation) {
            Verdict::Refuse(rule) => rule,
            _ if record.rule == OPTION_VALUES
                && !policy.record.net_admin.refused.contains(kind) =>
            {
                return Some(Self {
                    kind,
                    refused: false,
                    why: format!(
                        "for some values only: see `[policy.setsockopt]` {}",
                        option.name()
                    ),
                    edit: format!("write `{} = \"deny\"`", option.name()),
                });
            }
            _ => return None,
        };
        let mut edit = format!("write `{} = \"allow\"`, or give it values", option.name());
        // Both sections have to let it pass.
        if let Some(rules) = &policy.net_admin
            && policy.record.net_admin.refused.contains(kind)
        {
            edit = format!("{edit}, and {}", refusal(rules, kind).1);
        }
        Some(Self {
            kind,
            refused: true,
            why: place(policy, rule, kind),
            edit,
        })
    }

    fn text(&self) -> String {
        let verdict = if self.refused { "refused" } else { "allowed" };
        format!(
            "{}: {verdict}: {}\n    to change it: {}\n",
            self.kind.name(),
            self.why,
            self.edit
        )
    }
}

fn option(kind: OperationKind) -> Option<SocketOption> {
    SocketOption::ALL
        .into_iter()
        .find(|option| option.operation() == kind)
}

fn place(policy: &CompiledPolicy, rule: Rule, kind: OperationKind) -> String {
    match policy.rule_line(rule, Some(kind)) {
        Some(line) => format!("by {}, line {line}", rule.name()),
        None => format!("by {}", rule.name()),
    }
}

fn refusal(rules: &NetAdminRules, kind: OperationKind) -> (String, String) {
    let name = kind.name();
    let Some(denying) = rules.denying(kind) else {
        let line = rules
            .allow
            .first()
            .map_or(rules.default_line, |rule| rule.line);
        let granted: String = rules
            .granting(kind)
            .map(|rule| {
                format!(
                    "; but allowed by net_admin.allow, line {}: {rule}",
                    rule.line
                )
            })
            .collect();
        let edit = format!("add \"{name}\" to `allow`, line {line}");
        return (
            format!("by net_admin.default, line {}{granted}", rules.default_line),
            edit + &without_escaped(rules, kind),
        );
    };
    let edit = without(&naming(&rules.deny, kind), "deny", kind);
    let edit = if rules.default_deny && rules.allowing(kind).is_none() {
        format!("{edit}, and add \"{name}\" to `allow`")
    } else {
        edit
    };
    let edit = edit + &without_escaped(rules, kind);
    (told("net_admin.deny", denying), edit)
}

/// The rest of an edit that grants an operation: conditions that it would make worth
/// nothing have to go, or `check` refuses the policy.
fn without_escaped(rules: &NetAdminRules, kind: OperationKind) -> String {
    let is_escaped = |rule: &&OperationRule| {
        let on = rule.on.as_ref();
        on.is_some_and(|on| on.is_escaped_by(kind))
    };
    let escaped = rules.allow.iter().filter(is_escaped);
    let edits =
        escaped.map(|rule| format!(", and take \"{rule}\" out of `allow`, line {}", rule.line));
    edits.collect()
}

fn permission(rules: &NetAdminRules, kind: OperationKind, device: &Device) -> (String, String) {
    let name = kind.name();
    let on_this = |rule: &&OperationRule| {
        let on = rule.on.as_ref();
        on.is_some_and(|on| on.to_record().matches(device))
    };
    let allowing = rules.allowing(kind);
    let several = naming(&rules.allow, kind).len() > 1;
    match allowing.or_else(|| rules.granting(kind).find(on_this)) {
        Some(allowing) if several || allowing.pattern.is_wildcard() => (
            told("net_admin.allow", allowing),
            format!("add \"{name}\" to `deny`"),
        ),
        Some(allowing) => (
            told("net_admin.allow", allowing),
            without(&naming(&rules.allow, kind), "allow", kind),
        ),
        None => (
            format!("by net_admin.default, line {}", rules.default_line),
            format!("add \"{name}\" to `deny`"),
        ),
    }
}

fn told(key: &str, rule: &OperationRule) -> String {
    format!("by {key}, line {}: \"{rule}\"", rule.line)
}

fn naming(rules: &[OperationRule], kind: OperationKind) -> Vec<&OperationRule> {
    rules
        .iter()
        .filter(|rule| rule.pattern.matches(kind))
        .collect()
}

/// How to take an operation out of a list.
fn without(rules: &[&OperationRule], key: &str, kind: OperationKind) -> String {
    let edits = rules.iter().map(|rule| {
        if rule.pattern.is_wildcard() {
            format!(
                "write out \"{rule}\" in `{key}`, line {}, without \"{}\"",
                rule.line,
                kind.name()
            )
        } else {
            format!("take \"{rule}\" out of `{key}`, line {}", rule.line)
        }
    });
    edits.collect::<Vec<_>>().join(", and ")
}
