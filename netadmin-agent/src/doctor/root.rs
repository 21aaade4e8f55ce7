//! The files that the kernel tells of itself in.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::PathBuf;

/// Where `/` is: a tree of its own in tests.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// The machine's own.
    pub fn of_this_machine() -> Self {
        Self("/".into())
    }

    /// A tree that looks like a machine's.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// A file's text, without the newline at its end.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let text = fs::read(self.path(path))?;
        Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    /// Opens a file that is too long to be read at once.
    pub fn open(&self, path: &str) -> io::Result<BufReader<File>> {
        Ok(BufReader::with_capacity(
            1 << 16,
            File::open(self.path(path))?,
        ))
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }
}
