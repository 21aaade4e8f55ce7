//! Devices for a test, made from outside.

use std::io;

use crate::attack::ioctl::{self, Family};
use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::attack::{IFF_PROMISC, IFF_UP, index_of};

/// A dummy device that is up. It filters no unicast addresses.
pub fn dummy(name: &str) -> io::Result<()> {
    down(name, "dummy")?;
    up(name)
}

/// A device of a type that needs nothing, down.
pub fn down(name: &str, link_type: &str) -> io::Result<()> {
    link::request(link::create(name, link_type))
}

/// A bridge that is up.
pub fn bridge(name: &str) -> io::Result<()> {
    down(name, "bridge")?;
    up(name)
}

/// A vlan that is up, over a dummy. It does filter unicast addresses.
pub fn vlan_over_dummy(name: &str, lower: &str) -> io::Result<()> {
    dummy(lower)?;
    link::request(kind::vlan(name, index_of(lower)?, 7))?;
    up(name)
}

/// A macvlan that is down.
pub fn macvlan(name: &str, lower: &str, mode: MacvlanMode) -> io::Result<()> {
    link::request(kind::macvlan(name, "macvlan", index_of(lower)?, mode))
}

/// Brings a device up.
pub fn up(name: &str) -> io::Result<()> {
    ioctl::change_flags(Family::Inet, name, IFF_UP, 0)
}

/// Makes a device promiscuous by flag.
pub fn promiscuous(name: &str) -> io::Result<()> {
    ioctl::change_flags(Family::Inet, name, IFF_PROMISC, 0)
}

/// Makes a device the port of a master.
pub fn enslave(name: &str, master: &str) -> io::Result<()> {
    let message = link::change(RTM_SETLINK, Target::Name(name));
    link::request(message.master(index_of(master)?))
}
