//! What this kernel can do, and the programs in it.

mod btf;
mod layout;
pub mod program_log;
mod programs;

pub use layout::{Layout, LayoutError};
pub use programs::{KernelError, Programs, probe_load};
