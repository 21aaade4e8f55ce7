use proptest::prelude::*;

use super::*;

fn values(ranges: &[(i64, i64)]) -> Values {
    Values::union_of(ranges.iter().map(|&(first, last)| first..=last))
}

#[test]
fn ranges_that_overlap_or_touch_become_one() {
    let merged = values(&[(5, 9), (0, 3), (4, 4), (20, 20), (8, 12)]);
    assert_eq!(merged, Values(vec![(0, 12), (20, 20)]));
}

#[test]
fn taking_away_splits_and_cuts() {
    let left = values(&[(0, 10), (20, 30)]).minus(&values(&[(3, 4), (9, 21), (30, 99)]));
    assert_eq!(left, Values(vec![(0, 2), (5, 8), (22, 29)]));
    assert!(left.minus(&values(&[(0, 100)])).is_empty());
}

#[test]
fn a_set_reads_as_its_ranges() {
    assert_eq!(values(&[(0, 6), (13, 13)]).to_string(), "0..=6, 13");
    assert_eq!(Values::default().to_string(), "nothing");
}

#[test]
fn sixteen_ranges_fit_a_record_and_seventeen_do_not() {
    let spaced = |count: i64| Values::union_of((0..count).map(|value| value * 2..=value * 2));
    let full = spaced(16);
    assert_eq!(
        Values::from_record(&full.to_record().expect("it fits")),
        full
    );
    assert_eq!(spaced(17).to_record(), None);
}

fn small_ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((-20..20i64, -20..20i64), 0..8)
}

fn naive(ranges: &[(i64, i64)], value: i64) -> bool {
    ranges
        .iter()
        .any(|&(first, last)| first <= value && value <= last)
}

proptest! {
    #[test]
    fn sets_have_the_members_of_their_definition(
        allow in small_ranges(),
        deny in small_ranges(),
    ) {
        let set = values(&allow).minus(&values(&deny));
        let record = set.to_record().expect("few ranges");
        for value in -25..25 {
            let member = naive(&allow, value) && !naive(&deny, value);
            prop_assert_eq!(record.contains(value), member, "{}", value);
        }
    }

    #[test]
    fn ranges_are_sorted_and_do_not_touch(allow in small_ranges(), deny in small_ranges()) {
        let set = values(&allow).minus(&values(&deny));
        for pair in set.0.windows(2) {
            prop_assert!(pair[0].1 + 1 < pair[1].0);
        }
        prop_assert!(set.0.iter().all(|(first, last)| first <= last));
    }
}
