//! Running other programs, with errors that name them.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Output, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::progress;

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let arguments = command.get_args();
    let words = std::iter::once(command.get_program()).chain(arguments);
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs it to the end and returns what it wrote to standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!(
            "`{}`: {status}\n{}",
            line(command),
            String::from_utf8_lossy(&stderr).trim()
        );
    }
    String::from_utf8(stdout).with_context(|| format!("`{}` printed no UTF-8", line(command)))
}

/// Runs it to the end and drops what it writes, unless it fails.
pub fn quiet(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs it to the end and shows each line it writes as it comes.
pub fn shown(command: &mut Command) -> Result<()> {
    if watched(command, |line| eprintln!("{line}"))? {
        return Ok(());
    }
    bail!("`{}` failed", line(command))
}

/// Runs it to the end, hands each line to `see`, and tells whether it succeeded.
pub fn watched(command: &mut Command, see: impl Fn(&str) + Sync) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_run(command))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| each_line(stdout, &see));
        each_line(stderr, &see);
    });
    let status = child
        .wait()
        .with_context(|| format!("wait for `{}`", line(command)))?;
    Ok(status.success())
}

fn each_line(source: Option<impl Read>, see: &impl Fn(&str)) {
    let Some(source) = source else { return };
    for line in BufReader::new(source).split(b'\n') {
        let Ok(line) = line else { return };
        see(&String::from_utf8_lossy(&line));
        progress::touch();
    }
}

fn cannot_run(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    format!(
        "cannot run `{}`; is {program} installed? `cargo xtask setup` does it",
        line(command)
    )
}
