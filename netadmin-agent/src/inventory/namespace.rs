//! What there is in one network namespace.

use std::fmt;
use std::fs::{self, File};
use std::io;

use netadmin_common::device::IFF_PROMISC;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::SockProtocol;
use serde::Serialize;

use super::Inventory;
use crate::netlink::{attributes, dump, u16_at, u32_at};

/// linux/rtnetlink.h, linux/if_link.h.
const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_PROMISCUITY: u16 = 30;
/// `ifinfomsg`, in bytes.
const LINK: usize = 16;

/// linux/sock_diag.h, linux/packet_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const PACKET_SHOW_MCLIST: u32 = 2;
const PACKET_DIAG_MCLIST: u16 = 1;
/// `packet_diag_req`, `packet_diag_msg` and `packet_diag_mclist`, in bytes.
const REQUEST: usize = 20;
const SOCKET: usize = 16;
const MEMBERSHIP: usize = 44;
/// linux/if_packet.h. A device that cannot filter becomes promiscuous for an address
/// of its own, too.
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_MR_UNICAST: u16 = 3;

/// A device that is promiscuous.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The number of its network namespace.
    pub netns: u64,
    /// A process in that namespace.
    pub pid: u32,
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// How many want it to be.
    pub promiscuity: u32,
    /// Whether IFF_PROMISC is among them.
    pub by_flag: bool,
    /// Whether it is the port of another device, which may be why.
    pub is_port: bool,
}

/// A membership of a packet socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The number of its network namespace.
    pub netns: u64,
    /// The index of the device.
    pub index: u32,
    /// `PACKET_MR_PROMISC` or `PACKET_MR_UNICAST`.
    pub kind: &'static str,
    /// The number of the socket, as in `/proc/PID/fd`.
    pub socket: u32,
    /// A process that has the socket open, if it was looked at and found.
    pub pid: Option<u32>,
}

/// A network namespace that processes are in.
#[derive(Debug)]
pub struct Namespace {
    /// Its number.
    pub number: u64,
    /// Processes in it.
    pub pids: Vec<u32>,
    file: File,
}

impl Namespace {
    /// With nobody known to be in it yet.
    pub fn new(number: u64, file: File) -> Self {
        Self {
            number,
            pids: Vec::new(),
            file,
        }
    }

    /// Looks for what there is.
    pub fn look(self, found: &mut Inventory) -> io::Result<()> {
        let pid = self.pids.first().copied().unwrap_or_default();
        let number = self.number;
        let is_our_own = namespace_number("/proc/self/ns/net") == Some(number);
        let file = self.file;
        // In a thread of its own: a network namespace belongs to a thread.
        let thread = std::thread::Builder::new().spawn(move || {
            if !is_our_own {
                setns(&file, CloneFlags::CLONE_NEWNET)?;
            }
            let devices = devices(number, pid)?;
            Ok::<_, io::Error>((devices, memberships(number)))
        })?;
        let looked = thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that looks ended early")));
        let (devices, memberships) = looked?;
        found.devices.extend(devices);
        let mut memberships = memberships.map_err(|error| {
            let what = "its packet sockets cannot be listed, which takes the module \
                        af_packet_diag";
            io::Error::other(format!("{what}: {error}"))
        })?;
        for membership in &mut memberships {
            membership.pid = owner(membership.socket, &self.pids);
        }
        found.memberships.extend(memberships);
        Ok(())
    }
}

fn namespace_number(path: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(fs::metadata(path).ok()?.ino())
}

/// The promiscuous devices of the caller's namespace.
fn devices(netns: u64, pid: u32) -> io::Result<Vec<Device>> {
    let mut found = Vec::new();
    dump(
        SockProtocol::NetlinkRoute,
        RTM_GETLINK,
        &[0; LINK],
        |body| {
            let device = device(netns, pid, body);
            found.extend(device.filter(|device| device.promiscuity > 0));
        },
    )?;
    Ok(found)
}

fn device(netns: u64, pid: u32, body: &[u8]) -> Option<Device> {
    let mut device = Device {
        netns,
        pid,
        index: u32_at(body, 4)?,
        name: String::new(),
        promiscuity: 0,
        // Shown as asked for by flag (`dev_get_flags`).
        by_flag: u32_at(body, 8)? & IFF_PROMISC != 0,
        is_port: false,
    };
    for (kind, value) in attributes(body.get(LINK..)?) {
        match kind {
            IFLA_IFNAME => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                device.name = String::from_utf8_lossy(name).escape_debug().to_string();
            }
            IFLA_PROMISCUITY => device.promiscuity = u32_at(value, 0)?,
            IFLA_MASTER => device.is_port = true,
            _ => {}
        }
    }
    Some(device)
}

/// The memberships of the caller's namespace that make a device promiscuous, or may.
fn memberships(netns: u64) -> io::Result<Vec<Membership>> {
    let mut request = [0; REQUEST];
    request[0] = libc::AF_PACKET as u8;
    request[8..12].copy_from_slice(&PACKET_SHOW_MCLIST.to_ne_bytes());
    let mut found = Vec::new();
    dump(
        SockProtocol::NetlinkSockDiag,
        SOCK_DIAG_BY_FAMILY,
        &request,
        |body| found.extend(of_socket(netns, body)),
    )?;
    Ok(found)
}

fn of_socket(netns: u64, body: &[u8]) -> Vec<Membership> {
    let (Some(socket), Some(rest)) = (u32_at(body, 4), body.get(SOCKET..)) else {
        return Vec::new();
    };
    let membership = |entry: &[u8]| {
        let kind = match u16_at(entry, 8)? {
            PACKET_MR_PROMISC => "PACKET_MR_PROMISC",
            PACKET_MR_UNICAST => "PACKET_MR_UNICAST",
            _ => return None,
        };
        Some(Membership {
            netns,
            index: u32_at(entry, 0)?,
            kind,
            socket,
            pid: None,
        })
    };
    let lists = attributes(rest).filter(|(kind, _)| *kind == PACKET_DIAG_MCLIST);
    lists
        .flat_map(|(_, list)| list.chunks_exact(MEMBERSHIP).filter_map(membership))
        .collect()
}

/// Which of these processes has a socket open.
fn owner(socket: u32, pids: &[u32]) -> Option<u32> {
    let target = format!("socket:[{socket}]");
    let has_it = |pid: &&u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        let mut targets = files.flatten().map(|file| fs::read_link(file.path()));
        targets.any(|found| found.is_ok_and(|found| found.as_os_str() == target.as_str()))
    };
    pids.iter().find(has_it).copied()
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (self.by_flag, self.is_port) {
            (true, _) => ", by flag",
            (false, true) => ", as a port",
            (false, false) => "",
        };
        write!(
            formatter,
            "device {} (index {}) in network namespace {}, that of process {}, is promiscuous \
             (count {}{how})",
            self.name, self.index, self.netns, self.pid, self.promiscuity
        )
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.pid {
            Some(pid) => format!("of process {pid}"),
            None => "whose process was not found".to_owned(),
        };
        write!(
            formatter,
            "packet socket {} {who} has the membership {} of device {} in network namespace {}",
            self.socket, self.kind, self.index, self.netns
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_link_tells_its_promiscuity_and_whose_port_it_is() {
        let mut body = vec![0; LINK];
        body[4] = 3;
        body.extend(attribute(IFLA_IFNAME, b"eth0\0"));
        body.extend(attribute(IFLA_MASTER, &[9, 0, 0, 0]));
        body.extend(attribute(IFLA_PROMISCUITY, &[2, 0, 0, 0]));
        let device = device(7, 4711, &body).expect("a device");
        assert_eq!((device.name.as_str(), device.index), ("eth0", 3));
        assert_eq!((device.promiscuity, device.by_flag), (2, false));
        assert!(device.to_string().contains("as a port"));
    }

    #[test]
    fn of_a_socket_only_memberships_that_raise_are_told() {
        let entry = |kind: u8| {
            let mut entry = vec![0; MEMBERSHIP];
            (entry[0], entry[8]) = (5, kind);
            entry
        };
        let list: Vec<u8> = [0, 1, 2, 3].into_iter().flat_map(entry).collect();
        let mut body = vec![0; SOCKET];
        body[4] = 42;
        body.extend(attribute(PACKET_DIAG_MCLIST, &list));
        let found = of_socket(7, &body);
        let kinds: Vec<_> = found.iter().map(|found| found.kind).collect();
        assert_eq!(kinds, ["PACKET_MR_PROMISC", "PACKET_MR_UNICAST"]);
        assert!(
            found
                .iter()
                .all(|found| found.index == 5 && found.socket == 42)
        );
        assert!(of_socket(7, &body[..SOCKET]).is_empty());
    }
}
