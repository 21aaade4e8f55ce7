//! Links made and changed by `RTM_NEWLINK` and `RTM_SETLINK`.

use std::ffi::CString;
use std::io;

use super::netlink::{Message, NLM_F_CREATE, NLM_F_EXCL, Nested, transact};

/// `RTM_NEWLINK` (linux/rtnetlink.h).
pub const RTM_NEWLINK: u16 = 16;
/// `RTM_DELLINK`.
pub const RTM_DELLINK: u16 = 17;
/// `RTM_SETLINK`.
pub const RTM_SETLINK: u16 = 19;
const RTM_NEWLINKPROP: u16 = 108;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const NLA_F_NESTED: u16 = 1 << 15;

/// How a request says which device it means.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// `ifi_index`.
    Index(u32),
    /// `IFLA_IFNAME`, which also finds alternative names.
    Name(&'a str),
    /// `IFLA_ALT_IFNAME`.
    AlternativeName(&'a str),
    /// `IFLA_GROUP`: every member.
    Group(u32),
}

/// A request that changes a link.
pub fn change(kind: u16, target: Target<'_>) -> Message {
    with_target(Message::new(kind, 0, &[0; 16]), target)
}

/// A request that makes a link of this type, such as `dummy`.
pub fn create(name: &str, link_type: &str) -> Message {
    create_with(name, link_type, &Nested::default())
}

/// A request that makes a link with attributes of its type.
pub fn create_with(name: &str, link_type: &str, data: &Nested) -> Message {
    Message::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &[0; 16])
        .text(IFLA_IFNAME, name)
        .link_info(link_type, data)
}

/// The same, which changes the link if it is there already.
pub fn create_or_change(name: &str, link_type: &str) -> Message {
    Message::new(RTM_NEWLINK, NLM_F_CREATE, &[0; 16])
        .text(IFLA_IFNAME, name)
        .link_info(link_type, &Nested::default())
}

/// Sends one request.
pub fn request(message: Message) -> io::Result<()> {
    transact(&[message])
}

/// `ip link delete`.
pub fn delete(name: &str) -> io::Result<()> {
    request(change(RTM_DELLINK, Target::Name(name)))
}

/// `ip link property add altname`.
pub fn add_alternative_name(name: &str, alternative: &str) -> io::Result<()> {
    let text = format!("{alternative}\0");
    let list = Nested::default().attribute(IFLA_ALT_IFNAME, text.as_bytes());
    let message = Message::new(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &[0; 16]);
    let message = with_target(message, Target::Name(name));
    request(message.attribute(IFLA_PROP_LIST | NLA_F_NESTED, list.bytes()))
}

/// `if_nametoindex(3)`.
pub fn index_of(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: the name is a zero-terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

impl Message {
    /// `ifi_flags` and `ifi_change`; a zero mask means all flags.
    #[must_use]
    pub fn flags(mut self, flags: u32, change: u32) -> Self {
        self.patch(8, &flags.to_ne_bytes());
        self.patch(12, &change.to_ne_bytes());
        self
    }

    /// `ifi_index`: of a link to be made, the index that it gets.
    #[must_use]
    pub fn index(mut self, index: u32) -> Self {
        self.patch(4, &index.to_ne_bytes());
        self
    }

    /// `IFLA_MASTER`; 0 releases.
    #[must_use]
    pub fn master(self, index: u32) -> Self {
        self.number(IFLA_MASTER, index)
    }

    /// `IFLA_LINK`: the device below.
    #[must_use]
    pub fn lower(self, index: u32) -> Self {
        self.number(IFLA_LINK, index)
    }

    /// `IFLA_GROUP`.
    #[must_use]
    pub fn group(self, group: u32) -> Self {
        self.number(IFLA_GROUP, group)
    }

    /// `IFLA_MTU`, in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u32) -> Self {
        self.number(IFLA_MTU, mtu)
    }

    /// `IFLA_ADDRESS`.
    #[must_use]
    pub fn address(self, address: [u8; 6]) -> Self {
        self.attribute(IFLA_ADDRESS, &address)
    }

    /// `IFLA_IFNAME`: for a link that another attribute names, its new name.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        self.text(IFLA_IFNAME, name)
    }

    /// `IFLA_NET_NS_FD`: the namespace to move to.
    #[must_use]
    pub fn namespace(self, descriptor: i32) -> Self {
        self.attribute(IFLA_NET_NS_FD, &descriptor.to_ne_bytes())
    }

    /// `IFLA_LINKINFO`: the link's type, and attributes of that type.
    #[must_use]
    pub fn link_info(self, link_type: &str, data: &Nested) -> Self {
        let kind = Nested::default().attribute(IFLA_INFO_KIND, link_type.as_bytes());
        let info = if data.bytes().is_empty() {
            kind
        } else {
            kind.attribute(IFLA_INFO_DATA | NLA_F_NESTED, data.bytes())
        };
        self.attribute(IFLA_LINKINFO | NLA_F_NESTED, info.bytes())
    }
}

impl Message {
    /// `IFLA_INFO_SLAVE_DATA`.
    #[must_use]
    pub fn port_info(self, master_type: &str, data: &Nested) -> Self {
        let info = Nested::default()
            .attribute(IFLA_INFO_SLAVE_KIND, master_type.as_bytes())
            .attribute(IFLA_INFO_SLAVE_DATA | NLA_F_NESTED, data.bytes());
        self.attribute(IFLA_LINKINFO | NLA_F_NESTED, info.bytes())
    }
}

fn with_target(mut message: Message, target: Target<'_>) -> Message {
    match target {
        Target::Index(index) => {
            message.patch(4, &index.to_ne_bytes());
            message
        }
        Target::Name(name) => message.text(IFLA_IFNAME, name),
        Target::AlternativeName(name) => message.text(IFLA_ALT_IFNAME, name),
        Target::Group(group) => message.number(IFLA_GROUP, group),
    }
}
