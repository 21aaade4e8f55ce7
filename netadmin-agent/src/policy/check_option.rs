//! The same for the rules on socket options, whose values become sets.

use std::ops::Range;

use netadmin_common::SocketOption;
use toml::Spanned;

use super::checked::{OptionAnswer, OptionRule};
use super::fault::{Fault, Faults, Problem};
use super::parsed::{self, Answer, Entry};
use super::value_entry::{self, EntryError, Number};
use super::value_set::{Values, domain};

/// Checks the rule on one option.
pub fn check_option(rule: parsed::OptionRule, faults: &mut Faults) -> Option<OptionRule> {
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
