//! Truth as a number, 0 or 1: for what would otherwise be many branches on values that
//! the kernel's verifier knows, each way through which it follows apart.

#[cfg(target_arch = "bpf")]
use core::arch::asm;

/// 1 unless `number` is 0. (Opaque, or the compiler makes a branch of it.)
#[inline(always)]
pub fn nonzero(number: u64) -> u64 {
    opaque(number | number.wrapping_neg()) >> 63
}

/// The number, of which the compiler no longer knows where it comes from.
#[cfg(not(target_arch = "bpf"))]
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    core::hint::black_box(number)
}

/// The number, of which the compiler no longer knows where it comes from. (`black_box`
/// puts it on the stack, of which there is little.)
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn opaque(mut number: u64) -> u64 {
    // SAFETY: moves a register onto itself.
    unsafe { asm!("{n} = {n}", n = inout(reg) number, options(pure, nomem, nostack)) };
    number
}

/// 1 for 0, and 0 for 1.
#[inline(always)]
pub fn not(truth: u64) -> u64 {
    truth ^ 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_but_zero_is_one() {
        assert_eq!(nonzero(0), 0);
        for bit in 0..u64::BITS {
            assert_eq!(nonzero(1 << bit), 1);
        }
        assert_eq!(nonzero(u64::MAX), 1);
    }

    #[test]
    fn not_is_the_other() {
        assert_eq!([not(0), not(1)], [1, 0]);
    }
}
