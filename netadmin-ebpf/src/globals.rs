//! Globals that are written from outside, or by programs.

use core::cell::UnsafeCell;

/// A global; read and written whole words at a time, by volatile accesses.
#[repr(transparent)]
pub struct Shared<T>(pub UnsafeCell<T>);

// SAFETY: as said above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// With this value, until somebody writes another.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }
}
