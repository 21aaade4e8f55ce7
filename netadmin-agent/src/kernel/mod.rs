//! What this kernel can do, and the programs in it.

mod btf;
mod control;
mod error;
mod ethtool;
mod families;
mod fixup;
mod layout;
mod limits;
mod little;
mod maps;
pub mod pins;
pub mod program_log;
mod programs;
pub mod symbols;
mod sys;
mod sysctl;
mod sysfs;

pub use error::KernelError;
pub use families::Families;
pub use layout::{Layout, LayoutError};
pub use limits::Limits;
pub use programs::{LoadOptions, OPTIONAL, Programs, ValueLink, probe_load};
pub use symbols::SymbolError;
