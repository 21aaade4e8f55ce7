//! Two pages, with a struct across their border: the word that decides is the
//! first of the second page.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The size of a page.
pub const PAGE: usize = 4096;

/// The two pages.
#[derive(Debug)]
pub struct Arena {
    start: *mut u8,
    /// How much of the struct lies before the word.
    before: usize,
}

// SAFETY: the mapping belongs to no thread.
unsafe impl Send for Arena {}
// SAFETY: other threads use the word alone, which is atomic.
unsafe impl Sync for Arena {}

impl Arena {
    /// Pages for a struct, of which `before` comes before the word that decides.
    pub fn new(before: &[u8]) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping touches no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), 2 * PAGE, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let arena = Self {
            start: start.cast(),
            before: before.len(),
        };
        // SAFETY: the first page has room for what comes before the word.
        unsafe {
            ptr::copy_nonoverlapping(before.as_ptr(), arena.address() as *mut u8, before.len());
        };
        Ok(arena)
    }

    /// Where the struct begins.
    pub fn address(&self) -> usize {
        self.start as usize + PAGE - self.before
    }

    /// The first page.
    pub fn first_page(&self) -> *mut u8 {
        self.start
    }

    /// Reads from the first page.
    pub fn touch(&self) {
        // SAFETY: the page is mapped, and its first byte is written by nobody.
        unsafe { self.start.read_volatile() };
    }

    /// Rewrites the word.
    pub fn set(&self, word: u32) {
        // SAFETY: the second page begins with it, and it is always taken as atomic.
        let place = unsafe { &*self.start.add(PAGE).cast::<AtomicU32>() };
        place.store(word, Ordering::SeqCst);
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody uses it any more.
        unsafe { libc::munmap(self.start.cast(), 2 * PAGE) };
    }
}
