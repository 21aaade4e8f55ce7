//! Open vSwitch, by generic netlink: its ports are promiscuous.

use std::io;

use super::index_of;
use super::netlink::{Message, ask_on, each_attribute, generic_socket, transact_on};
use super::route::Route;

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// linux/openvswitch.h.
const CMD_NEW: u8 = 1;
const CMD_DEL: u8 = 2;
const OVS_DATAPATH_VERSION: u8 = 2;
const OVS_VPORT_VERSION: u8 = 1;
const OVS_DP_ATTR_NAME: u16 = 1;
const OVS_DP_ATTR_UPCALL_PID: u16 = 2;
const OVS_VPORT_ATTR_TYPE: u16 = 2;
const OVS_VPORT_ATTR_NAME: u16 = 3;
const OVS_VPORT_ATTR_UPCALL_PID: u16 = 5;
const OVS_VPORT_TYPE_NETDEV: u32 = 1;

/// Makes a datapath; its local port, of the same name, is a new device.
pub fn add_datapath(name: &str) -> io::Result<()> {
    let message = request("ovs_datapath", CMD_NEW, OVS_DATAPATH_VERSION, 0)?;
    let message = message.text(OVS_DP_ATTR_NAME, name);
    transact_on(
        &generic_socket()?,
        &[message.number(OVS_DP_ATTR_UPCALL_PID, 0)],
    )
}

/// Removes a datapath.
pub fn delete_datapath(name: &str) -> io::Result<()> {
    let message = request("ovs_datapath", CMD_DEL, OVS_DATAPATH_VERSION, 0)?;
    transact_on(&generic_socket()?, &[message.text(OVS_DP_ATTR_NAME, name)])
}

/// Makes a device the port of a datapath.
pub fn add_port(datapath: &str, device: &str) -> io::Result<()> {
    let datapath = index_of(datapath)?;
    let message = request("ovs_vport", CMD_NEW, OVS_VPORT_VERSION, datapath)?
        .number(OVS_VPORT_ATTR_TYPE, OVS_VPORT_TYPE_NETDEV)
        .text(OVS_VPORT_ATTR_NAME, device)
        .number(OVS_VPORT_ATTR_UPCALL_PID, 0);
    transact_on(&generic_socket()?, &[message])
}

/// `struct genlmsghdr`, and `struct ovs_header`.
fn request(family: &str, command: u8, version: u8, datapath: u32) -> io::Result<Message> {
    let mut fixed = vec![command, version, 0, 0];
    fixed.extend(datapath.to_ne_bytes());
    Ok(Message::new(family_id(family)?, 0, &fixed))
}

/// The id of a family, whose module the kernel loads if need be.
fn family_id(name: &str) -> io::Result<u16> {
    let fixed = [CTRL_CMD_GETFAMILY, 1, 0, 0];
    let question = Message::new(GENL_ID_CTRL, 0, &fixed).text(CTRL_ATTR_FAMILY_NAME, name);
    let answer = Route::USUAL.take(|| ask_on(&generic_socket()?, &question));
    let answer = answer.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => io::Error::from_raw_os_error(libc::EOPNOTSUPP),
        _ => error,
    })?;
    let mut id = None;
    each_attribute(answer.get(4..).unwrap_or_default(), |kind, payload| {
        if kind == CTRL_ATTR_FAMILY_ID {
            id = payload.try_into().ok().map(u16::from_ne_bytes);
        }
    });
    id.ok_or_else(|| io::Error::other(format!("no id of {name}")))
}
