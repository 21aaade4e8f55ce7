//! Writing for people, on streams that may be closed.

use std::io::{self, IsTerminal, Write};

use crate::policy::{LoadError, Report};

/// Writes to standard output. That nobody reads it any more is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes to standard error, where a failure can be told to nobody.
pub fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes faults or warnings to standard error, in colour on a terminal.
pub fn show_report(report: &Report) {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    complain(&report.render(!plain && io::stderr().is_terminal()));
}

/// Writes an error with its causes; the faults of a policy file one by one.
pub fn show_error(error: &anyhow::Error) {
    let report = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(LoadError::Faulty(report)) => Some(report),
        _ => None,
    });
    if let Some(report) = report {
        show_report(report);
    }
    complain(&format!("error: {error:#}\n"));
}
