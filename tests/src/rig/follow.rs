//! Reading a file of JSON lines while another process writes it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Event;

/// A place in a file of events: what comes after it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// Before the first event.
    pub const START: Self = Self(0);
}

/// A file of events that grows.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
}

impl EventFile {
    /// The file at `path`, which need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// The end as it is now.
    pub fn mark(&self) -> Mark {
        let length = std::fs::metadata(&self.path).map(|data| data.len());
        Mark(length.unwrap_or_default())
    }

    /// All events.
    pub fn all(&self) -> Result<Vec<Event>> {
        self.since(Mark(0))
    }

    /// The events after a mark. A line that is not finished is left for later.
    pub fn since(&self, mark: Mark) -> Result<Vec<Event>> {
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(Vec::new());
        };
        file.seek(SeekFrom::Start(mark.0)).context("seek")?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(|| format!("read {}", self.path.display()))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let event = |line: &str| {
            serde_json::from_str(line).with_context(|| format!("not an event: {line}"))
        };
        whole.lines().map(event).collect()
    }
}
