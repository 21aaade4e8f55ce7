//! What a policy comes to, in a few lines for people. It is read off the
//! compiled record, so that it says what will be enforced.

use std::fmt::Write;

use netadmin_common::policy::{
    EXCEPTION_KIND, EXCEPTION_PREFIX, MODE_AUDIT, OPTION_DENY, OPTION_FREE, OPTION_KERNEL_LINE,
    OPTION_VALUES, OptionRecord, PROMISCUOUS_KEEP_DENY, PROMISCUOUS_KILL,
    PROMISCUOUS_SIDE_EFFECTS_ALLOW, PromiscuousRecord,
};
use netadmin_common::{Exception, SocketOption};

use super::compiled::CompiledPolicy;
use super::net_admin::{NetAdminRules, OperationRule};
use super::operation_pattern::pieces;
use super::value_set::Values;

/// What a policy comes to: one line for it, and an indented one for each of
/// its globs and rules.
pub fn summarize(policy: &CompiledPolicy) -> String {
    let mode = match policy.record.mode {
        MODE_AUDIT => "audit",
        _ => "enforce",
    };
    let mut text = format!("  {} ({mode})\n", policy.name);
    for glob in &policy.cgroups {
        line(&mut text, "guards", &glob.to_string());
    }
    let mut silent = true;
    if policy.record.rules_promiscuity() {
        silent = false;
        line(
            &mut text,
            "promiscuous",
            &promiscuous(&policy.record.promiscuous),
        );
    }
    if let Some(rules) = &policy.net_admin {
        silent = false;
        line(&mut text, "net_admin", &net_admin(rules));
    }
    for option in SocketOption::ALL {
        let record = &policy.record.options[option as usize];
        if record.rule != OPTION_FREE {
            silent = false;
            line(&mut text, option.name(), &rule(option, record));
        }
    }
    if silent {
        line(&mut text, "rules", "none: everything is allowed");
    }
    text
}

fn line(text: &mut String, what: &str, says: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "    {what:<15} {says}");
}

fn net_admin(rules: &NetAdminRules) -> String {
    let list = |rules: &[OperationRule]| {
        let names = rules.iter().map(OperationRule::to_string);
        names.collect::<Vec<_>>().join(", ")
    };
    let (word, exceptions) = if rules.default_deny {
        ("deny", list(&rules.allow))
    } else {
        ("allow", list(&rules.deny))
    };
    let mut text = word.to_owned();
    if !exceptions.is_empty() {
        text.push_str(&format!(", except {exceptions}"));
    }
    if rules.default_deny && !rules.deny.is_empty() {
        text.push_str(&format!("; but never {}", list(&rules.deny)));
    }
    let record = rules.record();
    let refused = pieces().filter(|kind| record.refused.contains(*kind));
    text.push_str(&format!(
        "; {} of {} operations refused",
        refused.count(),
        pieces().count()
    ));
    text
}

fn promiscuous(record: &PromiscuousRecord) -> String {
    let mut text = String::from("deny");
    let exceptions = record.exceptions.iter().take(record.len as usize);
    let exceptions: Vec<String> = exceptions.map(exception).collect();
    if !exceptions.is_empty() {
        text.push_str(&format!(", except {}", exceptions.join(", ")));
    }
    let word = |flag: u32| {
        if record.flags & flag != 0 {
            ("deny", "allow")
        } else {
            ("allow", "deny")
        }
    };
    text.push_str(&format!("; keep: {}", word(PROMISCUOUS_KEEP_DENY).0));
    text.push_str(&format!(
        "; side effects: {}",
        word(PROMISCUOUS_SIDE_EFFECTS_ALLOW).1
    ));
    if record.flags & PROMISCUOUS_KILL != 0 {
        text.push_str("; on breach: kill");
    }
    text
}

fn exception(exception: &Exception) -> String {
    let bytes = exception.text.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end_matches('\0');
    match exception.by {
        EXCEPTION_KIND => format!("kind {text}"),
        EXCEPTION_PREFIX => format!("{text}*"),
        _ => text.to_owned(),
    }
}

fn rule(option: SocketOption, record: &OptionRecord) -> String {
    match (record.rule, option) {
        (OPTION_DENY, SocketOption::Debug) => "only 0, which switches it off".to_owned(),
        (OPTION_KERNEL_LINE, _) => "only 0..=6, as without the capability".to_owned(),
        (OPTION_VALUES, _) => match Values::from_record(&record.allowed) {
            values if values.is_empty() => "deny".to_owned(),
            values => format!("only {values}"),
        },
        _ => "deny".to_owned(),
    }
}
