//! From the second stage to the third: does every value mean something?

use std::collections::HashMap;
use std::ops::Range;

use netadmin_common::policy::MAX_EXCEPTIONS;
use toml::Spanned;

use super::check_net_admin::check_net_admin;
use super::check_option::check_option;
use super::checked::{Checked, Policy, Promiscuous};
use super::fault::{Fault, Faults, MAX_GLOBS, MAX_POLICIES, Problem};
use super::glob::PathGlob;
use super::interface::InterfacePattern;
use super::parsed::{self, Access, Interface, Mode, OnBreach};

/// Checks a file. `None` if it has any error, also one of an earlier stage.
pub fn check(file: parsed::File, faults: &mut Faults) -> Option<Checked> {
    fits_the_limits(&file.policies, faults)?;
    unique_names(&file.policies, faults);
    let policies: Vec<Policy> = file
        .policies
        .into_iter()
        .filter_map(|policy| check_policy(policy, faults))
        .collect();
    if faults.any_errors() {
        return None;
    }
    warn_of_the_unreachable(&policies, faults);
    Some(Checked(policies))
}

fn fits_the_limits(policies: &[parsed::Policy], faults: &mut Faults) -> Option<()> {
    let lists = policies.iter().filter_map(|policy| policy.cgroups.as_ref());
    let globs: usize = lists.map(|list| list.get_ref().len()).sum();
    let problem = if policies.len() > MAX_POLICIES {
        Problem::TooManyPolicies(policies.len())
    } else if globs > MAX_GLOBS {
        Problem::TooManyGlobs(globs)
    } else {
        return Some(());
    };
    let last = policies.last().map_or(0..0, |policy| policy.span.clone());
    faults.push(Fault::new(problem, last));
    None
}

fn unique_names(policies: &[parsed::Policy], faults: &mut Faults) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for name in policies.iter().filter_map(|policy| policy.name.as_ref()) {
        match seen.get(name.get_ref().as_str()) {
            Some(first) => faults.push(
                Fault::new(Problem::DuplicateName(name.get_ref().clone()), name.span())
                    .context(first.clone(), "the first of that name"),
            ),
            None => {
                seen.insert(name.get_ref(), name.span());
            }
        }
    }
}

fn warn_of_the_unreachable(policies: &[Policy], faults: &mut Faults) {
    for (index, policy) in policies.iter().enumerate() {
        let takes_all = |earlier: &&Policy| {
            let taken = |glob: &PathGlob| earlier.cgroups.iter().any(|other| other.covers(glob));
            policy.cgroups.iter().all(taken)
        };
        let Some(earlier) = policies[..index].iter().find(takes_all) else {
            continue;
        };
        let problem = Problem::NeverApplies {
            name: policy.name.get_ref().clone(),
            earlier: earlier.name.get_ref().clone(),
        };
        faults.push(
            Fault::new(problem, policy.name.span())
                .context(earlier.name.span(), "this one comes first")
                .help("the first policy that matches a cgroup is its policy: move this one up"),
        );
    }
}

fn check_policy(policy: parsed::Policy, faults: &mut Faults) -> Option<Policy> {
    let name = policy.name.and_then(|name| check_name(name, faults));
    let cgroups = policy.cgroups.and_then(|globs| check_globs(globs, faults));
    let promiscuous = policy
        .promiscuous
        .and_then(|promiscuous| check_promiscuous(promiscuous, faults));
    let net_admin = policy
        .net_admin
        .and_then(|section| check_net_admin(section, faults));
    let options = policy
        .options
        .into_iter()
        .filter_map(|rule| check_option(rule, faults))
        .collect();
    Some(Policy {
        name: name?,
        mode: policy.mode.map_or(Mode::Enforce, Spanned::into_inner),
        cgroups: cgroups?,
        promiscuous,
        net_admin,
        options,
    })
}

fn check_name(name: Spanned<String>, faults: &mut Faults) -> Option<Spanned<String>> {
    let text = name.get_ref();
    let belongs = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if (1..=63).contains(&text.len()) && text.bytes().all(belongs) {
        return Some(name);
    }
    faults.push(Fault::new(Problem::BadName(text.clone()), name.span()));
    None
}

fn check_globs(globs: Spanned<Vec<Spanned<String>>>, faults: &mut Faults) -> Option<Vec<PathGlob>> {
    if globs.get_ref().is_empty() {
        faults.push(Fault::new(Problem::NoGlobs, globs.span()));
        return None;
    }
    let read = |text: Spanned<String>| {
        let glob = faults.catch(PathGlob::parse(text.get_ref()), text.span())?;
        if glob.matches("/") {
            let problem = Problem::MatchesRoot(glob.to_string());
            faults.push(Fault::new(problem, text.span()));
        }
        Some(glob)
    };
    Some(globs.into_inner().into_iter().filter_map(read).collect())
}

fn check_promiscuous(promiscuous: parsed::Promiscuous, faults: &mut Faults) -> Option<Promiscuous> {
    let allow_span = promiscuous.allow.as_ref().map(Spanned::span);
    let allow = promiscuous
        .allow
        .map(|entries| check_interfaces(entries, faults));
    let default = promiscuous.default?;
    let checked = Promiscuous {
        default,
        keep: promiscuous.keep,
        side_effects: promiscuous.side_effects,
        on_breach: promiscuous.on_breach,
        allow_span,
        allow: allow.unwrap_or_default(),
    };
    if *checked.default.get_ref() == Access::Allow {
        refuse_what_means_nothing(&checked, faults);
    }
    Some(checked)
}

/// Nothing is refused, so that a `deny` or an exception would be an error of
/// its author's that leaves a hole.
fn refuse_what_means_nothing(promiscuous: &Promiscuous, faults: &mut Faults) {
    let denied = |access: &Option<Spanned<Access>>| {
        let access = access.as_ref()?;
        (*access.get_ref() == Access::Deny).then(|| access.span())
    };
    let kills = |on_breach: &Spanned<OnBreach>| {
        (*on_breach.get_ref() == OnBreach::Kill).then(|| on_breach.span())
    };
    let idle = [
        ("allow", promiscuous.allow_span.clone()),
        ("keep", denied(&promiscuous.keep)),
        ("side_effects", denied(&promiscuous.side_effects)),
        ("on_breach", promiscuous.on_breach.as_ref().and_then(kills)),
    ];
    for (key, span) in idle {
        let Some(span) = span else { continue };
        faults.push(
            Fault::new(Problem::NeedsDefaultDeny(key), span)
                .context(promiscuous.default.span(), "nothing is refused")
                .help("write `default = \"deny\"`, or leave the key out"),
        );
    }
}

fn check_interfaces(
    entries: Spanned<Vec<Spanned<Interface>>>,
    faults: &mut Faults,
) -> Vec<InterfacePattern> {
    let count = entries.get_ref().len();
    if count > MAX_EXCEPTIONS {
        faults.push(Fault::new(
            Problem::TooManyExceptions(count),
            entries.span(),
        ));
    }
    let read = |entry: Spanned<Interface>| {
        let span = entry.span();
        let pattern = match entry.get_ref() {
            Interface::Name(name) => InterfacePattern::parse_name(name),
            Interface::Kind(kind) => InterfacePattern::parse_kind(kind),
        };
        faults.catch(pattern, span)
    };
    entries.into_inner().into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use crate::policy::fault::{MAX_GLOBS, MAX_POLICIES, Problem};
    use crate::policy::source::Source;
    use crate::policy::{LoadError, load_source};

    /// The first fault of a file with this many policies, of this many globs each.
    fn first_fault(policies: usize, globs: usize) -> Option<Problem> {
        let policy = |index| {
            let globs: Vec<String> = (0..globs)
                .map(|glob| format!("'/{index}/{glob}'"))
                .collect();
            let globs = globs.join(",");
            format!("[[policy]]\nname = 'p{index}'\nmatch.cgroups = [{globs}]\n")
        };
        let source = Source {
            name: "policy.toml".to_owned(),
            text: (0..policies).fold("version = 1\n".to_owned(), |text, index| {
                text + &policy(index)
            }),
        };
        match load_source(source) {
            Ok(_) => None,
            Err(LoadError::Faulty(report)) => Some(report.faults()[0].problem.clone()),
            Err(error) => panic!("a text has no other error: {error}"),
        }
    }

    #[test]
    fn as_many_policies_fit_as_the_limit_says() {
        let found = MAX_POLICIES + 1;
        assert_eq!(first_fault(MAX_POLICIES, 1), None);
        assert_eq!(first_fault(found, 1), Some(Problem::TooManyPolicies(found)));
    }

    #[test]
    fn as_many_globs_fit_as_the_limit_says_however_they_are_spread() {
        assert_eq!(first_fault(4, MAX_GLOBS / 4), None);
        let found = MAX_GLOBS + 4;
        assert_eq!(
            first_fault(4, found / 4),
            Some(Problem::TooManyGlobs(found))
        );
    }
}
