//! From text to the second stage: TOML with spans, and the right keys and types.

use netadmin_common::SocketOption;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Problem};
use super::nearest::nearest;
use super::parsed::{
    Access, Answer, Entry, File, Interface, Mode, Names, NetAdmin, OnBreach, OperationText,
    OptionRule, Policy, Promiscuous,
};
use super::sources::Sources;
use super::table::{self, Table, Value};

/// The version of the policy file that this agent reads.
pub const VERSION: &str = "1";

const ACCESS: [(&str, Access); 2] = [("allow", Access::Allow), ("deny", Access::Deny)];
const ON_BREACH: [(&str, OnBreach); 2] = [("report", OnBreach::Report), ("kill", OnBreach::Kill)];
const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];

/// Reads all files. `None` if one of them is not TOML at all.
pub fn parse(sources: &Sources, faults: &mut Faults) -> Option<File> {
    let read: Vec<Option<File>> = sources
        .files()
        .map(|(start, source)| parse_one(start, &source.text, faults))
        .collect();
    let files: Option<Vec<File>> = read.into_iter().collect();
    Some(File {
        policies: files?.into_iter().flat_map(|file| file.policies).collect(),
    })
}

/// Reads one file that begins at `start`. It is read with as much space before it,
/// so that the places in it are right from the first.
fn parse_one(start: usize, text: &str, faults: &mut Faults) -> Option<File> {
    let text = " ".repeat(start) + text;
    let (document, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        for error in errors {
            let problem = Problem::Syntax(error.message().to_owned());
            faults.push(Fault::new(problem, error.span().unwrap_or(start..start)));
        }
        return None;
    }
    let root = Table::root(document.get_ref(), start);
    version(&root, faults)?;
    root.only(&["version", "policy"], faults);
    Some(File {
        policies: policies(&root, faults),
    })
}

/// `None` for a file of another version, of which nothing else is known. One
/// that says no version, or says it wrong, is read on.
fn version(root: &Table<'_, '_>, faults: &mut Faults) -> Option<()> {
    let fault = match root.get("version") {
        None => Fault::new(Problem::NoVersion, root.span()),
        Some(value) => match value.get_ref() {
            DeValue::Integer(number) if number.to_string() == VERSION => return Some(()),
            DeValue::Integer(number) => Fault::new(
                Problem::UnsupportedVersion(number.to_string()),
                value.span(),
            ),
            _ => table::wrong_type("`version`", "the integer 1", value),
        },
    };
    let other = matches!(fault.problem, Problem::UnsupportedVersion(_));
    faults.push(fault.help("write `version = 1`"));
    (!other).then_some(())
}

fn policies(root: &Table<'_, '_>, faults: &mut Faults) -> Vec<Policy> {
    let Some(value) = root.get("policy") else {
        faults.push(Fault::new(Problem::NoPolicy, root.span()).help("add a `[[policy]]`"));
        return Vec::new();
    };
    if value.get_ref().is_table() {
        let fault = table::wrong_type("`policy`", "an array of tables", value);
        faults.push(fault.help("write `[[policy]]`, with two brackets"));
        return Vec::new();
    }
    let read = table::array("policy", "an array of tables", value, faults, policy);
    let policies = read.map(Spanned::into_inner).unwrap_or_default();
    if policies.is_empty() && !faults.any_errors() {
        faults.push(Fault::new(Problem::NoPolicy, value.span()).help("add a `[[policy]]`"));
    }
    policies
}

fn policy(value: Value<'_, '_>, faults: &mut Faults) -> Option<Policy> {
    let table = Table::open("`[[policy]]`", "policy", value, faults)?;
    table.only(
        &[
            "name",
            "mode",
            "match",
            "net_admin",
            "promiscuous",
            "setsockopt",
        ],
        faults,
    );
    let name = table.require("name", faults);
    let matches = table.require("match", faults);
    Some(Policy {
        span: table.span(),
        name: name.and_then(|value| table::text("name", value, faults)),
        mode: table.get("mode").and_then(|value| {
            table::word("mode", "\"enforce\" or \"audit\"", &MODES, value, faults)
        }),
        cgroups: matches.and_then(|value| cgroups(value, faults)),
        promiscuous: table
            .get("promiscuous")
            .and_then(|value| promiscuous(value, faults)),
        net_admin: table
            .get("net_admin")
            .and_then(|value| net_admin(value, faults)),
        options: table
            .get("setsockopt")
            .map(|value| options(value, faults))
            .unwrap_or_default(),
    })
}

fn cgroups(value: Value<'_, '_>, faults: &mut Faults) -> Option<Names> {
    let table = Table::open("`match`", "match", value, faults)?;
    table.only(&["cgroups"], faults);
    let globs = table.require("cgroups", faults)?;
    let key = "match.cgroups";
    table::array(
        key,
        "an array of path globs",
        globs,
        faults,
        |entry, faults| table::text(key, entry, faults),
    )
}

fn promiscuous(value: Value<'_, '_>, faults: &mut Faults) -> Option<Promiscuous> {
    let table = Table::open("`[policy.promiscuous]`", "promiscuous", value, faults)?;
    table.only(
        &["default", "keep", "side_effects", "on_breach", "allow"],
        faults,
    );
    table.require("default", faults);
    let allow = table.get("allow").and_then(|value| {
        let expected = "an array of interfaces";
        table::array("promiscuous.allow", expected, value, faults, interface)
    });
    Some(Promiscuous {
        default: access(&table, "default", faults),
        keep: access(&table, "keep", faults),
        side_effects: access(&table, "side_effects", faults),
        on_breach: table.get("on_breach").and_then(|value| {
            let expected = "\"report\" or \"kill\"";
            table::word("on_breach", expected, &ON_BREACH, value, faults)
        }),
        allow,
    })
}

fn net_admin(value: Value<'_, '_>, faults: &mut Faults) -> Option<NetAdmin> {
    let table = Table::open("`[policy.net_admin]`", "net_admin", value, faults)?;
    table.only(&["default", "allow", "deny"], faults);
    table.require("default", faults);
    let default = access(&table, "default", faults);
    let mut entries = |key: &str| {
        let value = table.get(key)?;
        let expected = "an array of operations";
        table::array(key, expected, value, faults, operation)
    };
    Some(NetAdmin {
        default,
        allow: entries("allow"),
        deny: entries("deny"),
    })
}

/// `"link.mtu"`, or `{ op = "link.mtu", interface = "tap*" }`.
fn operation(value: Value<'_, '_>, faults: &mut Faults) -> Option<OperationText> {
    let span = value.span();
    if !value.get_ref().is_table() {
        let name = table::text("an entry of the list", value, faults)?;
        return Some(OperationText {
            name,
            span,
            on: None,
        });
    }
    let table = Table::open("an entry of the list", "allow", value, faults)?;
    table.only(&["op", "interface", "kind"], faults);
    let name = table::text("op", table.require("op", faults)?, faults)?;
    let (key, read): (_, fn(String) -> Interface) =
        match (table.get("interface"), table.get("kind")) {
            (Some(value), None) => (value, Interface::Name),
            (None, Some(value)) => (value, Interface::Kind),
            _ => {
                faults.push(Fault::new(Problem::OneCondition, span));
                return None;
            }
        };
    let text = table::text("a condition", key, faults)?;
    let on = Spanned::new(text.span(), read(text.into_inner()));
    Some(OperationText {
        name,
        span,
        on: Some(on),
    })
}

fn access(table: &Table<'_, '_>, key: &str, faults: &mut Faults) -> Option<Spanned<Access>> {
    let value = table.get(key)?;
    table::word(key, "\"allow\" or \"deny\"", &ACCESS, value, faults)
}

fn interface(value: Value<'_, '_>, faults: &mut Faults) -> Option<Spanned<Interface>> {
    let interface = match value.get_ref() {
        DeValue::String(name) => Interface::Name(name.to_string()),
        DeValue::Table(_) => {
            let table = Table::open("an entry of `allow`", "allow", value, faults)?;
            table.only(&["kind"], faults);
            let kind = table.require("kind", faults)?;
            Interface::Kind(table::text("kind", kind, faults)?.into_inner())
        }
        _ => {
            let expected = "a string or `{ kind = \"...\" }`";
            faults.push(table::wrong_type("an entry of `allow`", expected, value));
            return None;
        }
    };
    Some(Spanned::new(value.span(), interface))
}

fn options(value: Value<'_, '_>, faults: &mut Faults) -> Vec<OptionRule> {
    let Some(table) = Table::open("`[policy.setsockopt]`", "setsockopt", value, faults) else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    for (key, value) in table.iter() {
        let known = SocketOption::ALL
            .into_iter()
            .find(|option| option.name() == *key.get_ref());
        let Some(option) = known else {
            faults.push(unknown_option(&key));
            continue;
        };
        rules.extend(answer(option, value, faults).map(|answer| OptionRule {
            option,
            span: key.span(),
            answer,
        }));
    }
    rules
}

fn unknown_option(key: &Spanned<&str>) -> Fault {
    let known = SocketOption::ALL.map(SocketOption::name);
    let problem = Problem::UnknownOption(key.get_ref().escape_debug().to_string());
    let fault = Fault::new(problem, key.span());
    match nearest(key.get_ref(), known) {
        Some(word) => fault.help(format!("did you mean `{word}`?")),
        None => fault.help(format!("a policy can rule on {}", known.join(", "))),
    }
}

fn answer(option: SocketOption, value: Value<'_, '_>, faults: &mut Faults) -> Option<Answer> {
    let name = option.name();
    if value.get_ref().is_table() {
        return values(name, value, faults);
    }
    let expected = "\"allow\", \"deny\" or a table with `allow` or `deny`";
    let word = table::word(name, expected, &ACCESS, value, faults)?;
    Some(Answer::Access(word.into_inner()))
}

fn values(name: &'static str, value: Value<'_, '_>, faults: &mut Faults) -> Option<Answer> {
    let table = Table::open("a rule on values", name, value, faults)?;
    table.only(&["allow", "deny"], faults);
    if table.get("allow").is_none() && table.get("deny").is_none() {
        faults.push(Fault::new(Problem::NoValues(name), value.span()));
        return None;
    }
    let mut list = |key: &str| {
        let value = table.get(key)?;
        let read = table::array(key, "an array of values", value, faults, entry);
        Some(read.map(Spanned::into_inner).unwrap_or_default())
    };
    Some(Answer::Values {
        span: value.span(),
        allow: list("allow"),
        deny: list("deny"),
    })
}

fn entry(value: Value<'_, '_>, faults: &mut Faults) -> Option<Spanned<Entry>> {
    let entry = match value.get_ref() {
        DeValue::Integer(number) => Entry::Number {
            digits: number.as_str().to_owned(),
            radix: number.radix(),
        },
        DeValue::String(text) => Entry::Text(text.to_string()),
        _ => {
            let expected = "an integer or a string such as \"0..=6\"";
            faults.push(table::wrong_type("an entry of the list", expected, value));
            return None;
        }
    };
    Some(Spanned::new(value.span(), entry))
}
