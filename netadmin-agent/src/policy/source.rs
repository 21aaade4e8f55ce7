//! The text of a policy file, with its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::LoadError;

/// The longest policy file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// Some editors begin a file with it; it would shift every column by one.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A policy file as text: the first stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to call it in messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads a policy file. Pipes are fine: `--policy <(generate)`.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let name = path.display().to_string();
        let unreadable = |error| LoadError::Unreadable {
            path: name.clone(),
            error,
        };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(LoadError::Directory { path: name });
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() > MAX_BYTES {
            return Err(LoadError::TooLarge { path: name });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            not_utf8(&name, &error.as_bytes()[..valid])
        })?;
        let text = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        Ok(Self { name, text })
    }

    /// The line of a byte, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        count_lines(&self.text.as_bytes()[..offset.min(self.text.len())])
    }
}

fn not_utf8(path: &str, valid: &[u8]) -> LoadError {
    let line_start = valid
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let before = String::from_utf8_lossy(&valid[line_start..]);
    LoadError::NotUtf8 {
        path: path.to_owned(),
        line: count_lines(valid),
        column: before.chars().count() + 1,
    }
}

fn count_lines(before: &[u8]) -> usize {
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}
