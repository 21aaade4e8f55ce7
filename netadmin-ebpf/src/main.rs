//! The BPF programs: each hook reads, decodes, asks [`netadmin_common::decide`]
//! and reports. One file a hook, in `hooks`; kernel structs are read in
//! `kernel` alone, with offsets that the agent found at load time.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod births;
mod globals;
mod guard;
mod hooks;
mod kernel;
mod maps;
mod object;
mod report;
mod rewrites;
mod room;
mod unentered;
mod watched;
