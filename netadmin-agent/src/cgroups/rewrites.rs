//! Tells the programs that entries are written anew: see `netadmin-ebpf/src/rewrites.rs`.

use aya::maps::{Array, MapData, MapError};

/// The programs' global for it.
pub struct Rewrites {
    shared: Array<MapData, u32>,
    under_way: bool,
}

impl Rewrites {
    /// Of a new set of programs.
    pub fn new(shared: Array<MapData, u32>) -> Self {
        Self {
            shared,
            under_way: false,
        }
    }

    /// Before an entry is written.
    pub fn begin(&mut self) -> Result<(), MapError> {
        if !self.under_way {
            self.shared.set(0, 1, 0)?;
            self.under_way = true;
        }
        Ok(())
    }

    /// Whether any was written since the last [`Self::end`].
    pub fn are_under_way(&self) -> bool {
        self.under_way
    }

    /// After every program has come to its end that ran during a write.
    pub fn end(&mut self) -> Result<(), MapError> {
        self.shared.set(0, 0, 0)?;
        self.under_way = false;
        Ok(())
    }
}
