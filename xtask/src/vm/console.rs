//! Reads the kernel's console: what went wrong while the command ran.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Init writes it to the console when it has come up.
const READY: &str = "netadmin-init: ready";

/// Words with which the kernel says that something is broken.
const COMPLAINTS: &[&str] = &[
    "BUG: ",
    "Kernel panic",
    "Oops: ",
    "WARNING: ",
    "general protection fault",
    "kernel BUG at",
    "possible circular locking",
];

/// How much of the console an error message repeats: an oops and the panic after it.
const LINES_SHOWN: usize = 60;

/// The complaints since init came up.
pub fn complaints(console: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(console).with_context(|| format!("read {}", console.display()))?;
    Ok(find(&String::from_utf8_lossy(&bytes)))
}

fn find(log: &str) -> Vec<String> {
    let since_init = log.split_once(READY).map_or(log, |(_, after)| after);
    let is_complaint = |line: &&str| COMPLAINTS.iter().any(|words| line.contains(words));
    since_init
        .lines()
        .filter(is_complaint)
        .map(|line| line.trim().to_owned())
        .collect()
}

/// The end of the log, indented for a message, and where the rest is.
pub fn end(console: &Path) -> String {
    let log = fs::read(console).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    let last: String = last.iter().map(|line| format!("    | {line}\n")).collect();
    format!("{last}the whole console is in {}", console.display())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn only_complaints_since_init_count() {
        let log = "[0.1] WARNING: CPU: 0 early\nnetadmin-init: ready\n[2.0] fine\n\
            [3.0] BUG: kernel NULL pointer dereference\r\n";
        assert_eq!(find(log), ["[3.0] BUG: kernel NULL pointer dereference"]);
    }

    #[test]
    fn without_init_everything_counts() {
        assert_eq!(find("[0.1] Kernel panic - not syncing").len(), 1);
    }
}
