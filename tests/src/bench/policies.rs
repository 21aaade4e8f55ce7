//! The policies that are measured.

use netadmin_common::OperationKind;

/// The policies of the repository apply to other cgroups.
const HERE: &str = r#"match.cgroups = ["/netadmin-test/bench", "/netadmin-test/bench/**"]"#;

/// examples/policies/cnf.toml.
pub fn example() -> String {
    let text = include_str!("../../../examples/policies/cnf.toml");
    text.replace(r#"match.cgroups = ["/kubepods.slice/**"]"#, HERE)
}

/// Only what needs no value: the kernel asks for a capability itself.
pub fn lines() -> String {
    format!(
        r#"version = 1
[[policy]]
name = "lines"
{HERE}
[policy.setsockopt]
SO_PRIORITY = {{ allow = ["0..=6"] }}
SO_DEBUG = "deny"
SO_SNDBUFFORCE = "deny"
SO_RCVBUFFORCE = "deny"
"#
    )
}

/// One exception, one value each.
pub fn values() -> String {
    many("values", 1, "")
}

/// One exception, one value each, and an allow-list of operations by their areas.
pub fn few() -> String {
    let areas = [
        "setsockopt.*",
        "link.*",
        "addr.*",
        "route.*",
        "neigh.*",
        "nftables.*",
        "read.*",
    ];
    many("few", 1, &allow_list(areas))
}

/// An allow-list of some 200 rules: as many exceptions and values as a policy can
/// hold, and nearly every operation by its name.
pub fn largest() -> String {
    let names = OperationKind::ALL.iter().filter(|kind| kind.is_piece());
    let names = names.map(|kind| kind.name());
    let allowed = names.filter(|name| !["bpf.use", "unclassified"].contains(name));
    many("largest", 16, &allow_list(allowed))
}

fn allow_list<'a>(operations: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = operations
        .into_iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    format!(
        "[policy.net_admin]\ndefault = \"deny\"\nallow = [{}]\n",
        quoted.join(", ")
    )
}

fn many(name: &str, number: usize, net_admin: &str) -> String {
    let exceptions: Vec<_> = (0..number.min(8))
        .map(|n| format!("\"other{n}*\""))
        .collect();
    let values = |own: usize| -> String {
        let others = (1..number).map(|n| (100 + 20 * n).to_string());
        let all: Vec<_> = others.chain([own.to_string()]).collect();
        all.join(", ")
    };
    let (exceptions, priorities, marks) = (exceptions.join(", "), values(2), values(7));
    format!(
        r#"version = 1
[[policy]]
name = "{name}"
{HERE}
[policy.promiscuous]
default = "deny"
allow = [{exceptions}]
[policy.setsockopt]
SO_PRIORITY = {{ allow = [{priorities}] }}
SO_MARK = {{ allow = [{marks}] }}
SO_DEBUG = "deny"
SO_SNDBUFFORCE = "deny"
SO_RCVBUFFORCE = "deny"
{net_admin}"#
    )
}
