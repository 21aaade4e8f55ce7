//! Sockets, other than those of netlink, whose `bind(2)` may take `CAP_NET_ADMIN`.

use std::io;
use std::os::fd::AsRawFd as _;

use super::sockopt::open_socket;

const AF_BLUETOOTH: u16 = 31;
const BTPROTO_HCI: i32 = 1;
const HCI_CHANNEL_USER: u16 = 1;

const AF_QIPCRTR: u16 = 42;
/// The number of this machine until somebody gives it another.
const LOCAL_NODE: u32 = 1;
/// Below `QRTR_MIN_EPH_SOCKET`.
const PRIVILEGED_PORT: u32 = 77;

/// Binds a socket of Qualcomm's IPC router to a port that not everyone may have.
pub fn qrtr_port() -> io::Result<()> {
    // `struct sockaddr_qrtr` (linux/qrtr.h).
    let mut address = [0; 12];
    address[..2].copy_from_slice(&AF_QIPCRTR.to_ne_bytes());
    address[4..8].copy_from_slice(&LOCAL_NODE.to_ne_bytes());
    address[8..].copy_from_slice(&PRIVILEGED_PORT.to_ne_bytes());
    bind(AF_QIPCRTR, libc::SOCK_DGRAM, 0, &address)
}

/// Takes the first Bluetooth device for itself.
pub fn bluetooth_user_channel() -> io::Result<()> {
    // `struct sockaddr_hci` (net/bluetooth/hci_sock.h): family, device, channel.
    let mut address = [0; 6];
    address[..2].copy_from_slice(&AF_BLUETOOTH.to_ne_bytes());
    address[4..].copy_from_slice(&HCI_CHANNEL_USER.to_ne_bytes());
    bind(AF_BLUETOOTH, libc::SOCK_RAW, BTPROTO_HCI, &address)
}

fn bind(family: u16, kind: i32, protocol: i32, address: &[u8]) -> io::Result<()> {
    let socket = open_socket(i32::from(family), kind, protocol)?;
    let len = libc::socklen_t::try_from(address.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads an address of the length that is said.
    match unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr().cast(), len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
