//! Reading the kernel's memory with a plain load.
//!
//! `bpf_rdonly_cast` (a kfunc, from 6.2 on) makes of any number a pointer that the
//! verifier lets us read through. It costs one move, and the load is guarded by the
//! kernel's exception table: **a bad address reads as zero**. So it is used on the
//! hottest way alone, where zero is looked at more closely. The helper
//! `bpf_probe_read_kernel`, which says so, costs some eighty instructions.
//!
//! aya resolves no kfuncs. The call is therefore written with a number that no
//! helper has, and the agent puts the kfunc's in its place
//! (netadmin-agent/src/kernel/fixup.rs). Where the kernel has none, the branch is dead
//! for the verifier, because `TYPE_OF_WORDS` is a constant for it.

use core::mem::transmute;

use super::{Address, layout};

/// `bpf_rdonly_cast(obj, btf_id)`.
type Cast = extern "C" fn(address: u64, type_id: u64) -> *const u64;

/// What the agent looks for.
const PLACEHOLDER: usize = 0x7fff_0001;

/// The word at `address`; `None` if it is 0, or cannot be read.
#[inline(always)]
pub fn nonzero_word(address: Address) -> Option<u64> {
    let type_id = layout::TYPE_OF_WORDS.load();
    if type_id == 0 {
        return address.load().filter(|word| *word != 0);
    }
    // SAFETY: the agent makes of it a call of a function of this type. Its pointer
    // is to a struct of whole words, and a load through it cannot fault.
    let word = unsafe {
        let rdonly_cast = transmute::<usize, Cast>(PLACEHOLDER);
        rdonly_cast(address.value(), type_id).read_volatile()
    };
    (word != 0).then_some(word)
}
