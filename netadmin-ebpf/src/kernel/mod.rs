//! Reading the kernel's memory. Every struct offset is a read-only global that
//! the agent fills in from the running kernel's BTF, so the verifier sees a
//! constant and one object serves all kernels.

pub mod cast;
pub mod cgroup;
pub mod layout;
pub mod namespace;
pub mod neighbours;
pub mod netdev;
pub mod stack;
pub mod symbols;
pub mod task;

use aya_ebpf::{EbpfContext, helpers::bpf_probe_read_kernel};
use layout::Offset;
use netadmin_common::netlink::Plain;

/// An address in the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address(u64);

impl Address {
    /// NULL.
    pub const NULL: Self = Self(0);

    /// The address that a program's argument holds.
    #[inline(always)]
    pub fn of<T>(pointer: *const T) -> Self {
        Self(pointer as u64)
    }

    /// The pointer that is the `n`th argument of a program, as a number: the
    /// verifier lets no typed pointer into a global function.
    #[inline(always)]
    pub fn argument(ctx: &impl EbpfContext, n: u64) -> Option<Self> {
        Self::of(ctx.as_ptr().cast_const())
            .plus(8 * n)
            .load()
            .map(Self)
    }

    /// The address that a field held.
    #[inline(always)]
    pub fn from_field(value: u64) -> Self {
        Self(value)
    }

    /// The address as a number.
    #[inline(always)]
    pub fn value(self) -> u64 {
        self.0
    }

    /// Whether it is NULL.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address of a field of the struct that lies here.
    #[inline(always)]
    pub fn at(self, field: &Offset) -> Self {
        Self(self.0.wrapping_add(field.load()))
    }

    /// The address of the struct whose field lies here (`container_of`).
    #[inline(always)]
    pub fn container(self, field: &Offset) -> Self {
        Self(self.0.wrapping_sub(field.load()))
    }

    /// The address `bytes` further on.
    #[inline(always)]
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// The address as a pointer, which may point anywhere.
    #[inline(always)]
    pub fn as_ptr<T>(self) -> *const T {
        self.0 as *const T
    }

    /// A copy of what lies here; `None` if it cannot be read.
    #[inline(always)]
    pub fn load<T: Plain>(self) -> Option<T> {
        // SAFETY: the helper checks the address and fails on a bad one; any
        // bytes are a `T`.
        unsafe { bpf_probe_read_kernel(self.as_ptr::<T>()) }.ok()
    }

    /// A copy of a field of the struct that lies here.
    #[inline(always)]
    pub fn read<T: Plain>(self, field: &Offset) -> Option<T> {
        self.at(field).load()
    }

    /// A pointer among the fields of the struct that lies here.
    #[inline(always)]
    pub fn follow(self, field: &Offset) -> Option<Self> {
        self.read::<u64>(field).map(Self)
    }
}

/// The low half of a program's `n`th argument: one load, where an `i32` of
/// `ctx.arg` takes two shifts more to compare.
#[inline(always)]
pub fn argument_u32(ctx: &impl EbpfContext, n: usize) -> u32 {
    // SAFETY: the verifier checks that there is such an argument.
    unsafe { ctx.as_ptr().cast::<u32>().add(2 * n).read_volatile() }
}

/// Reads a field of a struct that a program got as an argument: the verifier
/// knows its type, so this is a plain load and cannot fault.
///
/// # Safety
/// `pointer` must be typed for the verifier (an argument, or what
/// `bpf_get_current_task_btf` returns), and `offset` that of a field of type
/// `T`.
#[inline(always)]
pub unsafe fn field<T: Plain>(pointer: *const u8, offset: &Offset) -> T {
    // SAFETY: as the caller promises; the verifier checks type and bounds.
    unsafe {
        pointer
            .add(offset.load() as usize)
            .cast::<T>()
            .read_volatile()
    }
}
