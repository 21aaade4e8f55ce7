//! The generic netlink families, by id: a message carries the id alone, and the
//! kernel gives it out when a module registers its family.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use aya::maps::{Array, MapData};
use netadmin_common::{Text, netlink::family_entry};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, send, socket,
};
use tokio::io::unix::AsyncFd;

use crate::netlink::{
    Message, NLMSG_DONE, NLMSG_ERROR, REQUEST_DUMP, attributes, messages, receive,
};
use crate::output;

/// `GENL_ID_CTRL`, the family that tells of families, and its one group.
const GENL_ID_CTRL: u16 = 0x10;
/// linux/genetlink.h.
const CTRL_CMD_NEWFAMILY: u8 = 1;
const CTRL_CMD_DELFAMILY: u8 = 2;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// `nlmsghdr` and `genlmsghdr`, in bytes.
const HEADERS: usize = 20;

/// The map of families, kept as the kernel has them.
pub struct Families {
    map: Array<MapData, u32>,
    notifications: AsyncFd<OwnedFd>,
}

impl Families {
    /// Fills the map. From before it is filled, changes are waited for.
    pub fn new(map: Array<MapData, u32>) -> io::Result<Self> {
        let notifications = open(1 << (GENL_ID_CTRL - 1), SockFlag::SOCK_NONBLOCK)?;
        // SAFETY: it owns the descriptor, and keeps it open until dropped.
        let notifications =
            unsafe { AsyncFd::register(notifications) }.map_err(io::Error::other)?;
        let mut families = Self { map, notifications };
        families.dump()?;
        Ok(families)
    }

    /// Follows changes, within the event loop.
    pub fn follow(mut self) {
        tokio::spawn(async move {
            while let Ok(mut ready) = self.notifications.readable().await {
                ready.clear_ready();
                if let Err(error) = self.drain() {
                    output::complain(&format!(
                        "netadmin-agent: error: cannot follow generic netlink families: {error}; \
                         an id that is given up keeps its name\n"
                    ));
                    return;
                }
            }
        });
    }

    fn drain(&mut self) -> io::Result<()> {
        loop {
            match receive(&self.notifications) {
                Ok(datagram) => self.take(&datagram).map(drop)?,
                Err(nix::Error::EAGAIN) => return Ok(()),
                // Notifications were lost.
                Err(nix::Error::ENOBUFS) => self.dump()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn dump(&mut self) -> io::Result<()> {
        let socket = open(0, SockFlag::empty())?;
        send(socket.as_raw_fd(), &request(), MsgFlags::empty())?;
        while self.take(&receive(&socket)?)? {}
        Ok(())
    }

    /// Takes what a datagram tells; false at the end of a dump.
    fn take(&mut self, datagram: &[u8]) -> io::Result<bool> {
        for message in messages(datagram) {
            match message.kind {
                NLMSG_DONE => return Ok(false),
                NLMSG_ERROR => return Err(io::Error::other("the kernel refused to list them")),
                _ => {}
            }
            if let Some((id, kind)) = change(&message) {
                self.map
                    .set(u32::from(id), kind, 0)
                    .map_err(io::Error::other)?;
            }
        }
        Ok(true)
    }
}

fn open(groups: u32, flags: SockFlag) -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        flags | SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkGeneric,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

fn request() -> [u8; HEADERS] {
    let mut bytes = [0; HEADERS];
    bytes[0] = HEADERS as u8;
    bytes[4..6].copy_from_slice(&GENL_ID_CTRL.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes[16] = CTRL_CMD_GETFAMILY;
    bytes[17] = 2;
    bytes
}

/// The id, and the operation that it is from now on; 0 for none.
fn change(message: &Message<'_>) -> Option<(u16, u32)> {
    if message.kind != GENL_ID_CTRL {
        return None;
    }
    let command = *message.body.first()?;
    let (mut id, mut name) = (None, None);
    for (kind, value) in attributes(message.body.get(4..)?) {
        match kind {
            CTRL_ATTR_FAMILY_ID => id = Some(u16::from_ne_bytes(value.get(..2)?.try_into().ok()?)),
            CTRL_ATTR_FAMILY_NAME => name = Some(value),
            _ => {}
        }
    }
    let kind = match command {
        CTRL_CMD_NEWFAMILY => family_entry(&Text::new(name?).terminated()),
        CTRL_CMD_DELFAMILY => 0,
        _ => return None,
    };
    Some((id?, kind))
}

#[cfg(test)]
mod tests {
    use netadmin_common::OperationKind;

    use super::*;

    fn told(command: u8, name: &[u8]) -> Vec<u8> {
        let mut body = vec![command, 2, 0, 0];
        body.extend([8, 0, 1, 0, 0x1c, 0, 0, 0]);
        body.extend([(4 + name.len()) as u8, 0, 2, 0]);
        body.extend(name);
        body.resize(body.len().next_multiple_of(4), 0);
        let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
        message.extend(GENL_ID_CTRL.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    #[test]
    fn a_family_is_known_by_its_name_until_it_goes() {
        let mut datagram = told(CTRL_CMD_NEWFAMILY, b"wireguard\0");
        datagram.extend(told(CTRL_CMD_NEWFAMILY, b"ovs_flow\0"));
        datagram.extend(told(CTRL_CMD_DELFAMILY, b"nobody\0"));
        let changes: Vec<_> = messages(&datagram).filter_map(|m| change(&m)).collect();
        let expected = [
            (28, OperationKind::GenlWireguard as u32),
            (28, OperationKind::GenlOpenvswitch as u32),
            (28, 0),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn what_is_cut_short_tells_nothing() {
        let whole = told(CTRL_CMD_NEWFAMILY, b"wireguard\0");
        for len in 0..whole.len() {
            assert_eq!(messages(&whole[..len]).count(), 0);
        }
    }
}
