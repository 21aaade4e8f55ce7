//! Programs that an attacker, or anybody, runs.

use std::io;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Its exit status; 128 and the signal if it was killed.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs a command line with `/bin/sh`.
pub fn shell(line: &str) -> io::Result<Ran> {
    use std::os::unix::process::ExitStatusExt as _;
    let output = Command::new("/bin/sh")
        .args(["-c", line])
        .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
        .stdin(Stdio::null())
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let killed = || 128 + output.status.signal().unwrap_or_default();
    Ok(Ran {
        status: output.status.code().unwrap_or_else(killed),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })
}
