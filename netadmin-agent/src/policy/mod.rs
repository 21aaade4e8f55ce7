//! The policy file: read, checked and compiled.
//!
//! Each stage is a type, and none can be skipped: [`source::Source`] (text) is
//! [`parsed`] (the right shape, with spans), then [`checked`] (every value
//! means something), then compiled to a [`PolicySet`], which alone can reach
//! the kernel.

mod check;
mod check_net_admin;
mod check_option;
pub mod checked;
pub mod compile;
pub mod compiled;
pub mod error;
pub mod fault;
pub mod glob;
pub mod interface;
mod kept;
mod nearest;
pub mod net_admin;
pub mod operation_pattern;
mod parse;
pub mod parsed;
pub mod report;
pub mod source;
pub mod summary;
mod table;
pub mod value_entry;
pub mod value_set;

use std::path::Path;

pub use compiled::{CompiledPolicy, PolicySet};
pub use error::LoadError;
pub use kept::Kept;
pub use report::Report;

use fault::Faults;
use source::Source;

/// A policy file that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// Its text.
    pub source: Source,
    /// Its policies.
    pub set: PolicySet,
    /// What is doubtful about it.
    pub warnings: Report,
}

/// Reads, checks and compiles the policy file at `path`.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    load_source(Source::read(path)?)
}

/// The same for a text that was read before.
pub fn load_source(source: Source) -> Result<Loaded, LoadError> {
    if source.text.trim().is_empty() {
        return Err(LoadError::Empty { path: source.name });
    }
    let mut faults = Faults::default();
    let checked =
        parse::parse(&source.text, &mut faults).and_then(|file| check::check(file, &mut faults));
    match checked {
        Some(policies) => Ok(Loaded {
            source: source.clone(),
            set: compile::compile(policies, &source),
            warnings: Report::new(source, faults.sorted()),
        }),
        None => Err(LoadError::Faulty(Report::new(source, faults.sorted()))),
    }
}
