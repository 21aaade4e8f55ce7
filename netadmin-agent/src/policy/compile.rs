//! From checked policies to the records that the programs read.

use netadmin_common::policy::{
    MODE_AUDIT, MODE_ENFORCE, OPTION_DENY, OPTION_FREE, OPTION_KERNEL_LINE, OPTION_VALUES,
    OptionRecord, PROMISCUOUS_DENY, PROMISCUOUS_KEEP_DENY, PROMISCUOUS_KILL,
    PROMISCUOUS_NAMES_EXCEPTED, PROMISCUOUS_SIDE_EFFECTS_ALLOW, PromiscuousRecord,
};
use netadmin_common::{PolicyRecord, Rule, SocketOption, ValueSet};
use toml::Spanned;

use super::checked::{Checked, OptionAnswer, Policy, Promiscuous};
use super::compiled::{CompiledPolicy, PolicySet};
use super::interface::InterfacePattern;
use super::net_admin::NetAdminRules;
use super::parsed::{Access, Mode, OnBreach};
use super::sources::Sources;
use super::value_set::{Values, domain};

/// Compiles the policies of all files.
pub fn compile(checked: Checked, source: &Sources) -> PolicySet {
    let policies = checked.0.into_iter();
    PolicySet {
        policies: policies
            .map(|policy| compile_policy(policy, source))
            .collect(),
    }
}

fn compile_policy(policy: Policy, source: &Sources) -> CompiledPolicy {
    let mut record = PolicyRecord::EMPTY;
    let mut lines = Vec::new();
    record.mode = match policy.mode {
        Mode::Enforce => MODE_ENFORCE,
        Mode::Audit => MODE_AUDIT,
    };
    if let Some(promiscuous) = &policy.promiscuous {
        record.promiscuous = compile_promiscuous(promiscuous);
        lines.extend(promiscuous_lines(promiscuous, source));
    }
    for rule in &policy.options {
        record.options[rule.option as usize] = compile_option(rule.option, &rule.answer);
        lines.push((rule_of(rule.option), source.line(rule.span.start)));
    }
    let net_admin = policy
        .net_admin
        .map(|section| NetAdminRules::compile(section, source));
    if let Some(rules) = &net_admin {
        record.net_admin = rules.record();
        record.grants = rules.grants();
        lines.push((Rule::NetAdmin, rules.default_line));
    }
    CompiledPolicy {
        file: source.file_at(policy.name.span().start).1.name.clone(),
        name: policy.name.into_inner(),
        cgroups: policy.cgroups,
        record,
        net_admin,
        lines,
    }
}

fn compile_promiscuous(promiscuous: &Promiscuous) -> PromiscuousRecord {
    let says = |access: &Option<Spanned<Access>>, word: Access| {
        access
            .as_ref()
            .is_some_and(|access| *access.get_ref() == word)
    };
    let mut record = PromiscuousRecord::default();
    if *promiscuous.default.get_ref() == Access::Deny {
        record.flags |= PROMISCUOUS_DENY;
    }
    if says(&promiscuous.keep, Access::Deny) {
        record.flags |= PROMISCUOUS_KEEP_DENY;
    }
    if says(&promiscuous.side_effects, Access::Allow) {
        record.flags |= PROMISCUOUS_SIDE_EFFECTS_ALLOW;
    }
    let on_breach = promiscuous.on_breach.as_ref().map(Spanned::get_ref);
    if on_breach == Some(&OnBreach::Kill) {
        record.flags |= PROMISCUOUS_KILL;
    }
    if promiscuous.allow.iter().any(InterfacePattern::is_by_name) {
        record.flags |= PROMISCUOUS_NAMES_EXCEPTED;
    }
    for (slot, pattern) in record.exceptions.iter_mut().zip(&promiscuous.allow) {
        *slot = pattern.to_record();
        record.len += 1;
    }
    record
}

fn promiscuous_lines(promiscuous: &Promiscuous, source: &Sources) -> [(Rule, usize); 4] {
    let default = promiscuous.default.span();
    let line = |access: &Option<Spanned<Access>>| {
        let span = access.as_ref().map_or(default.clone(), Spanned::span);
        source.line(span.start)
    };
    let allow = promiscuous.allow_span.clone().unwrap_or(default.clone());
    [
        (Rule::Promiscuous, source.line(default.start)),
        (Rule::PromiscuousKeep, line(&promiscuous.keep)),
        (
            Rule::PromiscuousSideEffects,
            line(&promiscuous.side_effects),
        ),
        (Rule::PromiscuousAllow, source.line(allow.start)),
    ]
}

fn rule_of(option: SocketOption) -> Rule {
    match option {
        SocketOption::Debug => Rule::Debug,
        SocketOption::Priority => Rule::Priority,
        SocketOption::SndBufForce => Rule::SndBufForce,
        SocketOption::RcvBufForce => Rule::RcvBufForce,
        SocketOption::Mark => Rule::Mark,
    }
}

/// What an unprivileged caller may set: for these values the kernel asks for
/// no capability (`sk_setsockopt`), so that only a program that sees the value
/// can refuse them.
fn unprivileged(option: SocketOption) -> Values {
    match option {
        SocketOption::Debug => Values::union_of([0..=0]),
        SocketOption::Priority => Values::union_of([0..=6]),
        SocketOption::SndBufForce | SocketOption::RcvBufForce | SocketOption::Mark => {
            Values::default()
        }
    }
}

fn compile_option(option: SocketOption, answer: &OptionAnswer) -> OptionRecord {
    match answer {
        OptionAnswer::Access(Access::Allow) => record(OPTION_FREE, ValueSet::EMPTY),
        OptionAnswer::Access(Access::Deny) => match option {
            // Switching it on is what is refused; anyone may switch it off.
            SocketOption::Debug => record(OPTION_DENY, ValueSet::EMPTY),
            _ => compile_values(option, &Values::default()),
        },
        OptionAnswer::Values(values) => compile_values(option, values),
    }
}

fn compile_values(option: SocketOption, values: &Values) -> OptionRecord {
    if values.is_exactly(&domain(option)) {
        return record(OPTION_FREE, ValueSet::EMPTY);
    }
    if *values == unprivileged(option) {
        let rule = match option {
            SocketOption::Priority => OPTION_KERNEL_LINE,
            _ => OPTION_DENY,
        };
        return record(rule, ValueSet::EMPTY);
    }
    // A set that does not fit was an error of the stage before; should one
    // come here all the same, it refuses everything.
    record(OPTION_VALUES, values.to_record().unwrap_or(ValueSet::EMPTY))
}

fn record(rule: u32, allowed: ValueSet) -> OptionRecord {
    OptionRecord {
        rule,
        reserved: 0,
        allowed,
    }
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
