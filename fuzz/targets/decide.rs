//! `decide` on any policy record and any operation: total, and closed where the
//! policy denies.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netadmin_common::policy::{OPTION_FREE, OPTION_VALUES, PROMISCUOUS_DENY};
use netadmin_common::{
    Operation, OperationKind, PolicyRecord, SocketOption, Value, ValueSet, Verdict, decide,
};

fuzz_target!(|input: &[u8]| {
    let Some((policy, rest)) = record(input) else {
        return;
    };
    let Some((operation, option)) = operation(rest) else {
        return;
    };
    let verdict = decide(&policy, &operation);
    let raises = matches!(
        operation.kind,
        OperationKind::PromiscuousFlag | OperationKind::PromiscuousMembership
    );
    if raises && policy.promiscuous.flags & PROMISCUOUS_DENY != 0 && !operation.excepted {
        assert_ne!(verdict, Verdict::Allow, "a raise that the policy denies");
    }
    // Without a value the capability itself is asked for.
    if let (Some(option), false) = (option, operation.value == Value::None) {
        let rule = &policy.options[option as usize];
        let allowed = match (rule.rule, operation.value) {
            (OPTION_FREE, _) => true,
            (OPTION_VALUES, Value::Known(value)) => contains(rule, value),
            (OPTION_VALUES, Value::Privileged) => true,
            _ => false,
        };
        assert_eq!(verdict == Verdict::Allow, allowed, "{option:?}");
    }
});

/// A policy as any bytes make it: it consists of integers alone.
fn record(input: &[u8]) -> Option<(PolicyRecord, &[u8])> {
    let (bytes, rest) = input.split_at_checked(size_of::<PolicyRecord>())?;
    // SAFETY: there are as many bytes, and any are a value of it.
    let mut policy = unsafe { bytes.as_ptr().cast::<PolicyRecord>().read_unaligned() };
    for option in &mut policy.options {
        sort(&mut option.allowed);
    }
    Some((policy, rest))
}

/// Ranges in ascending order, of which none overlaps another.
fn sort(set: &mut ValueSet) {
    let used = set.ranges.len().min(set.len as usize);
    set.ranges[..used].sort_unstable_by_key(|range| range.first);
    let mut before: Option<i64> = None;
    for range in &mut set.ranges[..used] {
        range.first = range.first.max(before.map_or(i64::MIN, |last| last.saturating_add(1)));
        range.last = range.last.max(range.first);
        before = Some(range.last);
    }
}

fn operation(input: &[u8]) -> Option<(Operation, Option<SocketOption>)> {
    let number = u16::from_le_bytes([*input.first()?, *input.get(1)?]);
    let kind = OperationKind::from_number(number)?;
    let value: [u8; 8] = input.get(3..11)?.try_into().ok()?;
    let value = match input[2] >> 1 & 3 {
        0 => Value::Known(i64::from_le_bytes(value)),
        1 => Value::Privileged,
        2 => Value::Unknown,
        _ => Value::None,
    };
    let operation = Operation {
        kind,
        value,
        excepted: input[2] & 1 != 0,
    };
    let option = SocketOption::ALL
        .into_iter()
        .find(|option| option.operation() == kind);
    Some((operation, option))
}

/// As the set's documentation has it, without its tricks.
fn contains(rule: &netadmin_common::policy::OptionRecord, value: i64) -> bool {
    let ranges = rule.allowed.ranges.iter().take(rule.allowed.len as usize);
    ranges
        .into_iter()
        .any(|range| (range.first..=range.last).contains(&value))
}
