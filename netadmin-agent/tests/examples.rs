//! The example policies are good, and mean what their remarks say.

use std::fs;
use std::path::Path;

use netadmin_agent::policy::{self, PolicySet};
use netadmin_common::{Operation, OperationKind, Rule, SocketOption, Value, Verdict, decide};

const EXAMPLES: &str = "../examples/policies";

fn load(name: &str) -> PolicySet {
    let loaded = policy::load(&Path::new(EXAMPLES).join(name)).expect("a good policy");
    assert!(
        loaded.warnings.is_empty(),
        "{}",
        loaded.warnings.render(false)
    );
    loaded.set
}

/// Which of these values the policy lets a guarded task set.
fn settable(set: &PolicySet, name: &str, values: &[i64]) -> Vec<i64> {
    let policy = set.policies.iter().find(|policy| policy.name == name);
    let record = &policy.expect("the policy").record;
    let passes = |value: &i64| {
        let operation = Operation::set(SocketOption::Priority, Value::Known(*value));
        decide(record, &operation) == Verdict::Allow
    };
    values.iter().copied().filter(passes).collect()
}

#[test]
fn every_example_is_good_and_without_warnings() {
    let mut seen = 0;
    for entry in fs::read_dir(EXAMPLES).expect("the examples") {
        let name = entry.expect("an entry").file_name();
        load(name.to_str().expect("a plain name"));
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn the_sets_that_a_seccomp_profile_cannot_write_are_as_named() {
    let set = load("priority-sets.toml");
    let values = [-1, 0, 1, 5, 6, 8, 13, 14, 42, 0x20000, 0x20008];
    assert_eq!(
        settable(&set, "not-13-and-not-42", &values),
        [-1, 0, 1, 5, 6, 8, 14, 0x20000, 0x20008]
    );
    assert_eq!(settable(&set, "more-than-0-less-than-6", &values), [1, 5]);
    assert_eq!(
        settable(&set, "exactly-these", &values),
        [-1, 0, 8, 0x20000, 0x20008]
    );
}

#[test]
fn the_cnf_example_needs_the_value_program_for_memberships_only() {
    let set = load("cnf.toml");
    assert!(set.needs_value_program());
    let priority = &set.policies[0].record.options[SocketOption::Priority as usize];
    assert_eq!(priority.rule, netadmin_common::policy::OPTION_KERNEL_LINE);
}

#[test]
fn the_vpn_container_is_matched_before_the_others() {
    let set = load("vpn-sidecar.toml");
    let vpn = "/containers.slice/containers-vpn.slice/docker-1.scope";
    assert_eq!(set.policy_for(vpn), Some(0));
    assert_eq!(set.policy_for("/containers.slice/docker-2.scope"), Some(1));
    assert_eq!(set.policy_for("/system.slice"), None);
}

#[test]
fn the_audit_example_only_reports() {
    let set = load("audit.toml");
    assert_eq!(
        set.policies[0].record.mode,
        netadmin_common::policy::MODE_AUDIT
    );
}

#[test]
fn a_rule_has_the_line_that_it_stands_on() {
    let text = fs::read_to_string(Path::new(EXAMPLES).join("cnf.toml")).expect("read");
    let line = |word: &str| text.lines().position(|line| line.starts_with(word));
    let set = load("cnf.toml");
    let rule_line = |rule| set.policies[0].rule_line(rule, None).map(|line| line - 1);
    assert_eq!(rule_line(Rule::Promiscuous), line("default"));
    assert_eq!(rule_line(Rule::PromiscuousSideEffects), line("default"));
    assert_eq!(rule_line(Rule::Priority), line("SO_PRIORITY"));
    assert_eq!(rule_line(Rule::Mark), None);
}

#[test]
fn every_whole_policy_of_the_reference_is_good() {
    let text = fs::read_to_string("../docs/POLICY.md").expect("the reference");
    let blocks: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        let source = policy::source::Source {
            name: "docs/POLICY.md".to_owned(),
            text: block.to_owned(),
        };
        let loaded = policy::load_source(source).expect("a good policy");
        assert!(loaded.warnings.is_empty());
    }
}

#[test]
fn the_reference_names_every_option() {
    let text = fs::read_to_string("../docs/POLICY.md").expect("the reference");
    for option in SocketOption::ALL {
        assert!(text.contains(&format!("`{}`", option.name())));
    }
}

#[test]
fn the_addresses_example_grants_that_and_no_more() {
    let set = load("addresses-only.toml");
    let record = &set.policies[0].record;
    let granted = OperationKind::ALL.iter().filter(|kind| kind.is_piece());
    let granted =
        granted.filter(|kind| decide(record, &Operation::piece(**kind)) == Verdict::Allow);
    let names: Vec<_> = granted.map(|kind| kind.name()).collect();
    assert_eq!(
        names,
        [
            "link.up",
            "link.down",
            "addr.add",
            "addr.delete",
            "addr.set",
            "addr.label",
            "route.add",
            "route.delete"
        ]
    );
}
