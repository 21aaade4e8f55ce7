//! The same for the pieces of the capability.

use netadmin_common::OperationKind;
use netadmin_common::grants::{MAX_GRANTS, can_be_conditional};
use toml::Spanned;

use super::checked::{NetAdmin, OperationEntry};
use super::fault::{Fault, Faults, Problem};
use super::interface::InterfacePattern;
use super::operation_pattern::OperationPattern;
use super::parsed::{self, Access, Entries, Interface, OperationText};

/// Checks `[policy.net_admin]`.
pub fn check_net_admin(section: parsed::NetAdmin, faults: &mut Faults) -> Option<NetAdmin> {
    let allow_span = section.allow.as_ref().map(Spanned::span);
    let allow = check_entries(section.allow, faults);
    let deny = check_entries(section.deny, faults);
    let default = section.default?;
    if let (Access::Allow, Some(span)) = (default.get_ref(), allow_span) {
        faults.push(
            Fault::new(Problem::NeedsDefaultDeny("allow"), span)
                .context(
                    default.span(),
                    "everything is allowed but what `deny` names",
                )
                .help("write `default = \"deny\"`, or leave the key out"),
        );
    }
    for entry in deny.iter().filter(|entry| entry.on.is_some()) {
        faults.push(
            Fault::new(Problem::ConditionalDeny, entry.span.clone())
                .help("deny it everywhere, or allow it on the other interfaces alone"),
        );
    }
    check_conditions(&allow, &deny, faults);
    warn(&allow, &deny, faults);
    Some(NetAdmin {
        default,
        allow,
        deny,
    })
}

fn check_entries(entries: Option<Entries>, faults: &mut Faults) -> Vec<OperationEntry> {
    let entries = entries.map(Spanned::into_inner).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|entry| check_entry(entry, faults))
        .collect()
}

fn check_entry(entry: OperationText, faults: &mut Faults) -> Option<OperationEntry> {
    let on = match entry.on {
        Some(on) => Some(check_condition(&on, faults)?),
        None => None,
    };
    match OperationPattern::parse(entry.name.get_ref()) {
        Ok(pattern) => Some(OperationEntry {
            pattern,
            on,
            span: entry.span,
        }),
        Err(error) => {
            let help = error.help();
            faults.push(Fault::new(error, entry.name.span()).help(help));
            None
        }
    }
}

fn check_condition(on: &Spanned<Interface>, faults: &mut Faults) -> Option<InterfacePattern> {
    let read = match on.get_ref() {
        Interface::Name(text) => InterfacePattern::parse_name(text),
        Interface::Kind(text) => InterfacePattern::parse_kind(text),
    };
    let fault = |error| faults.push(Fault::new(Problem::from(error), on.span()));
    read.map_err(fault).ok()
}

/// Conditions stand where the programs see the interface, and nothing that is
/// granted lets another interface take the place of those that they name.
fn check_conditions(allow: &[OperationEntry], deny: &[OperationEntry], faults: &mut Faults) {
    let conditional = || allow.iter().filter(|entry| entry.on.is_some());
    for entry in conditional() {
        if !entry.pattern.kinds().any(can_be_conditional) {
            faults.push(
                Fault::new(
                    Problem::Unconditional(entry.pattern.to_string()),
                    entry.span.clone(),
                )
                .help("docs/POLICY.md lists the operations with which a condition can stand"),
            );
        }
    }
    if let Some(entry) = conditional().nth(MAX_GRANTS) {
        faults.push(Fault::new(Problem::TooManyConditions, entry.span.clone()));
    }
    for kind in [OperationKind::LinkRename, OperationKind::LinkNamespace] {
        let escaped = |on: &InterfacePattern| on.is_escaped_by(kind);
        let matters = conditional().any(|entry| entry.on.as_ref().is_some_and(escaped));
        let denied = deny.iter().any(|entry| entry.pattern.matches(kind));
        let granting = allow
            .iter()
            .find(|entry| entry.on.is_none() && entry.pattern.matches(kind));
        if let (true, false, Some(entry)) = (matters, denied, granting) {
            faults.push(
                Fault::new(Problem::EscapesConditions(kind.name()), entry.span.clone())
                    .help(format!("add \"{}\" to `deny`", kind.name())),
            );
        }
    }
}

fn warn(allow: &[OperationEntry], deny: &[OperationEntry], faults: &mut Faults) {
    for entry in allow {
        if entry.pattern.matches(OperationKind::Unclassified) {
            faults.push(
                Fault::new(Problem::GrantsUnclassified, entry.span.clone())
                    .help("grant what the events name, and leave this one out"),
            );
        }
        let beaten = |denied: &&OperationEntry| {
            let mut kinds = entry.pattern.kinds();
            kinds.all(|kind| denied.pattern.matches(kind))
        };
        if let Some(denied) = deny.iter().find(beaten) {
            faults.push(
                Fault::new(
                    Problem::AllowedAndDenied(entry.pattern.to_string()),
                    entry.span.clone(),
                )
                .context(denied.span.clone(), "deny beats allow"),
            );
        }
    }
}
