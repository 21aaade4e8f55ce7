//! Calls of bpf(2) that aya does not offer for links to cgroups: making one that
//! can be pinned, and changing one in place.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// linux/bpf.h.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_UPDATE: libc::c_long = 29;
/// `enum bpf_attach_type`.
pub const BPF_CGROUP_SYSCTL: u32 = 18;
pub const BPF_CGROUP_SETSOCKOPT: u32 = 22;

/// `union bpf_attr`, as `BPF_OBJ_*` use it.
#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// `union bpf_attr`, as `BPF_LINK_CREATE` uses it.
#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// `union bpf_attr`, as `BPF_LINK_UPDATE` uses it.
#[repr(C)]
struct LinkUpdate {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

/// `enum bpf_map_type`.
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

/// `union bpf_attr`, as `BPF_MAP_CREATE` uses it.
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

/// `union bpf_attr`, as `BPF_MAP_UPDATE_ELEM` uses it.
#[repr(C)]
struct MapUpdate {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Waits until every program that runs now has come to its end (but for sleepable
/// ones, of which we have none). That is what a change of a map of maps does before it
/// returns (`maybe_wait_bpf_programs`).
pub fn wait_for_programs() -> io::Result<()> {
    let inner = create_array(BPF_MAP_TYPE_ARRAY, 0)?;
    let inner_fd = inner.as_raw_fd().cast_unsigned();
    let outer = create_array(BPF_MAP_TYPE_ARRAY_OF_MAPS, inner_fd)?;
    let key = 0u32;
    let attributes = MapUpdate {
        map_fd: outer.as_raw_fd().cast_unsigned(),
        reserved: 0,
        key: &raw const key as u64,
        value: &raw const inner_fd as u64,
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &attributes).map(drop)
}

/// An array of one word.
fn create_array(map_type: u32, inner_map_fd: u32) -> io::Result<OwnedFd> {
    let attributes = MapCreate {
        map_type,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        map_flags: 0,
        inner_map_fd,
    };
    let fd = bpf(BPF_MAP_CREATE, &attributes)?;
    // SAFETY: the call has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens what is pinned at `path`.
pub fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Object {
        pathname: name.as_ptr() as u64,
        ..Object::default()
    };
    let fd = bpf(BPF_OBJ_GET, &attributes)?;
    // SAFETY: the call has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins something at `path`.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Object {
        pathname: name.as_ptr() as u64,
        bpf_fd: object.as_raw_fd().cast_unsigned(),
        ..Object::default()
    };
    bpf(BPF_OBJ_PIN, &attributes).map(drop)
}

/// Attaches a program to a cgroup. A link always allows other programs beside it, and
/// takes no flag that says so (`cgroup_bpf_link_attach`).
pub fn attach_to_cgroup(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        target_fd: cgroup.as_raw_fd().cast_unsigned(),
        attach_type,
        flags: 0,
    };
    let fd = bpf(BPF_LINK_CREATE, &attributes)?;
    // SAFETY: the call has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Puts another program into a cgroup's link, in one step for the kernel
/// (`cgroup_bpf_replace`).
pub fn replace_program(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = LinkUpdate {
        link_fd: link.as_raw_fd().cast_unsigned(),
        new_prog_fd: program.as_raw_fd().cast_unsigned(),
        flags: 0,
        old_prog_fd: 0,
    };
    bpf(BPF_LINK_UPDATE, &attributes).map(drop)
}

/// `union bpf_attr`, as `BPF_OBJ_GET_INFO_BY_FD` uses it.
#[repr(C)]
struct InfoByFd {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The beginning of `struct bpf_link_info`.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
}

/// The id of a link's program.
pub fn program_of_link(link: BorrowedFd<'_>) -> io::Result<u32> {
    let mut info = LinkInfo::default();
    let attributes = InfoByFd {
        bpf_fd: link.as_raw_fd().cast_unsigned(),
        info_len: size_of::<LinkInfo>() as u32,
        info: &raw mut info as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes)?;
    Ok(info.prog_id)
}

/// Whether a program is still in the kernel. To ask takes CAP_SYS_ADMIN
/// (`bpf_prog_get_fd_by_id`).
pub fn is_loaded(program: u32) -> io::Result<bool> {
    // `prog_id`, and what is not used.
    match bpf(BPF_PROG_GET_FD_BY_ID, &[program, 0, 0]) {
        Ok(fd) => {
            // SAFETY: the call has just opened it for us.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            Ok(true)
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes are as long as is said, and what they point to
    // outlives the call, and may be written to where the call does so.
    let status = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    match i32::try_from(status) {
        Ok(status) if status >= 0 => Ok(status),
        _ => Err(io::Error::last_os_error()),
    }
}
