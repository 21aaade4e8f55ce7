//! Packets taken to user space, by nfnetlink.

use std::io;
use std::os::fd::OwnedFd;

use super::Message;
use super::netlink::transact_on;
use super::sockopt::open_socket;

/// linux/netfilter/nfnetlink_queue.h: NFNL_SUBSYS_QUEUE and NFQNL_MSG_CONFIG,
/// NFQA_CFG_CMD, NFQNL_CFG_CMD_BIND.
const QUEUE_CONFIG: u16 = 3 << 8 | 2;
const NFQA_CFG_CMD: u16 = 1;
const QUEUE_BIND: [u8; 4] = [1, 0, 0, 0];

/// linux/netfilter/nfnetlink_log.h: NFNL_SUBSYS_ULOG and NFULNL_MSG_CONFIG,
/// NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND.
const LOG_CONFIG: u16 = 4 << 8 | 1;
const NFULA_CFG_CMD: u16 = 1;
const LOG_BIND: [u8; 1] = [1];

/// `struct nfgenmsg`: any family, version 0, and the number 7 of a queue or group.
const NUMBER_7: [u8; 4] = [0, 0, 0, 7];

/// Has packets of a queue judged by this socket, for as long as it is open.
pub fn bind_queue() -> io::Result<OwnedFd> {
    bind(QUEUE_CONFIG, NFQA_CFG_CMD, &QUEUE_BIND)
}

/// Has packets of a group logged to it.
pub fn bind_log() -> io::Result<OwnedFd> {
    bind(LOG_CONFIG, NFULA_CFG_CMD, &LOG_BIND)
}

fn bind(kind: u16, attribute: u16, command: &[u8]) -> io::Result<OwnedFd> {
    let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
    let message = Message::new(kind, 0, &NUMBER_7).attribute(attribute, command);
    transact_on(&socket, &[message])?;
    Ok(socket)
}
