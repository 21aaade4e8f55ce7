//! Programs and maps of networking, by `bpf(2)`.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::link::{RTM_SETLINK, Target, change, request};
use super::netlink::Nested;
use super::{Message, index_of};

/// linux/bpf.h.
const BPF_MAP_CREATE: i64 = 0;
const BPF_PROG_LOAD: i64 = 5;
const BPF_PROG_ATTACH: i64 = 8;
const BPF_LINK_CREATE: i64 = 28;
const BPF_MAP_TYPE_SOCKMAP: u32 = 15;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_PROG_TYPE_CGROUP_SOCKOPT: u32 = 25;
const BPF_CGROUP_SETSOCKOPT: u32 = 22;
const BPF_XDP: u32 = 37;

/// `XDP_PASS`.
const XDP_PASS: u64 = 2;
/// What a program on `setsockopt` answers to let it be done.
const GO_ON: u64 = 1;

/// linux/if_link.h.
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const NLA_F_NESTED: u16 = 1 << 15;

/// Loads an XDP program that lets every packet pass.
pub fn load_xdp() -> io::Result<OwnedFd> {
    load(BPF_PROG_TYPE_XDP, 0, XDP_PASS)
}

/// Attaches a program to a cgroup that lets every option be set, and no program be
/// attached below. It goes with the cgroup.
pub fn attach_exclusive_sockopt(cgroup: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let program = load(BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, GO_ON)?;
    let number = |fd: i32| u64::from(fd.cast_unsigned());
    // target_fd, attach_bpf_fd; attach_type, attach_flags.
    let attributes = [
        number(cgroup.as_raw_fd()) | number(program.as_raw_fd()) << 32,
        BPF_CGROUP_SETSOCKOPT.into(),
    ];
    bpf(BPF_PROG_ATTACH, &attributes)?;
    Ok(program)
}

/// Loads a program that answers a number.
fn load(kind: u32, attach_kind: u32, answer: u64) -> io::Result<OwnedFd> {
    // r0 = answer; exit.
    let program = [answer << 32 | 0xb7, 0x95];
    // prog_type, insn_cnt; insns; license; …; prog_ifindex, expected_attach_type.
    let mut attributes = [0; 9];
    attributes[0] = u64::from(kind) | (program.len() as u64) << 32;
    attributes[1] = program.as_ptr() as u64;
    attributes[2] = c"GPL".as_ptr() as u64;
    attributes[8] = u64::from(attach_kind) << 32;
    open(BPF_PROG_LOAD, &attributes)
}

/// Makes a map of sockets.
pub fn make_sockmap() -> io::Result<OwnedFd> {
    // map_type, key_size; value_size, max_entries.
    let attributes = [u64::from(BPF_MAP_TYPE_SOCKMAP) | 4 << 32, 4 | 1 << 32];
    open(BPF_MAP_CREATE, &attributes)
}

/// Attaches an XDP program by netlink.
pub fn attach_xdp(program: BorrowedFd<'_>, device: &str) -> io::Result<()> {
    request(xdp_message(program.as_raw_fd(), device))
}

/// Attaches it by a link, which lasts as long as its descriptor.
pub fn link_xdp(program: BorrowedFd<'_>, device: &str) -> io::Result<OwnedFd> {
    // prog_fd, target_ifindex; attach_type, flags.
    let program = u64::try_from(program.as_raw_fd()).map_err(io::Error::other)?;
    let attributes = [program | u64::from(index_of(device)?) << 32, BPF_XDP.into()];
    open(BPF_LINK_CREATE, &attributes)
}

fn xdp_message(program: i32, device: &str) -> Message {
    let xdp = Nested::default().attribute(IFLA_XDP_FD, &program.to_ne_bytes());
    change(RTM_SETLINK, Target::Name(device)).attribute(IFLA_XDP | NLA_F_NESTED, xdp.bytes())
}

/// A call that answers with a descriptor.
fn open(command: i64, attributes: &[u64]) -> io::Result<OwnedFd> {
    let fd = i32::try_from(bpf(command, attributes)?).map_err(io::Error::other)?;
    // SAFETY: the descriptor was just made, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf(command: i64, attributes: &[u64]) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes as are said, and what they point to, which
    // lives as long as the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            size_of_val(attributes),
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}
