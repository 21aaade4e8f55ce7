//! Attempts through the memberships of a packet socket.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::sockopt::{open_socket, set_bytes};

const PACKET_ADD_MEMBERSHIP: i32 = 1;
/// Takes one back. One that was never there is no error (`packet_mc_drop`).
pub const PACKET_DROP_MEMBERSHIP: i32 = 2;

/// A kind of membership (linux/if_packet.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// `PACKET_MR_MULTICAST`: one multicast address.
    Multicast = 0,
    /// `PACKET_MR_PROMISC`: everything.
    Promiscuous = 1,
    /// `PACKET_MR_ALLMULTI`: every multicast address.
    AllMulticast = 2,
    /// `PACKET_MR_UNICAST`: one more unicast address.
    Unicast = 3,
}

/// `sizeof(struct packet_mreq)`, in bytes: the usual `optlen`.
pub const MREQ_LEN: usize = 16;

/// A raw packet socket that receives nothing yet.
pub fn packet_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
}

/// Joins, on a socket of its own. The membership ends with the socket.
pub fn join(index: u32, membership: Membership) -> io::Result<OwnedFd> {
    let socket = packet_socket()?;
    add_membership(socket.as_fd(), index, membership, MREQ_LEN)?;
    Ok(socket)
}

/// `PACKET_ADD_MEMBERSHIP` with an `optlen` of choice: the kernel takes what it
/// needs of a longer one.
pub fn add_membership(
    socket: BorrowedFd<'_>,
    index: u32,
    membership: Membership,
    optlen: usize,
) -> io::Result<()> {
    let mut request = mreq(index, membership).to_vec();
    request.resize(optlen, 0);
    set_bytes(socket, libc::SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request)
}

/// `struct packet_mreq`.
fn mreq(index: u32, membership: Membership) -> [u8; MREQ_LEN] {
    let address: &[u8] = match membership {
        Membership::Multicast => &[0x01, 0x00, 0x5e, 0x01, 0x02, 0x03],
        Membership::Unicast => &[0x02, 0x00, 0x00, 0xaa, 0xbb, 0xcc],
        Membership::Promiscuous | Membership::AllMulticast => &[],
    };
    let mut request = [0; MREQ_LEN];
    request[..4].copy_from_slice(&index.to_ne_bytes());
    request[4..6].copy_from_slice(&(membership as u16).to_ne_bytes());
    // At most MAX_ADDR_LEN, which is 32.
    request[6] = address.len() as u8;
    request[8..8 + address.len()].copy_from_slice(address);
    request
}
