//! Programs and maps of networking, by `bpf(2)`.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use super::link::{RTM_SETLINK, Target, change, request};
use super::netlink::Nested;
use super::{Message, index_of};

/// linux/bpf.h.
const BPF_MAP_CREATE: i64 = 0;
const BPF_PROG_LOAD: i64 = 5;
const BPF_LINK_CREATE: i64 = 28;
const BPF_MAP_TYPE_SOCKMAP: u32 = 15;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;

/// `r0 = XDP_PASS; exit`.
const PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x95];

/// linux/if_link.h.
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const NLA_F_NESTED: u16 = 1 << 15;

/// Loads an XDP program that lets every packet pass.
pub fn load_xdp() -> io::Result<OwnedFd> {
    let license = c"GPL";
    // prog_type, insn_cnt; insns; license.
    let attributes = [
        u64::from(BPF_PROG_TYPE_XDP) | (PASS.len() as u64) << 32,
        PASS.as_ptr() as u64,
        license.as_ptr() as u64,
    ];
    bpf(BPF_PROG_LOAD, &attributes)
}

/// Makes a map of sockets.
pub fn make_sockmap() -> io::Result<OwnedFd> {
    // map_type, key_size; value_size, max_entries.
    let attributes = [u64::from(BPF_MAP_TYPE_SOCKMAP) | 4 << 32, 4 | 1 << 32];
    bpf(BPF_MAP_CREATE, &attributes)
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
    bpf(BPF_LINK_CREATE, &attributes)
}

fn xdp_message(program: i32, device: &str) -> Message {
    let xdp = Nested::default().attribute(IFLA_XDP_FD, &program.to_ne_bytes());
    change(RTM_SETLINK, Target::Name(device)).attribute(IFLA_XDP | NLA_F_NESTED, xdp.bytes())
}

fn bpf(command: i64, attributes: &[u64]) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as are said, and what they point to, which
    // lives as long as the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            size_of_val(attributes),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the descriptor was just made, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
