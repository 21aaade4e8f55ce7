//! The return addresses on the current task's kernel stack.

use aya_ebpf::helpers::generated::bpf_get_task_stack;

use super::{symbols::Range, task};
use crate::maps::STACKS;

/// How many there may be in all.
pub const DEPTH: usize = 64;

/// The innermost ones, `MOST` at most, which is at most [`DEPTH`].
pub struct Stack<const MOST: usize> {
    addresses: &'static [u64; DEPTH],
    len: usize,
}

impl<const MOST: usize> Stack<MOST> {
    const SIZE: usize = {
        assert!(MOST <= DEPTH);
        MOST * size_of::<u64>()
    };

    /// Reads them; `None` if that cannot be done.
    #[inline(always)]
    pub fn read() -> Option<Self> {
        let addresses = STACKS.of_current()?;
        let room = addresses.as_mut_ptr().cast();
        // SAFETY: the task is the current one, and the room not smaller than said.
        let size = unsafe { bpf_get_task_stack(task::current(), room, Self::SIZE as u32, 0) };
        (size > 0).then_some(Self {
            addresses,
            len: size as usize / size_of::<u64>(),
        })
    }

    /// Whether there may be more than were read.
    #[inline(always)]
    pub fn is_cut_short(&self) -> bool {
        self.len >= MOST
    }

    /// What `look` finds first, from the innermost on.
    #[inline(always)]
    pub fn find<T>(&self, mut look: impl FnMut(u64) -> Option<T>) -> Option<T> {
        for (nth, address) in self.addresses.iter().take(MOST).enumerate() {
            if nth >= self.len {
                break;
            }
            let found = look(*address);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Whether one lies within this function.
    #[inline(always)]
    pub fn passes(&self, function: Range) -> bool {
        self.find(|address| function.contains(address).then_some(()))
            .is_some()
    }
}
