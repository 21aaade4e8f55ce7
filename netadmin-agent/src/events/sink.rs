//! Where events go: standard output, or a file that is appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::EventsTo;

/// Why events cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened.
    #[error("cannot open the event file {path}: {error}; name a file in a directory that exists")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Standard output is not there.
    #[error("cannot write events to standard output: {0}")]
    Stdout(io::Error),
    /// A write failed.
    #[error(
        "cannot write events to {target}: {error}; they are counted as lost until it works again"
    )]
    Write {
        /// What is written to.
        target: String,
        /// What the system says.
        error: io::Error,
    },
}

/// What became of a line.
#[derive(Debug)]
#[must_use]
pub enum Written {
    /// It was written.
    Whole,
    /// It was lost, and counted. The error comes with the first of a run of
    /// losses only, so that each failure is reported once.
    Lost(Option<SinkError>),
    /// Nobody reads standard output any more.
    Closed,
}

/// Takes lines, one write for each.
pub struct Sink {
    out: Box<dyn Write + Send>,
    file: Option<PathBuf>,
    /// The last write stopped in the middle of a line.
    torn: bool,
    failing: bool,
    lost: u64,
}

impl Sink {
    /// Opens what the command line names.
    pub fn open(target: &EventsTo) -> Result<Self, SinkError> {
        match target {
            EventsTo::Stdout => Ok(Self::new(Box::new(stdout()?), None)),
            EventsTo::File(path) => Ok(Self::new(Box::new(append(path)?), Some(path.clone()))),
        }
    }

    fn new(out: Box<dyn Write + Send>, file: Option<PathBuf>) -> Self {
        Self {
            out,
            file,
            torn: false,
            failing: false,
            lost: 0,
        }
    }

    /// Opens the file anew, for log rotation. Does nothing for standard output.
    pub fn reopen(&mut self) -> Result<(), SinkError> {
        if let Some(path) = &self.file {
            self.out = Box::new(append(path)?);
            self.torn = false;
        }
        Ok(())
    }

    /// How many lines were lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Writes one line. A line that a full disk cut is ended before the next,
    /// so that it spoils no other.
    pub fn write(&mut self, line: &str) -> Written {
        let newline = if self.torn { "\n" } else { "" };
        let text = format!("{newline}{line}\n");
        let (done, result) = write_whole(&mut self.out, text.as_bytes());
        if let Some(last) = done.checked_sub(1) {
            self.torn = text.as_bytes()[last] != b'\n';
        }
        match result {
            Ok(()) => {
                self.failing = false;
                Written::Whole
            }
            Err(error) if self.is_closed(&error) => Written::Closed,
            Err(error) => self.lose(error),
        }
    }

    fn is_closed(&self, error: &io::Error) -> bool {
        self.file.is_none() && error.kind() == io::ErrorKind::BrokenPipe
    }

    fn lose(&mut self, error: io::Error) -> Written {
        self.lost += 1;
        if std::mem::replace(&mut self.failing, true) {
            return Written::Lost(None);
        }
        let target = match &self.file {
            Some(path) => path.display().to_string(),
            None => "standard output".to_owned(),
        };
        Written::Lost(Some(SinkError::Write { target, error }))
    }
}

/// Standard output without the buffer of [`io::stdout`].
fn stdout() -> Result<File, SinkError> {
    let own = io::stdout().as_fd().try_clone_to_owned();
    own.map(File::from).map_err(SinkError::Stdout)
}

fn append(path: &Path) -> Result<File, SinkError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
        .map_err(|error| SinkError::Open {
            path: path.to_owned(),
            error,
        })
}

/// How many bytes were written, and why not all.
fn write_whole(out: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match out.write(&bytes[done..]) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
