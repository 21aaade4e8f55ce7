//! What the agent does about a breach: it says so, and takes back the flag.
//!
//! A rise that came by flag (a request to keep IFF_PROMISC that lost a race
//! against somebody who cleared it) can be undone by whoever may change the
//! device. One that came otherwise (a membership, a bridge) ends with what
//! brought it, and is told only.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use netadmin_common::EventRecord;
use netadmin_common::device::IFF_PROMISC;
use netadmin_common::event::TASK_COMM_LEN;
use nix::sched::{CloneFlags, setns};

use crate::output;

/// Says that there was a breach and undoes what can be undone. Whether the
/// device had the flag, and has lost it.
pub fn answer(record: &EventRecord, cgroup: Option<&str>) -> bool {
    let outcome = take_back(record);
    let what = match &outcome {
        Ok(true) => "IFF_PROMISC is cleared again".to_owned(),
        Ok(false) => "it did not come by flag, and lasts as long as what brought it".to_owned(),
        Err(error) => format!("IFF_PROMISC could not be cleared: {error}"),
    };
    output::complain(&format!(
        "netadmin-agent: BREACH: process {} ({}) of cgroup {} raised the promiscuity of {} \
         (index {}) to {}: {what}; please report it\n",
        record.pid,
        text::<TASK_COMM_LEN>(&record.comm),
        cgroup.unwrap_or("(gone)"),
        text(&record.ifname),
        record.ifindex,
        record.promiscuity_after,
    ));
    outcome.unwrap_or(false)
}

fn text<const LEN: usize>(bytes: &[u8; LEN]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(LEN);
    String::from_utf8_lossy(&bytes[..end])
        .escape_debug()
        .to_string()
}

fn take_back(record: &EventRecord) -> io::Result<bool> {
    let namespace = namespace_of(record)?;
    let index = record.ifindex;
    // In a thread of its own: a network namespace belongs to a thread.
    let thread = std::thread::Builder::new().spawn(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        clear(index)
    })?;
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that clears it ended early")))
}

/// The device's network namespace: that of the task, or of any other process,
/// known by its number.
fn namespace_of(record: &EventRecord) -> io::Result<File> {
    let task = PathBuf::from(format!("/proc/{}/task/{}", record.pid, record.tid));
    let others = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
    for process in std::iter::once(task).chain(others) {
        if let Some(namespace) = open_if(&process, record.netns) {
            return Ok(namespace);
        }
    }
    Err(io::Error::other(format!(
        "no process that the agent sees is in network namespace {}",
        record.netns
    )))
}

fn open_if(process: &Path, number: u32) -> Option<File> {
    let namespace = File::open(process.join("ns/net")).ok()?;
    let same = namespace.metadata().ok()?.ino() == u64::from(number);
    same.then_some(namespace)
}

const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// `nlmsghdr` and `ifinfomsg`, in bytes.
const LINK_LEN: usize = 32;

/// Clears IFF_PROMISC of the device with this index, if it is set by flag.
fn clear(index: u32) -> io::Result<bool> {
    // `ifi_flags` shows that of `gflags` (dev_get_flags).
    let answer = ask(RTM_GETLINK, NLM_F_REQUEST, index, 0)?;
    let flags = u32::from_ne_bytes([answer[24], answer[25], answer[26], answer[27]]);
    if flags & IFF_PROMISC == 0 {
        return Ok(false);
    }
    ask(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, index, IFF_PROMISC)?;
    Ok(true)
}

/// Sends one link message of no flags, and returns the beginning of the answer.
fn ask(message_type: u16, flags: u16, index: u32, change: u32) -> io::Result<[u8; LINK_LEN]> {
    let mut message = [0u8; LINK_LEN];
    message[0..4].copy_from_slice(&(LINK_LEN as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&message_type.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[20..24].copy_from_slice(&index.to_ne_bytes());
    message[28..32].copy_from_slice(&change.to_ne_bytes());
    let socket = route_socket()?;
    // SAFETY: the kernel reads as many bytes as `message` has.
    let sent = unsafe { libc::send(socket.as_raw_fd(), message.as_ptr().cast(), LINK_LEN, 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = [0u8; LINK_LEN];
    // SAFETY: the kernel writes at most as many bytes as `answer` has.
    let read = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), LINK_LEN, 0) };
    if read < 0 {
        return Err(io::Error::last_os_error());
    }
    let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    if u16::from_ne_bytes([answer[4], answer[5]]) == NLMSG_ERROR && error != 0 {
        return Err(io::Error::from_raw_os_error(-error));
    }
    Ok(answer)
}

fn route_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
