//! Empty programs on the hooks of the real ones: what a hook costs that does
//! nothing. `cargo xtask bench` gives every figure in units of these.
//!
//! They have the names of the programs that they stand for
//! (netadmin-agent/src/kernel/programs.rs); the bench fails if one is missing.

#![no_std]
#![no_main]

mod object;

use aya_ebpf::{
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};

/// An empty LSM program; it refuses nothing.
macro_rules! lsm_programs {
    ($($hook:ident),+ $(,)?) => {
        $(
            #[lsm]
            pub fn $hook(_ctx: LsmContext) -> i32 {
                0
            }
        )+
    };
}

/// An empty program at the entry of a function.
macro_rules! fentry_programs {
    ($($function:ident),+ $(,)?) => {
        $(
            #[fentry]
            pub fn $function(_ctx: FEntryContext) -> i32 {
                0
            }
        )+
    };
}

lsm_programs! {
    capable,
    file_ioctl,
    file_ioctl_compat,
    netlink_send,
    socket_setsockopt,
    tun_dev_create,
}

fentry_programs! {
    dev_ioctl,
    devinet_ioctl,
    sysfs_flags,
    sysfs_write,
}
