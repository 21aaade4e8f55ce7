//! Reading a file of JSON lines while another process writes it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Event;

/// What is in the lines about what was there before. Nobody asked for anything, so
/// they are not among the events of a test.
const FOUND: &str = "\"event\":\"found\"";

/// More than any event takes, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

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

    /// The end of the last line that is finished. A line that is written in one call
    /// grows page by page all the same (`generic_perform_write`).
    pub fn mark(&self) -> Mark {
        self.end_of_lines().map_or(Mark::START, Mark)
    }

    /// None if the file is not there yet.
    fn end_of_lines(&self) -> Option<u64> {
        let mut file = File::open(&self.path).ok()?;
        let length = file.metadata().ok()?.len();
        let start = length.saturating_sub(LONGEST_LINE);
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut tail = Vec::new();
        file.take(LONGEST_LINE).read_to_end(&mut tail).ok()?;
        let last = tail.iter().rposition(|byte| *byte == b'\n');
        Some(start + last.map_or(0, |last| last as u64 + 1))
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
        let lines = whole.lines().filter(|line| !line.contains(FOUND));
        lines.map(event).collect()
    }

    /// What agents have found at their starts.
    pub fn found(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(&self.path).context("read the events")?;
        let lines = text.lines().filter(|line| line.contains(FOUND));
        lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::rig::new_directory;

    fn line(pid: i32) -> String {
        format!(
            r#"{{"schema":1,"seq":0,"time":"","node_name":"","event":"refused","process":{{"pid":{pid},"tid":1,"comm":"x","uid":0,"cgroup":null,"cgroup_id":1}}}}"#
        )
    }

    #[test]
    fn a_mark_within_a_line_is_at_its_beginning() {
        let directory = new_directory().expect("a directory");
        let path = directory.join("events");
        let events = EventFile::new(&path);
        assert_eq!(events.mark(), Mark::START);
        let mut file = File::create(&path).expect("a file");
        let (one, two) = (line(1), line(2));
        let (begun, rest) = two.split_at(20);
        write!(file, "{one}\n{begun}").expect("written");
        let mark = events.mark();
        assert_eq!(events.since(mark).expect("none").len(), 0);
        writeln!(file, "{rest}").expect("written");
        let found = events.since(mark).expect("the second");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].process.pid, 2);
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
