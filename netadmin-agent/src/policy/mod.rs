//! The policy file, or a directory of them: read, checked and compiled.
//!
//! Each stage is a type, and none can be skipped: [`sources::Sources`] (text) is
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
pub mod sources;
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
use sources::Sources;

/// A policy that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// Its text.
    pub source: Sources,
    /// Its policies.
    pub set: PolicySet,
    /// What is doubtful about it.
    pub warnings: Report,
}

/// Reads, checks and compiles the policy file, or the directory of them, at `path`.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    load_sources(Sources::read(path)?)
}

/// The same for the text of one file that was read before.
pub fn load_source(source: Source) -> Result<Loaded, LoadError> {
    load_sources(source.into())
}

/// The same for that of several: valid together, or not at all.
pub fn load_sources(sources: Sources) -> Result<Loaded, LoadError> {
    if let Some((_, file)) = sources
        .files()
        .find(|(_, file)| file.text.trim().is_empty())
    {
        let path = file.name.clone();
        return Err(LoadError::Empty { path });
    }
    let mut faults = Faults::default();
    let checked =
        parse::parse(&sources, &mut faults).and_then(|file| check::check(file, &mut faults));
    match checked {
        Some(policies) => Ok(Loaded {
            set: compile::compile(policies, &sources),
            warnings: Report::new(sources.clone(), faults.sorted()),
            source: sources,
        }),
        None => Err(LoadError::Faulty(Report::new(sources, faults.sorted()))),
    }
}
