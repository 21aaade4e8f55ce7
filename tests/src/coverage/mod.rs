//! What is tried of everything that could be: path x ABI x way of arrival x
//! subject, as data. SECURITY.md has a table made from it.

mod cell;
mod rules;
mod table;

pub use cell::{By, Cell, Evidence, cells};
pub use table::table;

use netadmin_bypass::report::Finding;

/// A way that is open although the policy refuses it.
#[derive(Clone, Copy, Debug)]
pub struct KnownOpen {
    /// The path.
    pub path: &'static str,
    /// Why it is open, or why that has to be so.
    pub reason: &'static str,
}

/// Those that are known. The tests fail for any other.
pub const KNOWN_OPEN: &[KnownOpen] = &[];

impl KnownOpen {
    /// Whether this explains what has been found.
    pub fn covers(&self, finding: &Finding) -> bool {
        self.path == finding.path
    }
}
