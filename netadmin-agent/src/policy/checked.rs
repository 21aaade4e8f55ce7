//! The third stage: every value means something, and the policies go together.

use std::collections::HashMap;
use std::ops::Range;

use netadmin_common::SocketOption;
use netadmin_common::policy::MAX_EXCEPTIONS;
use toml::Spanned;

use super::fault::{Fault, Faults, MAX_GLOBS, MAX_POLICIES, Problem};
use super::glob::PathGlob;
use super::interface::InterfacePattern;
use super::parsed::{self, Access, Answer, Entry, Interface, Mode};
use super::value_entry::{self, EntryError, Number};
use super::value_set::{Values, domain};

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
    /// The place of `allow`.
    pub allow_span: Option<Range<usize>>,
    /// `allow`, at most [`MAX_EXCEPTIONS`].
    pub allow: Vec<InterfacePattern>,
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
    let idle = [
        ("allow", promiscuous.allow_span.clone()),
        ("keep", denied(&promiscuous.keep)),
        ("side_effects", denied(&promiscuous.side_effects)),
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

fn check_option(rule: parsed::OptionRule, faults: &mut Faults) -> Option<OptionRule> {
    let answer = match rule.answer {
        Answer::Access(access) => OptionAnswer::Access(access),
        Answer::Values { span, allow, deny } => {
            let values = check_values(rule.option, allow, deny, faults)?;
            fits(rule.option, &values, span, faults)?;
            OptionAnswer::Values(values)
        }
    };
    Some(OptionRule {
        option: rule.option,
        span: rule.span,
        answer,
    })
}

/// Allow minus deny; with no `allow`, everything minus deny.
fn check_values(
    option: SocketOption,
    allow: Option<Vec<Spanned<Entry>>>,
    deny: Option<Vec<Spanned<Entry>>>,
    faults: &mut Faults,
) -> Option<Values> {
    let allow = match allow {
        Some(entries) => check_entries(option, entries, faults),
        None => Some(Values::union_of([domain(option)])),
    };
    let deny = check_entries(option, deny.unwrap_or_default(), faults);
    Some(allow?.minus(&deny?))
}

fn check_entries(
    option: SocketOption,
    entries: Vec<Spanned<Entry>>,
    faults: &mut Faults,
) -> Option<Values> {
    let mut ranges = Vec::new();
    let mut whole = true;
    for entry in entries {
        let range = match entry.get_ref() {
            Entry::Text(text) => value_entry::read_text(text, option),
            Entry::Number { digits, radix } => {
                let radix = *radix;
                value_entry::read_number(Number { digits, radix }, option)
            }
        };
        match range {
            Ok(range) => ranges.push(range),
            Err(error) => {
                faults.push(entry_fault(error, entry.span(), option));
                whole = false;
            }
        }
    }
    whole.then(|| Values::union_of(ranges))
}

fn entry_fault(error: EntryError, span: Range<usize>, option: SocketOption) -> Fault {
    let negative_end = matches!(
        error,
        EntryError::UpsideDown {
            first: 0..,
            last: ..0
        }
    );
    let fault = Fault::new(error, span);
    if !negative_end {
        return fault;
    }
    let name = option.name();
    fault.help(format!(
        "{name} is an int to the kernel, of which 0xffffffff is -1"
    ))
}

fn fits(
    option: SocketOption,
    values: &Values,
    span: Range<usize>,
    faults: &mut Faults,
) -> Option<()> {
    if values.to_record().is_none() {
        let problem = Problem::TooManyRanges {
            option: option.name(),
            found: values.len(),
        };
        faults.push(Fault::new(problem, span));
        return None;
    }
    if values.is_empty() {
        let problem = Problem::NothingAllowed(option.name());
        faults.push(Fault::new(problem, span).help("write \"deny\" if that is meant"));
    }
    Some(())
}
