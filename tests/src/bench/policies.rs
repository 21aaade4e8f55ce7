//! The policies that are measured.

/// Rules on the operations of CAP_NET_ADMIN, all of them allowed: empty as long as
/// the agent does not enforce `[policy.net_admin]`.
const NET_ADMIN: &str = "";

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
    many("values", 1)
}

/// What a policy can hold: eight exceptions, sixteen values each.
pub fn largest() -> String {
    many("largest", 16)
}

fn many(name: &str, number: usize) -> String {
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
{NET_ADMIN}"#
    )
}
