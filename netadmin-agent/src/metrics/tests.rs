use std::collections::BTreeSet;

use super::*;

const RELOADS: Reloads = Reloads {
    applied: 11,
    refused: 12,
    last_applied: None,
    last_refused: None,
};

const NOW: Snapshot<'_> = Snapshot {
    reloads: &RELOADS,
    account: EventAccount {
        seen: 9,
        submitted: 4,
        suppressed: 3,
        dropped: 2,
        breaches: 1,
    },
    lines_lost: 5,
    policies: 6,
    cgroups: 7,
    unentered: 3,
    limits: Limits {
        cgroups: 8,
        policies: 10,
    },
};

#[test]
fn all_is_there_from_the_start() {
    let text = Metrics::new().text(&NOW);
    for line in [
        "netadmin_agent_breaches_total 1",
        "netadmin_agent_events_seen_total 9",
        "netadmin_agent_events_submitted_total 4",
        "netadmin_agent_events_suppressed_total 3",
        "netadmin_agent_events_dropped_total 2",
        "netadmin_agent_events_lost_total 5",
        "netadmin_agent_policies 6",
        "netadmin_agent_policies_limit 10",
        "netadmin_agent_guarded_cgroups 7",
        "netadmin_agent_guarded_cgroups_limit 8",
        "netadmin_agent_unentered_cgroups 3",
        "netadmin_agent_policy_reloads_total{outcome=\"applied\"} 11",
        "netadmin_agent_policy_reloads_total{outcome=\"refused\"} 12",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(
        text.contains(&format!("layout=\"{LAYOUT_VERSION}\"")),
        "{text}"
    );
}

#[test]
fn what_the_programs_count_is_theirs_also_after_a_take_over() {
    let metrics = Metrics::new();
    metrics.text(&NOW);
    let text = metrics.text(&Snapshot {
        account: EventAccount::default(),
        ..NOW
    });
    assert!(text.contains("netadmin_agent_breaches_total 0"), "{text}");
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let documented = include_str!("../../../docs/METRICS.md");
    let metrics = Metrics::new();
    let told = Told {
        event: "refused".to_owned(),
        policy: "cnf".to_owned(),
        operation: "promiscuous.flag".to_owned(),
    };
    metrics.told.get_or_create(&told).inc();
    let text = metrics.text(&NOW);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<_> = types.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        assert!(documented.contains(&format!("`{name}")), "{name}");
    }
    let rows = documented
        .lines()
        .filter(|line| line.starts_with("| `netadmin_agent_"));
    assert_eq!(rows.count(), names.len());
}

/// What an agent finds at its start is no operation under a policy; the same words are
/// in the documentation.
#[test]
fn the_samples_have_the_names_and_labels_of_the_documentation() {
    let metrics = Metrics::new();
    metrics.told(&Event::blank("found", 0, String::new(), "node"));
    let text = metrics.text(&NOW);
    let found = "netadmin_agent_events_told_total{event=\"found\",policy=\"\",operation=\"\"} 1";
    assert!(text.lines().any(|line| line == found), "{text}");
    let emitted: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|sample| {
            let (name, labels) = sample.split_once([' ', '{']).expect("a sample");
            let labels = labels.split(',').filter_map(|label| label.split_once('='));
            let labels = labels.map(|(label, _)| label.to_owned()).collect();
            (name.to_owned(), labels)
        })
        .collect();
    let documented = include_str!("../../../docs/METRICS.md");
    let words = |cell: &str| -> Vec<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let documented: BTreeSet<(String, Vec<String>)> = documented
        .lines()
        .filter_map(|line| line.strip_prefix("| `netadmin_agent_"))
        .filter_map(|row| row.split_once("` | "))
        .map(|(name, rest)| {
            let labels = rest.split('|').next().unwrap_or_default();
            (format!("netadmin_agent_{name}"), words(labels))
        })
        .collect();
    assert_eq!(emitted, documented);
}
