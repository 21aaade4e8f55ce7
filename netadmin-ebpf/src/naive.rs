//! A guard as it should not be: it judges what it reads from the caller's memory
//! first. The tests show that it loses the races that the real one is put to,
//! which shows that these are races.

#![no_std]
#![no_main]

mod object;

use aya_ebpf::{
    helpers::{
        bpf_get_current_cgroup_id, bpf_probe_read_kernel, bpf_probe_read_user,
        generated::{bpf_copy_from_user, bpf_get_current_task_btf, bpf_task_pt_regs},
    },
    macros::lsm,
    programs::LsmContext,
};

const EPERM: i32 = 1;
const SIOCSIFFLAGS: u32 = 0x8914;
const SIOCETHTOOL: u32 = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;
const IFF_PROMISC: u16 = 0x100;
/// `offsetof(struct ifreq, ifr_flags)`, and of `ifr_data`.
const IFR_FLAGS: u64 = 16;
const SOL_SOCKET: i32 = 1;
const SO_PRIORITY: i32 = 12;
const SO_MARK: i32 = 36;
const SOL_PACKET: i32 = 263;
const PACKET_ADD_MEMBERSHIP: i32 = 1;
const PACKET_MR_PROMISC: u16 = 1;
/// `offsetof(struct packet_mreq, mr_type)`.
const MR_TYPE: u64 = 4;
/// `offsetof(struct pt_regs, r10)`: the fourth argument of a 64-bit call.
const PT_REGS_R10: u64 = 56;

/// The cgroup that is guarded; its children are not.
#[unsafe(no_mangle)]
static GUARDED: u64 = 0;

fn is_guarded() -> bool {
    // SAFETY: the loader has set it; a volatile read keeps the compiler from
    // taking it for 0.
    let guarded = unsafe { (&raw const GUARDED).read_volatile() };
    // SAFETY: the helper has no preconditions.
    guarded == unsafe { bpf_get_current_cgroup_id() }
}

/// Hook `file_ioctl(file, cmd, arg)`.
#[lsm(hook = "file_ioctl", sleepable)]
pub fn naive_file_ioctl(ctx: LsmContext) -> i32 {
    let command: u32 = ctx.arg(1);
    let request: u64 = ctx.arg(2);
    if !matches!(command, SIOCSIFFLAGS | SIOCETHTOOL) || !is_guarded() {
        return 0;
    }
    let refused = if command == SIOCSIFFLAGS {
        copied(request + IFR_FLAGS).is_none_or(|flags: u16| flags & IFF_PROMISC != 0)
    } else {
        copied(request + IFR_FLAGS)
            .and_then(copied)
            .is_none_or(|sub_command: u32| sub_command == ETHTOOL_STXCSUM)
    };
    answer(refused)
}

/// What the caller's memory says at this moment; may sleep.
#[inline(always)]
fn copied<T: Default>(from: u64) -> Option<T> {
    let mut value = T::default();
    let size = size_of::<T>() as u32;
    // SAFETY: the room is as large as said; the helper checks the address.
    let read = unsafe { bpf_copy_from_user((&raw mut value).cast(), size, from as *const _) };
    (read == 0).then_some(value)
}

/// Hook `socket_setsockopt(sock, level, optname)`.
#[lsm(hook = "socket_setsockopt")]
pub fn naive_socket_setsockopt(ctx: LsmContext) -> i32 {
    let level: i32 = ctx.arg(1);
    let name: i32 = ctx.arg(2);
    if !is_guarded() {
        return 0;
    }
    let refused = match (level, name) {
        (SOL_SOCKET, SO_PRIORITY) => value(0).is_none_or(|value: i32| !(0..=6).contains(&value)),
        (SOL_SOCKET, SO_MARK) => value(0).is_none_or(|value: i32| value == 13),
        (SOL_PACKET, PACKET_ADD_MEMBERSHIP) => {
            value(MR_TYPE).is_none_or(|kind: u16| kind == PACKET_MR_PROMISC)
        }
        _ => false,
    };
    answer(refused)
}

/// What the caller's memory says at this moment.
fn value<T>(offset: u64) -> Option<T> {
    // SAFETY: the helpers take any task.
    let registers = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64;
    // SAFETY: the helper checks the address.
    let pointer = unsafe { bpf_probe_read_kernel((registers + PT_REGS_R10) as *const u64) }.ok()?;
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user((pointer + offset) as *const T) }.ok()
}

fn answer(refused: bool) -> i32 {
    if refused { -EPERM } else { 0 }
}
