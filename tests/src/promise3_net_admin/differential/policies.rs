//! Policies made up at random, and what `explain` says of them.

use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use netadmin_bypass::fuzz::Random;
use netadmin_common::grants::{Grants, MAX_GRANTS, can_be_conditional};
use netadmin_common::{Exception, OperationKind, PolicyRecord};

use super::seed;
use crate::rig::{PROGRAM, new_directory};

/// How many.
pub const POLICIES: usize = 12;

/// The file that has them all.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let head = "version = 1\n".to_owned();
    (0..POLICIES).fold(head, |text, place| text + &section(seed(), place))
});

/// One of them, as `explain` tells it.
#[derive(Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its control group.
    pub cgroup: String,
    /// Of the record what its pieces say.
    pub record: PolicyRecord,
}

fn cgroup(place: usize) -> String {
    format!("/netadmin-test/guarded/made-up-{place}")
}

fn pieces() -> impl Iterator<Item = OperationKind> {
    let all = OperationKind::ALL.iter().copied();
    all.filter(|kind| kind.is_piece())
}

fn section(seed: u64, place: usize) -> String {
    let mut random = Random::new(!seed, place as u64);
    let head = format!(
        "[[policy]]\nname = \"made-up-{place}\"\nmatch.cgroups = [\"{}/**\"]\n[policy.net_admin]\n",
        cgroup(place)
    );
    if random.once_in(3) {
        return format!(
            "{head}default = \"allow\"\ndeny = {:?}\n",
            entries(&mut random, 3)
        );
    }
    let (allow, deny) = (entries(&mut random, 2), denied(&mut random));
    let mut allow: Vec<_> = allow.iter().map(|name| format!("{name:?}")).collect();
    allow.extend(conditions(seed, place).iter().map(|condition| {
        let Condition { op, key, text } = condition;
        format!("{{ op = {op:?}, {key} = {text:?} }}")
    }));
    let allow = allow.join(", ");
    format!("{head}default = \"deny\"\nallow = [{allow}]\ndeny = {deny:?}\n")
}

/// With them no other interface can be brought under a condition.
fn denied(random: &mut Random) -> Vec<&'static str> {
    let mut deny = entries(random, 12);
    deny.extend(["link.rename", "link.namespace"]);
    deny
}

/// `{ op = "link.mtu", interface = "tap*" }`.
#[derive(Clone, Copy, Debug)]
struct Condition {
    op: &'static str,
    key: &'static str,
    text: &'static str,
}

/// Those of a policy with `default = "deny"`.
fn conditions(seed: u64, place: usize) -> Vec<Condition> {
    const OPS: [&str; 7] = [
        "link.*", "link.*", "link.mtu", "addr.*", "neigh.*", "fdb.*", "tc.*",
    ];
    const ON: [(&str, &str); 6] = [
        ("interface", "diffup0"),
        ("interface", "diffdown0"),
        ("interface", "diffb*"),
        ("kind", "bridge"),
        ("kind", "dummy"),
        ("kind", "vlan"),
    ];
    let mut random = Random::new(seed.rotate_left(32), place as u64);
    let count = random.below(MAX_GRANTS + 1);
    let one = |_| {
        let (op, (key, text)) = (random.choose(&OPS), random.choose(&ON));
        Condition { op, key, text }
    };
    (0..count).map(one).collect()
}

/// What a policy grants on some interfaces alone.
fn grants(seed: u64, place: usize, told: &str) -> Grants {
    let mut grants = Grants::EMPTY;
    if told.contains("default = \"allow\"") {
        return grants;
    }
    let deny = told.split_once("deny = ").map_or("", |(_, list)| list);
    let denied = |kind: OperationKind| {
        let named = |name: &str| deny.contains(&format!("{name:?}"));
        let under = |beginning: &&str| {
            kind.name().starts_with(beginning.trim_end_matches('*')) && named(beginning)
        };
        named(kind.name()) || WILDCARDS.iter().any(under)
    };
    for (slot, condition) in grants.list.iter_mut().zip(conditions(seed, place)) {
        slot.on = match (condition.key, condition.text.strip_suffix('*')) {
            ("kind", _) => Exception::kind(condition.text),
            (_, Some(beginning)) => Exception::prefix(beginning),
            _ => Exception::name(condition.text),
        };
        let names = |kind: &OperationKind| {
            let beginning = condition.op.strip_suffix('*');
            beginning.map_or(kind.name() == condition.op, |op| {
                kind.name().starts_with(op)
            })
        };
        let kinds = pieces()
            .filter(names)
            .filter(|kind| can_be_conditional(*kind));
        kinds
            .filter(|kind| !denied(*kind))
            .for_each(|kind| slot.pieces.insert(kind));
        grants.len += 1;
    }
    grants
}

const WILDCARDS: [&str; 9] = [
    "link.*",
    "link.create.*",
    "addr.*",
    "route.*",
    "tc.*",
    "nftables.*",
    "xfrm.*",
    "ioctl.*",
    "genl.*",
];

/// One name in so many, and perhaps a wildcard.
fn entries(random: &mut Random, one_in: usize) -> Vec<&'static str> {
    let mut names: Vec<_> = pieces()
        .map(OperationKind::name)
        .filter(|_| random.once_in(one_in))
        .collect();
    if random.once_in(3) {
        names.push(random.choose(&WILDCARDS));
    }
    names
}

/// What `netadmin-agent explain` says of each: the host's core.
pub fn explained() -> Result<Vec<Policy>> {
    let path = new_directory()?.join("made-up.toml");
    fs::write(&path, POLICY.as_str()).context("write the policies")?;
    let one = |place| {
        let cgroup = cgroup(place);
        let mut command = Command::new(PROGRAM);
        command.args(["explain", "--cgroup", &cgroup, "--policy"]);
        let output = command.arg(&path).args(pieces().map(OperationKind::name));
        let output = output.output().context("run explain")?;
        let mut record = record(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("{output:?}"))?;
        record.grants = grants(seed(), place, &section(seed(), place));
        Ok(Policy {
            name: format!("made-up-{place}"),
            cgroup,
            record,
        })
    };
    (0..POLICIES).map(one).collect()
}

/// `NAME: refused: …` and `NAME: allowed: …`.
fn record(told: &str) -> Result<PolicyRecord> {
    let mut record = PolicyRecord::EMPTY;
    let mut lines = 0;
    for line in told.lines() {
        let Some((name, rest)) = line.split_once(": ") else {
            continue;
        };
        let Some(kind) = OperationKind::from_name(name) else {
            continue;
        };
        lines += 1;
        if rest.starts_with("refused") {
            record.net_admin.refused.insert(kind);
        }
    }
    ensure!(
        lines == pieces().count(),
        "explain tells of {lines} operations"
    );
    Ok(record)
}
