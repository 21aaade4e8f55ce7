//! Generic netlink families, as the kernel has them at the moment.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use netadmin_bypass::attack::Message;
use netadmin_bypass::attack::netlink::{datagram, each_attribute, send, try_receive};
use netadmin_bypass::attack::sockopt::open_socket;
use netadmin_common::OperationKind;
use netadmin_common::netlink::family;

/// Those that are asked for, if they are there.
const NAMES: [&str; 10] = [
    "nlctrl",
    "ethtool",
    "tcp_metrics",
    "mptcp_pm",
    "wireguard",
    "macsec",
    "team",
    "ovs_datapath",
    "SEG6",
    "netdev",
];

const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const HEADERS: usize = 20;

/// Ids, with what they stand for.
#[derive(Clone, Debug)]
pub struct Families(BTreeMap<u16, &'static str>);

impl Families {
    /// Asks the kernel.
    pub fn read() -> Result<Self> {
        let mut found = BTreeMap::new();
        for name in NAMES {
            found.extend(id(name)?.map(|id| (id, name)));
        }
        ensure!(found.len() > 4, "only {found:?}");
        Ok(Self(found))
    }

    /// The ids.
    pub fn ids(&self) -> Vec<u16> {
        self.0.keys().copied().collect()
    }

    /// What a message of this type is.
    pub fn operation(&self, id: u16) -> OperationKind {
        // What has no such id has no operation, and does nothing.
        self.0
            .get(&id)
            .map_or(OperationKind::Unclassified, |name| family(name))
    }
}

/// The id of a family, if it is there.
pub fn id(name: &str) -> Result<Option<u16>> {
    let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC)?;
    let question = Message::new(GENL_ID_CTRL, 0, &[CTRL_CMD_GETFAMILY, 1, 0, 0]);
    let question = question.text(CTRL_ATTR_FAMILY_NAME, name);
    send(&socket, &datagram(&[question])).context("ask for a family")?;
    let mut found = None;
    let answer = try_receive(&socket)?;
    if answer.get(4..6) == Some(&GENL_ID_CTRL.to_ne_bytes()) {
        each_attribute(&answer[HEADERS..], |kind, payload| {
            if let (CTRL_ATTR_FAMILY_ID, [low, high, ..]) = (kind, payload) {
                found = Some(u16::from_ne_bytes([*low, *high]));
            }
        });
    }
    Ok(found)
}
