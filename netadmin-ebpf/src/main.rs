//! The BPF programs: each hook reads, decodes, asks [`netadmin_common::decide`]
//! and reports. One file a hook, in `hooks`; kernel structs are read in
//! `kernel` alone, with offsets that the agent found at load time.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod births;
mod guard;
mod hooks;
mod kernel;
mod maps;
mod report;

/// Most helpers that the programs use are reserved to GPL-compatible objects.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
