//! Why a policy file cannot be used.

use std::io;

use super::report::Report;
use super::source::MAX_BYTES;

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be opened or read.
    #[error("cannot read the policy file {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It is a directory.
    #[error("cannot read the policy file {path}: it is a directory")]
    Directory {
        /// The directory.
        path: String,
    },
    /// It is a directory without policy files.
    #[error("the directory {path} has no policy file: none of its files ends in `.toml`")]
    NoFiles {
        /// The directory.
        path: String,
    },
    /// It is too long.
    #[error("cannot read the policy file {path}: it is longer than {MAX_BYTES} bytes")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// It is not UTF-8, which TOML must be.
    #[error("cannot read the policy file {path}: it is not UTF-8 at line {line}, column {column}")]
    NotUtf8 {
        /// The file.
        path: String,
        /// The line of the first bad byte.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// It is empty.
    #[error(
        "the policy file {path} is empty: it needs `version = 1` and at least one `[[policy]]`"
    )]
    Empty {
        /// The file.
        path: String,
    },
    /// It has faults.
    #[error("the policy {} {} has {}", .0.kind(), .0.name(), .0.count())]
    Faulty(Report),
}
