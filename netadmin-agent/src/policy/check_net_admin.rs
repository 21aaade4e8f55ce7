//! The same for the pieces of the capability.

use netadmin_common::OperationKind;
use toml::Spanned;

use super::checked::{NetAdmin, OperationEntry};
use super::fault::{Fault, Faults, Problem};
use super::operation_pattern::OperationPattern;
use super::parsed::{self, Access, Names};

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
    warn(&allow, &deny, faults);
    Some(NetAdmin {
        default,
        allow,
        deny,
    })
}

fn check_entries(names: Option<Names>, faults: &mut Faults) -> Vec<OperationEntry> {
    let names = names.map(Spanned::into_inner).unwrap_or_default();
    let read = |name: Spanned<String>| match OperationPattern::parse(name.get_ref()) {
        Ok(pattern) => Some(OperationEntry {
            pattern,
            span: name.span(),
        }),
        Err(error) => {
            let help = error.help();
            faults.push(Fault::new(error, name.span()).help(help));
            None
        }
    };
    names.into_iter().filter_map(read).collect()
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
