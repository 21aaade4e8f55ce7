use netadmin_common::event::{VALUE_PRIVILEGED, VALUE_UNKNOWN};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::found;
use super::*;
use crate::policy::source::Source;
use crate::policy::{PolicySet, load_source};

const POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/a/**"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_PRIORITY = { allow = ["0..=6"] }
"#;

fn policies() -> PolicySet {
    let source = Source {
        name: "policy.toml".to_owned(),
        text: POLICY.to_owned(),
    };
    load_source(source).expect("a good policy").set
}

fn padded(text: &[u8]) -> [u8; 16] {
    let mut padded = [0; 16];
    padded[..text.len()].copy_from_slice(text);
    padded
}

fn refusal() -> EventRecord {
    EventRecord {
        kind: EventKind::Refused as u16,
        via: Via::SetIfFlags as u16,
        time: 123_456_789,
        cgroup: 42,
        pid: 1,
        tid: 2,
        policy: 0,
        rule: Rule::Promiscuous as u16,
        operation: OperationKind::PromiscuousFlag as u16,
        errno: 1,
        ifindex: 3,
        comm: padded(b"ip"),
        ifname: padded(b"eth0"),
        ..EventRecord::default()
    }
}

fn line_of(kind: EventKind, record: &EventRecord) -> String {
    let policies = policies();
    let context = Context {
        seq: 17,
        node_name: "n",
        clock: &Clock::between(1_795_471_200_000_000_000, 0),
        policy: policies
            .policies
            .get(record.policy as usize)
            .map(PolicyName::InForce),
        cgroup: Some("/a/b"),
        cleared: true,
    };
    let event = Event::new(kind, record, &context).expect("a kind that is told");
    event.to_line()
}

fn told(kind: EventKind, record: &EventRecord) -> Value {
    of_the_schema(&line_of(kind, record))
}

fn of_the_schema(line: &str) -> Value {
    let value = serde_json::from_str(line).expect("JSON");
    let schema = include_str!("../../../docs/event.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("a JSON schema");
    jsonschema::draft202012::validate(&schema, &value).expect("an event of the schema");
    value
}

#[test]
fn a_refusal_has_its_fields_in_the_documented_order() {
    let expected = concat!(
        r#"{"schema":1,"seq":17,"time":"2026-11-23T22:00:00.123456789Z","node_name":"n","#,
        r#""event":"refused","process":{"pid":1,"tid":2,"comm":"ip","uid":0,"#,
        r#""cgroup":"/a/b","cgroup_id":42},"policy":"cnf","rule":"promiscuous.default","#,
        r#""line":6,"operation":"promiscuous.flag","via":"SIOCSIFFLAGS","#,
        r#""interface":{"index":3,"name":"eth0"},"value":null,"value_known":null,"#,
        r#""errno":"EPERM"}"#,
    );
    assert_eq!(line_of(EventKind::Refused, &refusal()), expected);
    told(EventKind::Refused, &refusal());
}

#[test]
fn an_option_has_its_value_or_says_that_it_cannot_be_known() {
    let set = |value_state| EventRecord {
        rule: Rule::Priority as u16,
        operation: OperationKind::SetPriority as u16,
        value: -1,
        value_state,
        ifindex: 0,
        ifname: [0; 16],
        errno: 13,
        ..refusal()
    };
    let known = told(EventKind::WouldRefuse, &set(VALUE_KNOWN));
    assert_eq!(known["event"], "would_refuse");
    assert_eq!(
        (&known["value"], &known["value_known"]),
        (&json!(-1), &json!(true))
    );
    assert_eq!(
        (&known["line"], &known["errno"]),
        (&json!(8), &json!("EACCES"))
    );
    assert_eq!(known["interface"], Value::Null);
    for state in [VALUE_UNKNOWN, VALUE_PRIVILEGED] {
        let unknown = told(EventKind::Refused, &set(state));
        assert_eq!(unknown["value"], Value::Null);
        assert_eq!(unknown["value_known"], json!(false));
    }
}

#[test]
fn a_rise_has_counts_and_no_policy() {
    let record = EventRecord {
        kind: EventKind::Rise as u16,
        promiscuity_after: 1,
        kernel_thread: 1,
        ifindex: 3,
        ifname: padded(b"eth0"),
        ..EventRecord::default()
    };
    let rise = told(EventKind::Rise, &record);
    assert_eq!(rise["promiscuity"], json!({"before": 0, "after": 1}));
    assert_eq!(rise["kernel_thread"], true);
    assert_eq!(rise["policy"], Value::Null);
    assert_eq!(rise["operation"], Value::Null);
}

#[test]
fn names_of_any_bytes_stay_on_one_line() {
    let record = EventRecord {
        comm: *b"\"\n\x1b[31m\xff\\abcdefg",
        ifname: [0xff; 16],
        ..refusal()
    };
    let line = line_of(EventKind::Refused, &record);
    assert!(!line.contains('\n') && !line.contains('\x1b'));
    let event = told(EventKind::Refused, &record);
    assert_eq!(event["process"]["comm"], "\"\n\u{1b}[31m\u{fffd}\\abcdefg");
}

#[test]
fn numbers_that_nobody_knows_are_told_as_such() {
    let record = EventRecord {
        rule: 999,
        operation: 999,
        via: 999,
        policy: 999,
        errno: u32::MAX,
        ..refusal()
    };
    let event = told(EventKind::Refused, &record);
    for key in ["rule", "operation", "via"] {
        assert_eq!(event[key], "unknown(999)", "{key}");
    }
    assert_eq!(event["errno"], "unknown(4294967295)");
    assert_eq!(
        (&event["policy"], &event["line"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_device_that_is_yet_to_be_made_has_no_index() {
    let record = EventRecord {
        ifindex: 0,
        ..refusal()
    };
    let event = told(EventKind::Refused, &record);
    assert_eq!(event["interface"], json!({"index": null, "name": "eth0"}));
}

#[test]
fn a_breach_is_blamed_and_says_what_was_done() {
    let record = EventRecord {
        operation: 0,
        via: 0,
        errno: 0,
        promiscuity_after: 1,
        netns: 4_026_532_291,
        signal: 9,
        ..refusal()
    };
    let event = told(EventKind::Breach, &record);
    assert_eq!(event["event"], "breach");
    assert_eq!(
        (&event["policy"], &event["line"]),
        (&json!("cnf"), &json!(6))
    );
    assert_eq!(event["promiscuity"], json!({"before": 0, "after": 1}));
    assert_eq!(event["netns"], 4_026_532_291_u32);
    assert_eq!(event["signal"], "SIGKILL");
    assert_eq!(event["cleared"], true);
}

#[test]
fn cgroups_made_and_gone_are_for_the_agent_alone() {
    let policies = policies();
    let context = Context {
        seq: 0,
        node_name: "n",
        clock: &Clock::between(0, 0),
        policy: policies.policies.first().map(PolicyName::InForce),
        cgroup: None,
        cleared: false,
    };
    for kind in [EventKind::CgroupMade, EventKind::CgroupGone] {
        assert!(Event::new(kind, &refusal(), &context).is_none());
    }
}

#[test]
fn what_was_there_before_is_told_thing_by_thing() {
    use crate::inventory::{Device, Inventory, Membership};
    let inventory = Inventory {
        processes: 2,
        devices: vec![Device {
            netns: 7,
            pid: 1,
            index: 3,
            name: "eth0".to_owned(),
            promiscuity: 2,
            by_flag: true,
            is_port: false,
        }],
        memberships: vec![Membership {
            netns: 7,
            index: 3,
            kind: "PACKET_MR_PROMISC",
            socket: 99,
            pid: None,
        }],
        unseen: Vec::new(),
    };
    let time = Clock::between(0, 0).rfc3339(0);
    let next = |word| Event::blank(word, 0, time.clone(), "n");
    let told: Vec<Value> = found::events(&inventory, next)
        .iter()
        .map(|event| of_the_schema(&event.to_line()))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[0]["found"], json!({ "kind": "processes", "count": 2 }));
    assert_eq!(told[1]["interface"], json!({ "index": 3, "name": "eth0" }));
    assert_eq!(told[1]["found"]["promiscuity"], 2);
    assert_eq!(told[2]["found"]["socket"], 99);
    assert_eq!(told[2]["netns"], 7);
}

#[test]
fn the_documentation_names_every_rule_and_way() {
    let text = include_str!("../../../docs/EVENTS.md");
    let rules = Rule::ALL.iter().map(|rule| rule.name());
    let ways = (0..u16::MAX).filter_map(Via::from_number).map(Via::name);
    for name in rules.chain(ways) {
        assert!(text.contains(&format!("`{name}`")), "{name} is missing");
    }
}

#[test]
fn the_example_of_the_documentation_is_an_event() {
    let text = include_str!("../../../docs/EVENTS.md");
    let examples = text.lines().filter(|line| line.starts_with("{\"schema\""));
    let schema = include_str!("../../../docs/event.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("a JSON schema");
    let mut seen = 0;
    for example in examples {
        let value = serde_json::from_str(example).expect("JSON");
        jsonschema::draft202012::validate(&schema, &value).expect("an event of the schema");
        seen += 1;
    }
    assert!(seen >= 2);
}

proptest! {
    #[test]
    fn any_record_is_told_within_the_schema(
        numbers in any::<[u16; 4]>(),
        words in any::<[u32; 8]>(),
        longs in any::<(u64, u64, i64)>(),
        value_state in 0u32..5,
        names in any::<[[u8; 16]; 2]>(),
        kind in prop_oneof![1u16..=4, Just(EventKind::Breach as u16)],
    ) {
        let record = EventRecord {
            kind,
            via: numbers[0],
            rule: numbers[1] % 80,
            operation: numbers[2] % 300,
            time: longs.0,
            cgroup: longs.1,
            value: longs.2,
            value_state,
            pid: words[0],
            tid: words[1],
            uid: words[2],
            policy: words[3] % 2,
            errno: words[4] % 200,
            ifindex: words[5],
            promiscuity_before: words[6],
            promiscuity_after: words[7],
            kernel_thread: words[0],
            netns: words[1],
            signal: words[2] % 70,
            comm: names[0],
            ifname: names[1],
            ..EventRecord::default()
        };
        told(EventKind::from_number(kind).expect("a kind"), &record);
    }
}
