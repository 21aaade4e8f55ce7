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

use netadmin_common::netlink::Plain;

use super::{Address, field, layout, layout::Offset};

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
    // SAFETY: a load through it cannot fault.
    let word = unsafe { words(address, type_id).read_volatile() };
    (word != 0).then_some(word)
}

/// What lies at `address` as a struct of whole words, readable for the verifier.
#[inline(always)]
fn words(address: Address, type_id: u64) -> *const u64 {
    // SAFETY: the agent makes of it a call of a function of this type.
    unsafe {
        let rdonly_cast = transmute::<usize, Cast>(PLACEHOLDER);
        rdonly_cast(address.value(), type_id)
    }
}

/// As [`field`], of a struct that is typed or was come to by [`follow`]. To load a
/// pointer that is typed costs the verifier three searches through all of the kernel's
/// types (`btf_nested_type_is_trusted`, from 6.4 on): as much as 500 instructions.
///
/// # Safety
/// As [`field`].
#[inline(always)]
pub unsafe fn through<T: Plain>(pointer: *const u8, offset: &Offset) -> T {
    let type_id = layout::TYPE_OF_WORDS.load();
    // SAFETY: as the caller promises; and as above.
    unsafe {
        if type_id == 0 {
            return field(pointer, offset);
        }
        let place = Address::of(pointer).at(offset);
        words(place, type_id).cast::<T>().read_volatile()
    }
}

/// Follows a pointer among the fields of such a struct; NULL if it points nowhere, or
/// if what it lies in cannot be read.
///
/// # Safety
/// As [`field`], with a pointer to a struct as field.
#[inline(always)]
pub unsafe fn follow(pointer: *const u8, offset: &Offset) -> *const u8 {
    // SAFETY: as the caller promises.
    unsafe { through::<u64>(pointer, offset) as *const u8 }
}
