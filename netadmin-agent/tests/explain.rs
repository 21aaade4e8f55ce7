//! The edit that `explain` tells changes the answer: each is carried out, and asked
//! about again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use netadmin_common::OperationKind;

/// A policy, as far as edits change it.
#[derive(Clone, Debug)]
struct Policy {
    default: &'static str,
    allow: BTreeSet<String>,
    deny: BTreeSet<String>,
    options: BTreeMap<String, &'static str>,
}

impl Policy {
    fn new(default: &'static str, allow: &[&str], deny: &[&str]) -> Self {
        let set = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let options = ["SO_MARK", "SO_DEBUG"].map(|name| (name.to_owned(), "deny"));
        Self {
            default,
            allow: set(allow),
            deny: set(deny),
            options: options.into(),
        }
    }

    fn text(&self) -> String {
        let mut text = "version = 1\n[[policy]]\nname = \"cnf\"\nmatch.cgroups = [\"/a\"]\n\
            [policy.setsockopt]\n"
            .to_owned();
        for (name, access) in &self.options {
            text += &format!("{name} = \"{access}\"\n");
        }
        text += &format!("[policy.net_admin]\ndefault = \"{}\"\n", self.default);
        for (key, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            if !list.is_empty() {
                let list: Vec<_> = list.iter().collect();
                text += &format!("{key} = {list:?}\n");
            }
        }
        text
    }

    /// The answer for each operation: whether it is refused, and the edit.
    fn explain(&self, operations: &[&str]) -> Vec<(bool, String)> {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("policy.toml");
        fs::write(&file, self.text()).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_netadmin-agent"))
            .args(["explain", "--cgroup", "/a", "--policy"])
            .arg(&file)
            .args(operations)
            .output()
            .expect("the agent starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = text.lines().skip(1).collect();
        let answers = lines.chunks(2).map(|answer| {
            let edit = answer[1].trim().strip_prefix("to change it: ");
            (
                answer[0].contains(": refused: "),
                edit.expect("an edit").to_owned(),
            )
        });
        let answers: Vec<_> = answers.collect();
        assert_eq!(answers.len(), operations.len(), "{text}\n{output:?}");
        answers
    }

    /// Does what is told.
    fn edit(&mut self, edit: &str) {
        for part in edit.split(", and ") {
            let quoted: Vec<_> = part.split('"').skip(1).step_by(2).collect();
            let of = if part.contains("`allow`") {
                &mut self.allow
            } else {
                &mut self.deny
            };
            match part.split(' ').next() {
                Some("add") => drop(of.insert(quoted[0].to_owned())),
                Some("take") => assert!(of.remove(quoted[0]), "{part}"),
                Some("write") if quoted.len() == 1 => {
                    let option = part.split(['`', ' ']).nth(2).expect("an option");
                    self.options.insert(option.to_owned(), "allow");
                }
                Some("write") => {
                    let beginning = quoted[0].trim_end_matches('*');
                    assert!(of.remove(quoted[0]), "{part}");
                    let all = pieces().into_iter();
                    let rest = all.filter(|name| name.starts_with(beginning));
                    of.extend(rest.filter(|name| *name != quoted[1]).map(str::to_owned));
                }
                _ => panic!("what is to be done? {part}"),
            }
        }
    }
}

fn pieces() -> Vec<&'static str> {
    let pieces = OperationKind::ALL.iter().filter(|kind| kind.is_piece());
    pieces.map(|kind| kind.name()).collect()
}

fn every_edit_changes_the_answer(policy: &Policy) {
    let all = pieces();
    for (operation, (refused, edit)) in all.iter().zip(policy.explain(&all)) {
        let mut edited = policy.clone();
        edited.edit(&edit);
        let [(now, _)] = &edited.explain(&[operation])[..] else {
            panic!("not one answer");
        };
        assert_ne!(*now, refused, "{operation}: {edit}\n{}", edited.text());
    }
}

#[test]
fn under_an_allow_list_every_edit_changes_the_answer() {
    let allow = ["addr.*", "link.up", "setsockopt.*", "tc.*", "tc.qdisc"];
    let deny = ["addr.delete", "tc.*", "setsockopt.SO_DEBUG", "unclassified"];
    every_edit_changes_the_answer(&Policy::new("deny", &allow, &deny));
    every_edit_changes_the_answer(&Policy::new("deny", &[], &[]));
}

#[test]
fn under_a_deny_list_every_edit_changes_the_answer() {
    let deny = ["addr.*", "link.up", "setsockopt.SO_MARK", "link.create.*"];
    every_edit_changes_the_answer(&Policy::new("allow", &[], &deny));
}

/// What lets any interface come under a condition is granted without conditions alone.
#[test]
fn to_grant_a_renaming_the_conditions_by_name_have_to_go() {
    const CONDITIONS: [&str; 2] = [
        "{ op = \"link.mtu\", interface = \"eth*\" }",
        "{ op = \"link.up\", kind = \"tun\" }",
    ];
    let explain = |allow: &[&str], operation| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("policy.toml");
        let head = Policy::new("deny", &[], &[]).text();
        fs::write(&file, format!("{head}allow = [{}]\n", allow.join(", "))).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_netadmin-agent"))
            .args(["explain", "--cgroup", "/a", "--policy"])
            .arg(&file)
            .arg(operation)
            .output();
        String::from_utf8(output.expect("the agent starts").stdout).expect("text")
    };
    let told = explain(&CONDITIONS, "link.rename");
    assert!(
        told.contains("and take \"link.mtu on eth*\" out of `allow`"),
        "{told}"
    );
    assert!(!told.contains("take \"link.up"), "{told}");
    let told = explain(&["\"link.rename\"", CONDITIONS[1]], "link.rename");
    assert!(told.contains("link.rename: allowed"), "{told}");
    assert_eq!(
        explain(&["\"link.rename\"", CONDITIONS[0]], "link.rename"),
        ""
    );

    let told = explain(&CONDITIONS, "link.namespace");
    assert_eq!(told.matches(" out of `allow`").count(), 2, "{told}");
    let told = explain(&["\"link.namespace\""], "link.namespace");
    assert!(told.contains("link.namespace: allowed"), "{told}");
}
