//! The verdict, and the numbers and names that it is told in.

use std::collections::HashSet;

use netadmin_common::pieces::NetAdminRecord;
use netadmin_common::policy::{
    MODE_AUDIT, OPTION_DENY, OPTION_FREE, OPTION_KERNEL_LINE, OPTION_VALUES, PROMISCUOUS_DENY,
    PROMISCUOUS_KEEP_DENY, PROMISCUOUS_NAMES_EXCEPTED, PROMISCUOUS_SIDE_EFFECTS_ALLOW,
};
use netadmin_common::value::MAX_RANGES;
use netadmin_common::{
    EventKind, Operation, OperationKind, PieceSet, PolicyRecord, Range, Rule, SocketOption, Value,
    ValueSet, Verdict, Via, decide, is_breach,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Of ranges in ascending order that do not overlap.
fn set(ranges: &[(i64, i64)]) -> ValueSet {
    let mut set = ValueSet::EMPTY;
    for (place, &(first, last)) in set.ranges.iter_mut().zip(ranges) {
        *place = Range { first, last };
        set.len += 1;
    }
    set
}

fn with_rule(option: SocketOption, rule: u32) -> PolicyRecord {
    let mut policy = PolicyRecord::EMPTY;
    policy.options[option as usize].rule = rule;
    policy.options[option as usize].allowed = set(&[(0, 6), (20, 20)]);
    policy
}

fn promiscuity(flags: u32) -> PolicyRecord {
    let mut policy = PolicyRecord::EMPTY;
    policy.promiscuous.flags = flags;
    policy
}

fn rule_of(option: SocketOption) -> Rule {
    let name = format!("setsockopt.{}", option.name());
    let rule = Rule::ALL.into_iter().find(|rule| rule.name() == name);
    rule.expect("each option has a rule")
}

#[test]
fn every_kind_of_rule_meets_every_state_of_the_value() {
    let table = [
        (OPTION_FREE, Value::Known(42), true),
        (OPTION_FREE, Value::Privileged, true),
        (OPTION_FREE, Value::Unknown, true),
        (OPTION_DENY, Value::Known(0), false),
        (OPTION_DENY, Value::Privileged, false),
        (OPTION_DENY, Value::Unknown, false),
        (OPTION_KERNEL_LINE, Value::Known(0), false),
        (OPTION_KERNEL_LINE, Value::Privileged, false),
        (OPTION_KERNEL_LINE, Value::Unknown, false),
        (OPTION_VALUES, Value::Known(6), true),
        (OPTION_VALUES, Value::Known(20), true),
        (OPTION_VALUES, Value::Known(7), false),
        (OPTION_VALUES, Value::Known(-1), false),
        (OPTION_VALUES, Value::Privileged, true),
        (OPTION_VALUES, Value::Unknown, false),
    ];
    for option in SocketOption::ALL {
        for (rule, value, allowed) in table {
            let expected = if allowed {
                Verdict::Allow
            } else {
                Verdict::Refuse(rule_of(option))
            };
            let verdict = decide(&with_rule(option, rule), &Operation::set(option, value));
            assert_eq!(verdict, expected, "{option:?} {rule} {value:?}");
        }
    }
}

#[test]
fn a_rule_on_one_option_is_none_on_another() {
    for ruled in SocketOption::ALL {
        for option in SocketOption::ALL {
            let operation = Operation::set(option, Value::Unknown);
            let verdict = decide(&with_rule(ruled, OPTION_DENY), &operation);
            assert_eq!(verdict != Verdict::Allow, ruled == option);
        }
    }
}

#[test]
fn a_rule_of_an_unknown_number_refuses() {
    for rule in [4, 5, 99, u32::MAX] {
        for value in [Value::Known(0), Value::Privileged, Value::Unknown] {
            let operation = Operation::set(SocketOption::Mark, value);
            let verdict = decide(&with_rule(SocketOption::Mark, rule), &operation);
            assert_eq!(verdict, Verdict::Refuse(Rule::Mark), "{rule} {value:?}");
        }
    }
}

#[test]
fn raising_is_refused_unless_excepted() {
    use OperationKind::*;
    let policy = promiscuity(PROMISCUOUS_DENY);
    let table = [
        (PromiscuousFlag, Some(Rule::Promiscuous)),
        (PromiscuousKeep, None),
        (PromiscuousMembership, Some(Rule::Promiscuous)),
        (PromiscuousBridgePort, Some(Rule::PromiscuousSideEffects)),
        (PromiscuousPassthru, Some(Rule::PromiscuousSideEffects)),
        (PromiscuousStacked, Some(Rule::PromiscuousSideEffects)),
        (PromiscuousUnicastFilter, Some(Rule::PromiscuousSideEffects)),
        (PromiscuousUnjudged, Some(Rule::Promiscuous)),
        (PromiscuousExceptedName, Some(Rule::PromiscuousAllow)),
    ];
    for (kind, rule) in table {
        let verdict = decide(&policy, &Operation::on_device(kind, false));
        assert_eq!(
            verdict,
            rule.map_or(Verdict::Allow, Verdict::Refuse),
            "{kind:?}"
        );
        let excepted = decide(&policy, &Operation::on_device(kind, true));
        assert_eq!(
            excepted == Verdict::Allow,
            kind != PromiscuousExceptedName,
            "{kind:?}"
        );
    }
    let tested = table.map(|(kind, _)| kind as u16);
    assert!(
        OperationKind::ALL
            .iter()
            .all(|&kind| { tested.contains(&(kind as u16)) || kind.is_piece() })
    );
}

#[test]
fn keep_deny_refuses_keeping_and_nothing_more() {
    let policy = promiscuity(PROMISCUOUS_DENY | PROMISCUOUS_KEEP_DENY);
    let keep = Operation::on_device(OperationKind::PromiscuousKeep, false);
    assert_eq!(
        decide(&policy, &keep),
        Verdict::Refuse(Rule::PromiscuousKeep)
    );
    let alone = promiscuity(PROMISCUOUS_KEEP_DENY);
    assert_eq!(decide(&alone, &keep), Verdict::Allow);
}

#[test]
fn allowed_side_effects_are_reported_and_direct_raises_still_refused() {
    use OperationKind::*;
    let policy = promiscuity(PROMISCUOUS_DENY | PROMISCUOUS_SIDE_EFFECTS_ALLOW);
    for kind in [
        PromiscuousBridgePort,
        PromiscuousPassthru,
        PromiscuousStacked,
        PromiscuousUnicastFilter,
    ] {
        let verdict = decide(&policy, &Operation::on_device(kind, false));
        assert_eq!(
            verdict,
            Verdict::Report(Rule::PromiscuousSideEffects),
            "{kind:?}"
        );
    }
    for kind in [
        PromiscuousFlag,
        PromiscuousMembership,
        PromiscuousUnjudged,
        PromiscuousExceptedName,
    ] {
        let verdict = decide(&policy, &Operation::on_device(kind, false));
        assert!(matches!(verdict, Verdict::Refuse(_)), "{kind:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-30i64..30).prop_map(Value::Known),
        any::<i64>().prop_map(Value::Known),
        Just(Value::Privileged),
        Just(Value::Unknown),
        Just(Value::None),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    (select(OperationKind::ALL), value(), any::<bool>()).prop_map(|(kind, value, excepted)| {
        Operation {
            kind,
            value,
            excepted,
        }
    })
}

/// As many as fit, in ascending order.
fn ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::btree_set(-30i64..30, 0..=2 * MAX_RANGES).prop_map(|ends| {
        let ends: Vec<_> = ends.into_iter().collect();
        let pairs = ends.chunks_exact(2);
        pairs.map(|pair| (pair[0], pair[1])).collect()
    })
}

fn pieces() -> impl Strategy<Value = PieceSet> {
    prop::collection::vec(select(OperationKind::ALL), 0..100).prop_map(|kinds| {
        let mut set = PieceSet::EMPTY;
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    })
}

fn policy() -> impl Strategy<Value = PolicyRecord> {
    let options = prop::collection::vec((0u32..6, ranges()), 5);
    (0u32..16, options, pieces(), pieces()).prop_map(|(flags, options, refused, denied)| {
        let mut policy = promiscuity(flags);
        policy.net_admin = NetAdminRecord { refused, denied };
        for (place, (rule, ranges)) in policy.options.iter_mut().zip(options) {
            place.rule = rule;
            place.allowed = set(&ranges);
        }
        policy
    })
}

proptest! {
    #[test]
    fn an_empty_policy_allows_everything(operation in operation()) {
        prop_assert_eq!(decide(&PolicyRecord::EMPTY, &operation), Verdict::Allow);
    }

    #[test]
    fn the_verdict_is_the_same_each_time_and_in_audit_mode(
        policy in policy(),
        operation in operation(),
        others in prop::collection::vec(operation(), 0..4),
    ) {
        let verdict = decide(&policy, &operation);
        for other in &others {
            decide(&policy, other);
        }
        prop_assert_eq!(decide(&policy, &operation), verdict);
        let audit = PolicyRecord { mode: MODE_AUDIT, ..policy };
        prop_assert_eq!(decide(&audit, &operation), verdict);
    }

    #[test]
    fn what_a_policy_does_not_rule_on_does_not_change_its_verdict(
        policy in policy(),
        other in policy(),
        operation in operation(),
    ) {
        let mut mixed = policy;
        let by_option = |option: &SocketOption| {
            option.operation() == operation.kind && operation.value != Value::None
        };
        match SocketOption::ALL.into_iter().find(by_option) {
            None => mixed.options = other.options,
            Some(option) => {
                mixed = other;
                mixed.options[option as usize] = policy.options[option as usize];
            }
        }
        prop_assert_eq!(decide(&mixed, &operation), decide(&policy, &operation));
    }

    #[test]
    fn a_piece_is_refused_if_the_set_has_it_and_by_the_rule_that_names_it(
        policy in policy(),
        kind in select(OperationKind::ALL),
    ) {
        prop_assume!(kind.is_piece());
        let sets = policy.net_admin;
        let expected = match (sets.refused.contains(kind), sets.denied.contains(kind)) {
            (false, _) => Verdict::Allow,
            (true, true) => Verdict::Refuse(Rule::NetAdminDeny),
            (true, false) => Verdict::Refuse(Rule::NetAdmin),
        };
        prop_assert_eq!(decide(&policy, &Operation::piece(kind)), expected);
    }

    #[test]
    fn value_sets_agree_with_a_naive_model(ranges in ranges(), value in -32i64..32) {
        let expected = ranges.iter().any(|&(first, last)| (first..=last).contains(&value));
        prop_assert_eq!(set(&ranges).contains(value), expected);
    }

    #[test]
    fn ranges_beyond_the_length_of_a_set_are_no_members(
        ranges in ranges(),
        len in 0..=MAX_RANGES,
        value in -32i64..32,
    ) {
        let mut cut = set(&ranges);
        cut.len = cut.len.min(u32::try_from(len).expect("short"));
        let kept = &ranges[..cut.len as usize];
        let expected = kept.iter().any(|&(first, last)| (first..=last).contains(&value));
        prop_assert_eq!(cut.contains(value), expected);
    }
}

#[test]
fn a_set_holds_values_at_both_ends_of_the_axis() {
    let ends = set(&[(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)]);
    assert!(ends.contains(i64::MIN) && ends.contains(i64::MAX) && !ends.contains(0));
    let mut too_long = ValueSet::EMPTY;
    too_long.len = u32::MAX;
    assert!(!too_long.contains(1));
}

#[test]
fn a_mark_is_read_without_a_sign_and_the_others_with_one() {
    for option in SocketOption::ALL {
        let expected = if option == SocketOption::Mark {
            0xffff_fffe
        } else {
            -2
        };
        assert_eq!(option.widen(0xffff_fffe), expected);
        assert_eq!(option.widen(7), 7);
    }
}

#[test]
fn options_are_known_by_level_and_number_together() {
    let numbers = [1, 12, 32, 33, 36];
    for (option, number) in SocketOption::ALL.into_iter().zip(numbers) {
        assert_eq!(SocketOption::from_level_and_name(1, number), Some(option));
        for level in [0, 6, 17, 41, 263, -1] {
            assert_eq!(SocketOption::from_level_and_name(level, number), None);
        }
    }
    let known =
        (-1000..1000).filter(|&number| SocketOption::from_level_and_name(1, number).is_some());
    assert_eq!(known.count(), numbers.len());
}

/// All items, after a check that numbers round trip and names are unique.
fn one_to_one<T: Copy>(
    from_number: impl Fn(u16) -> Option<T>,
    number: impl Fn(T) -> u16,
    name: impl Fn(T) -> &'static str,
) -> usize {
    let items = || (0..=u16::MAX).filter_map(|at| from_number(at).map(|item| (at, item)));
    assert!(items().all(|(at, item)| number(item) == at));
    let names: HashSet<&str> = items().map(|(_, item)| name(item)).collect();
    assert_eq!(names.len(), items().count());
    assert!(from_number(0).is_none(), "zero is what was never written");
    names.len()
}

#[test]
fn numbers_round_trip_and_names_are_unique() {
    let kinds = one_to_one(
        OperationKind::from_number,
        |kind| kind as u16,
        OperationKind::name,
    );
    assert_eq!(kinds, OperationKind::ALL.len());
    let rules = one_to_one(Rule::from_number, |rule| rule as u16, Rule::name);
    assert_eq!(rules, Rule::ALL.len());
    assert_ne!(one_to_one(Via::from_number, |via| via as u16, Via::name), 0);
}

#[test]
fn numbers_of_event_kinds_round_trip() {
    let known = (0..=u16::MAX).filter_map(|at| EventKind::from_number(at).map(|kind| (at, kind)));
    assert!(known.clone().all(|(at, kind)| kind as u16 == at && at != 0));
    assert_eq!(known.count(), 7);
}

#[test]
fn a_rise_is_a_breach_where_it_would_have_been_refused() {
    let deny = promiscuity(PROMISCUOUS_DENY);
    assert!(is_breach(&deny, false, true) && is_breach(&deny, false, false));
    assert!(!is_breach(&deny, true, true), "an excepted device");
    assert!(!is_breach(&PolicyRecord::EMPTY, false, true), "no rule");
    let lenient = promiscuity(PROMISCUOUS_DENY | PROMISCUOUS_SIDE_EFFECTS_ALLOW);
    assert!(!is_breach(&lenient, false, false), "an allowed side effect");
    assert!(is_breach(&lenient, false, true), "a flag or a membership");
    let mut audit = deny;
    audit.mode = MODE_AUDIT;
    assert!(!is_breach(&audit, false, true), "nothing was refused");
}

#[test]
fn options_kinds_and_rules_share_their_names() {
    assert_eq!(PROMISCUOUS_NAMES_EXCEPTED.count_ones(), 1);
    for option in SocketOption::ALL {
        assert_eq!(option.operation().name(), rule_of(option).name());
    }
    for kind in OperationKind::ALL {
        assert!(
            !kind.summary().is_empty() && kind.summary().ends_with('.'),
            "{kind:?}"
        );
    }
}
