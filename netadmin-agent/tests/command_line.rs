//! The program as a shell sees it: exit codes and streams.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const GOOD: &str = "version = 1\n[[policy]]\nname = \"cnf\"\nmatch.cgroups = [\"/a/**\"]\n";

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netadmin-agent"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

fn run(arguments: &[&str]) -> Output {
    agent(arguments).output().expect("the agent starts")
}

/// The exit code, standard output and standard error of `check` on a file.
fn check(path: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut arguments = vec!["check", path.to_str().expect("a plain path")];
    arguments.extend(more);
    let output = run(&arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("policy.toml");
        fs::write(&path, bytes).expect("written");
        path
    }
}

#[test]
fn check_says_what_a_good_file_comes_to() {
    let scratch = Scratch::new();
    let (code, out, err) = check(&scratch.file(GOOD.as_bytes()), &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("ok: 1 policy\n  cnf (enforce)\n"), "{out}");
}

#[test]
fn check_tells_faults_on_standard_error_and_without_colour() {
    let scratch = Scratch::new();
    let file = scratch.file(GOOD.replace("cnf", "CNF").as_bytes());
    let (code, out, err) = check(&file, &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("policy.toml:3:8"), "{err}");
    assert!(
        err.ends_with("has 1 error\n") && !err.contains('\x1b'),
        "{err}"
    );
}

#[test]
fn warnings_pass_unless_they_are_denied() {
    let scratch = Scratch::new();
    let file = scratch.file(GOOD.replace("/a/**", "/**").as_bytes());
    let (code, out, err) = check(&file, &[]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("ok: 1 policy, 1 warning\n") && err.starts_with("warning: "));
    let (code, out, err) = check(&file, &["--deny-warnings"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("--deny-warnings"), "{err}");
}

#[test]
fn check_refuses_what_is_no_readable_text() {
    let scratch = Scratch::new();
    let huge = vec![b'#'; (1 << 20) + 1];
    for (bytes, words) in [
        (b"".as_slice(), "is empty"),
        (
            b"version = 1\nx = \"\xff\"\n",
            "not UTF-8 at line 2, column 6",
        ),
        (&huge, "longer than 1048576 bytes"),
    ] {
        let (code, _, err) = check(&scratch.file(bytes), &[]);
        assert_eq!(code, Some(1));
        assert!(err.contains(words), "{err}");
    }
    let (code, _, err) = check(Scratch::new().0.path(), &[]);
    assert!(
        code == Some(1) && err.contains("has no policy file"),
        "{err}"
    );
    let (code, _, err) = check(&scratch.0.path().join("missing"), &[]);
    assert!(code == Some(1) && err.contains("No such file"), "{err}");
}

#[test]
fn check_and_explain_take_a_directory_of_files() {
    let scratch = Scratch::new();
    let other = GOOD.replace("cnf", "other").replace("/a/", "/b/");
    for (name, text) in [("1.toml", GOOD), ("2.toml", &other)] {
        fs::write(scratch.0.path().join(name), text).expect("written");
    }
    let (code, out, err) = check(scratch.0.path(), &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("ok: 2 policies\n"), "{out}");
    let at = |word| out.find(word).unwrap_or(usize::MAX);
    assert!(at("1.toml") < at("cnf") && at("cnf") < at("2.toml") && at("2.toml") < at("other"));
    let directory = scratch.0.path().to_str().expect("a plain path");
    let output = run(&[
        "explain", "--policy", directory, "--cgroup", "/b", "addr.add",
    ]);
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(out.contains("2.toml"), "{out}");
}

#[test]
fn the_largest_file_that_is_read_is_one_mebibyte() {
    let scratch = Scratch::new();
    let mut bytes = GOOD.as_bytes().to_vec();
    bytes.resize(1 << 20, b'\n');
    assert_eq!(check(&scratch.file(&bytes), &[]).0, Some(0));
}

#[test]
fn a_byte_order_mark_shifts_no_column() {
    let scratch = Scratch::new();
    let (code, _, err) = check(&scratch.file("\u{feff}version = 2\n".as_bytes()), &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("policy.toml:1:11"), "{err}");
}

#[test]
fn a_policy_may_come_from_a_pipe() {
    let mut child = agent(&["check", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the agent starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, GOOD.as_bytes()).expect("written");
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn nobody_reading_is_success() {
    let scratch = Scratch::new();
    let path = scratch.file(GOOD.as_bytes());
    for arguments in [
        &["check", path.to_str().expect("a plain path")][..],
        &["doctor"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = agent(arguments).stdout(writer).output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &[][..],
        &["check"],
        &["frobnicate"],
        &["--policy"],
        &["--policy", "a", "--frobnicate"],
        &["--policy", "a", "doctor"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn running_with_a_policy_that_cannot_be_used_is_exit_code_78() {
    let scratch = Scratch::new();
    let file = scratch.file(b"version = 2\n");
    let output = run(&["--policy", file.to_str().expect("a plain path")]);
    assert_eq!(output.status.code(), Some(78));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("policy.toml:1:11"), "{err}");
    let missing = run(&["--policy", "/nowhere/policy.toml"]);
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn help_tells_every_exit_code() {
    for arguments in [&["--help"][..], &["check", "--help"], &["doctor", "--help"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0));
        let help = String::from_utf8_lossy(&output.stdout);
        for code in ["\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  4 ", "\n  78 "] {
            assert!(help.contains(code), "{help}");
        }
    }
}

#[test]
fn doctor_says_one_line_for_each_check() {
    let output = run(&["doctor"]);
    assert!(matches!(output.status.code(), Some(0 | 3)));
    let out = String::from_utf8_lossy(&output.stdout);
    let known = |line: &str| {
        ["ok  ", "warn", "fail"]
            .iter()
            .any(|state| line.starts_with(state))
    };
    assert!(out.lines().count() >= 9 && out.lines().all(known), "{out}");
}

const PIECES: &str = "version = 1
[[policy]]
name = \"cnf\"
match.cgroups = [\"/a\"]
[policy.setsockopt]
SO_MARK = \"deny\"
[policy.net_admin]
default = \"deny\"
allow = [
  \"addr.*\",
  \"link.up\",
  \"setsockopt.*\",
  { op = \"link.mtu\", interface = \"tap*\" },
  { op = \"tc.*\", kind = \"veth\" },
]
deny = [\"addr.delete\"]
";

/// The exit code and what is printed.
fn explain(cgroup: &str, operations: &[&str]) -> (Option<i32>, String) {
    let scratch = Scratch::new();
    let file = scratch.file(PIECES.as_bytes());
    let file = file.to_str().expect("a plain path");
    let mut arguments = vec!["explain", "--policy", file, "--cgroup", cgroup];
    arguments.extend(operations);
    let output = run(&arguments);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    (output.status.code(), text)
}

#[test]
fn explain_names_verdict_rule_line_and_the_smallest_edit() {
    let (code, text) = explain("/a", &["addr.add", "link.up"]);
    assert_eq!(
        text,
        "policy `cnf`, which matches /a
addr.add: allowed: by net_admin.allow, line 10: \"addr.*\"
    to change it: add \"addr.add\" to `deny`
link.up: allowed: by net_admin.allow, line 11: \"link.up\"
    to change it: take \"link.up\" out of `allow`, line 11
"
    );
    assert_eq!(code, Some(0));
    let (code, text) = explain(
        "/a/b/c",
        &["route.add", "addr.delete", "setsockopt.SO_MARK"],
    );
    assert_eq!(
        text,
        "policy `cnf`, which matches /a, above /a/b/c
route.add: refused: by net_admin.default, line 8
    to change it: add \"route.add\" to `allow`, line 10
addr.delete: refused: by net_admin.deny, line 16: \"addr.delete\"
    to change it: take \"addr.delete\" out of `deny`, line 16
setsockopt.SO_MARK: refused: by setsockopt.SO_MARK, line 6
    to change it: write `SO_MARK = \"allow\"`, or give it values
"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn explain_knows_what_is_granted_on_some_interfaces_alone() {
    let (code, text) = explain("/a", &["link.mtu"]);
    assert_eq!(
        text,
        "policy `cnf`, which matches /a
link.mtu: refused: by net_admin.default, line 8; but allowed by net_admin.allow, line 13: link.mtu on tap*
    to change it: add \"link.mtu\" to `allow`, line 10
"
    );
    assert_eq!(code, Some(1));
    let on_a_tap = ["--interface", "tap7", "link.mtu"];
    let (code, text) = explain("/a", &on_a_tap);
    assert_eq!(
        text,
        "policy `cnf`, which matches /a
link.mtu: allowed: by net_admin.allow, line 13: \"link.mtu on tap*\"
    to change it: take \"link.mtu on tap*\" out of `allow`, line 13
"
    );
    assert_eq!(code, Some(0));
    let on_a_veth = ["--interface", "eth0", "--kind", "veth", "tc.qdisc"];
    let (code, text) = explain("/a", &on_a_veth);
    assert!(
        text.ends_with(
            "tc.qdisc: allowed: by net_admin.allow, line 14: \"tc.* on kind veth\"
    to change it: add \"tc.qdisc\" to `deny`
"
        ),
        "{text}"
    );
    assert_eq!(code, Some(0));
    let (code, _) = explain("/a", &["--interface", "eth0", "link.mtu"]);
    assert_eq!(code, Some(1));
    let (code, _) = explain("/a", &["--interface", "tap7", "link.rename"]);
    assert_eq!(code, Some(1));
}

#[test]
fn explain_takes_wildcards_and_tells_what_is_no_operation() {
    let (code, text) = explain("/a", &["rule.*"]);
    assert_eq!((code, text.lines().count()), (Some(1), 5));
    let (code, text) = explain("/elsewhere", &["rule.add"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("no policy guards /elsewhere"), "{text}");
    let (code, text) = explain("/a", &["rule.ad"]);
    assert_eq!(code, Some(4));
    assert!(text.contains("did you mean `rule.add`?"), "{text}");
}

#[test]
fn operations_are_listed_one_a_line() {
    let output = run(&["operations"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0));
    assert!(text.lines().count() > 150);
    let line = text.lines().find(|line| line.starts_with("link.mtu "));
    assert!(line.is_some_and(|line| line.ends_with("  The MTU.")));
}
