//! systemd, asked by `systemctl`.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The agent's unit.
pub const UNIT: &str = "netadmin-agent.service";

/// Where the unit's policy is.
pub const POLICY: &str = "/etc/netadmin-agent/policy.toml";

/// Runs `systemctl` to its end, and returns what it said.
pub fn systemctl(arguments: &[&str]) -> Result<String> {
    run("/usr/bin/systemctl", arguments)
}

/// Runs a program to its end, and returns what it said.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("run {program}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    let complaint = text(&output.stderr);
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{said}{complaint}",
        output.status
    );
    Ok(said)
}

/// A property of a unit.
pub fn property(unit: &str, name: &str) -> Result<String> {
    let value = systemctl(&["show", unit, "--value", "--property", name])?;
    Ok(value.trim().to_owned())
}

/// A property that is a number.
pub fn number(unit: &str, name: &str) -> Result<u64> {
    let value = property(unit, name)?;
    value
        .parse()
        .with_context(|| format!("{unit}: {name} is {value:?}"))
}

/// What a unit has written since this boot.
pub fn journal(unit: &str) -> Result<String> {
    let arguments = ["--unit", unit, "--boot", "--output", "cat", "--no-pager"];
    run("/usr/bin/journalctl", &arguments)
}

/// Puts a policy where the unit finds it.
pub fn write_policy(text: &str) -> Result<()> {
    fs::create_dir_all("/etc/netadmin-agent").context("make a directory")?;
    fs::write(POLICY, text).context("write the policy")
}
