//! Policy files that cannot be used, and one that matches nothing.

use std::fs;

use anyhow::{Result, ensure};

use crate::rig::{Agent, AgentRun, Trials, USUAL_POLICY, new_directory};

/// The policy cannot be used (`EX_CONFIG`).
const BAD_CONFIGURATION: i32 = 78;
/// `check` found faults.
const NEGATIVE: i32 = 1;

/// A name, the file's content, and words that the message must have.
type Bad = (&'static str, fn() -> Vec<u8>, &'static [&'static str]);

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// The usual policy, with one piece of it put in other words.
fn with(old: &str, new: &str) -> Vec<u8> {
    assert!(USUAL_POLICY.contains(old), "{old} is not in the policy");
    text(&USUAL_POLICY.replacen(old, new, 1))
}

const BAD: [Bad; 13] = [
    ("empty", Vec::new, &["empty"]),
    (
        "not_utf8",
        || [b"version = 1\n\xff".to_vec()].concat(),
        &["UTF-8", "line 2"],
    ),
    ("huge", || vec![b'#'; 2 << 20], &["longer than"]),
    ("not_toml", || text("version = = 1\n"), &["1:11"]),
    (
        "without_version",
        || with("version = 1\n", ""),
        &["version"],
    ),
    (
        "of_another_version",
        || with("version = 1", "version = 2"),
        &["version", "1:"],
    ),
    (
        "with_an_unknown_key",
        || with("default =", "defualt ="),
        &["defualt", "^"],
    ),
    (
        "with_two_policies_of_one_name",
        || {
            let twice = USUAL_POLICY.replacen("version = 1\n", "", 1);
            text(&format!("{USUAL_POLICY}{twice}"))
        },
        &["cnf"],
    ),
    (
        "with_a_range_upside_down",
        || with("0..=6", "6..=0"),
        &["upside down", "^"],
    ),
    (
        "with_an_unknown_option",
        || with("SO_DEBUG", "SO_DEBIG"),
        &["SO_DEBIG", "^"],
    ),
    (
        "with_a_bad_interface_pattern",
        || {
            with(
                "default = \"deny\"",
                "default = \"deny\"\nallow = [\"a*b*c\"]",
            )
        },
        &["a*b*c", "^"],
    ),
    (
        "with_a_relative_glob",
        || with("[\"/netadmin", "[\"netadmin"),
        &["begins with `/`", "^"],
    ),
    (
        "with_an_unknown_mode",
        || with("name = \"cnf\"", "name = \"cnf\"\nmode = \"off\""),
        &["off", "^"],
    ),
];

pub fn add(trials: &mut Trials) {
    for (name, content, words) in BAD {
        trials.alone(
            &format!("a_policy_{name}_ends_the_agent_with_78"),
            move || {
                let path = written(&content())?;
                fails(&["--policy", &path], BAD_CONFIGURATION, words)
            },
        );
        trials.alone(&format!("a_policy_{name}_is_a_fault_to_check"), move || {
            let path = written(&content())?;
            fails(&["check", &path], NEGATIVE, words)
        });
    }
    trials.alone("a_policy_that_is_missing_ends_the_agent_with_78", || {
        let words = ["/none/policy.toml", "No such file"];
        fails(
            &["--policy", "/none/policy.toml"],
            BAD_CONFIGURATION,
            &words,
        )
    });
    trials.alone(
        "a_policy_that_is_a_directory_ends_the_agent_with_78",
        || {
            fails(
                &["--policy", "/etc"],
                BAD_CONFIGURATION,
                &["/etc", "directory"],
            )
        },
    );
    trials.alone("check_of_a_good_policy_succeeds", || {
        let path = written(USUAL_POLICY.as_bytes())?;
        let (status, said) = run(&["check", &path])?;
        ensure!(
            status == 0 && said.contains("cnf"),
            "status {status}: {said}"
        );
        Ok(())
    });
    trials.alone("a_glob_that_matches_nothing_is_warned_of", || {
        let policy = USUAL_POLICY.replace("/netadmin-test/guarded/**", "/netadmin-test/none/*");
        let agent = Agent::start(&policy)?;
        let said = agent.stderr();
        let warned = said.contains("warning") && said.contains("cnf");
        ensure!(warned, "no warning of it: {said}");
        ensure!(agent.stop()? == 0);
        Ok(())
    });
}

fn written(content: &[u8]) -> Result<String> {
    let path = new_directory()?.join("policy.toml");
    fs::write(&path, content)?;
    Ok(path.to_string_lossy().into_owned())
}

/// Runs the agent to its end: status, and all that it said.
pub fn run(arguments: &[&str]) -> Result<(i32, String)> {
    let mut agent = AgentRun::start(&new_directory()?, arguments)?;
    let status = agent.wait()?;
    Ok((status, agent.stdout() + &agent.stderr()))
}

/// Fails with this status, and a message with these words on standard error.
pub fn fails(arguments: &[&str], expected: i32, words: &[&str]) -> Result<()> {
    let mut agent = AgentRun::start(&new_directory()?, arguments)?;
    let status = agent.wait()?;
    let said = agent.stderr();
    ensure!(
        status == expected,
        "status {status}, not {expected}: {said}"
    );
    for word in words {
        ensure!(said.contains(word), "the message lacks {word:?}: {said}");
    }
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}
