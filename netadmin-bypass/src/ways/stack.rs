//! Devices that stand on another: what happens to one raises the other.

use std::io;

use super::device::{UPPER, VICTIM};
use super::{Call, Effect, Path};
use crate::attack::inet::add_forwarding_entry;
use crate::attack::ioctl::{Family, change_flags, set_address};
use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::{IFF_PROMISC, IFF_UP, Message, Target, index_of};
use crate::make;

const RISE: Effect = Effect::Promiscuity(VICTIM);
const ADDRESS: [u8; 6] = [0x02, 0, 0, 0x0b, 0x0a, 0x0d];

pub fn paths() -> Vec<Path> {
    let mut paths = passthru();
    paths.extend(over_no_filter());
    paths.extend(addresses());
    paths
}

fn up() -> io::Result<()> {
    change_flags(Family::Inet, UPPER, IFF_UP, 0)
}

fn create_passthru(link_type: &str) -> io::Result<Message> {
    let lower = index_of(VICTIM)?;
    Ok(kind::macvlan(
        UPPER,
        link_type,
        lower,
        MacvlanMode::Passthru,
    ))
}

fn passthru() -> Vec<Path> {
    let created_up =
        |link_type| move || link::request(create_passthru(link_type)?.flags(IFF_UP, IFF_UP));
    let loses_nopromisc = || {
        let data = kind::macvlan_data(MacvlanMode::Passthru, Some(0));
        let message = change(link::RTM_NEWLINK, Target::Name(UPPER));
        link::request(message.link_info("macvlan", &data))
    };
    let quiet = || {
        make::dummy(VICTIM)?;
        let (lower, flags) = (index_of(VICTIM)?, kind::MACVLAN_FLAG_NOPROMISC);
        link::request(kind::macvlan_with_flags(
            UPPER,
            lower,
            MacvlanMode::Passthru,
            flags,
        ))?;
        make::up(UPPER)
    };
    vec![
        Path::new(
            "macvlan passthru, created up",
            Call::Netlink,
            RISE,
            created_up("macvlan"),
        )
        .on(|| make::dummy(VICTIM)),
        Path::new(
            "macvtap passthru, created up",
            Call::Netlink,
            RISE,
            created_up("macvtap"),
        )
        .on(|| make::dummy(VICTIM)),
        Path::new("macvlan passthru, brought up", Call::Ioctl, RISE, up).on(|| {
            make::dummy(VICTIM)?;
            make::macvlan(UPPER, VICTIM, MacvlanMode::Passthru)
        }),
        Path::new(
            "macvlan passthru, NOPROMISC taken away",
            Call::Netlink,
            RISE,
            loses_nopromisc,
        )
        .on(quiet),
    ]
}

/// Over a device that filters no unicast addresses, a second address is enough.
fn over_no_filter() -> Vec<Path> {
    let macvlan = || {
        make::dummy(VICTIM)?;
        make::macvlan(UPPER, VICTIM, MacvlanMode::Bridge)
    };
    let promiscuous = || change_flags(Family::Inet, UPPER, IFF_PROMISC, 0);
    let up_by_message =
        || link::request(change(RTM_SETLINK, Target::Name(UPPER)).flags(IFF_UP, IFF_UP));
    vec![
        Path::new(
            "macvlan over no filter, SIOCSIFFLAGS up",
            Call::Ioctl,
            RISE,
            up,
        )
        .on(macvlan),
        Path::new(
            "macvlan over no filter, RTM_SETLINK up",
            Call::Netlink,
            RISE,
            up_by_message,
        )
        .on(macvlan),
        Path::new(
            "promiscuous vlan reaches its parent",
            Call::Ioctl,
            RISE,
            promiscuous,
        )
        .on(|| make::vlan_over_dummy(UPPER, VICTIM)),
    ]
}

fn addresses() -> Vec<Path> {
    let vlan = || make::vlan_over_dummy(UPPER, VICTIM);
    let by_message = || link::request(change(RTM_SETLINK, Target::Name(UPPER)).address(ADDRESS));
    vec![
        Path::new(
            "vlan's address, RTM_SETLINK",
            Call::Netlink,
            RISE,
            by_message,
        )
        .on(vlan),
        Path::new("vlan's address, SIOCSIFHWADDR", Call::Ioctl, RISE, || {
            set_address(UPPER, ADDRESS)
        })
        .on(vlan),
        Path::new("parent's address, SIOCSIFHWADDR", Call::Ioctl, RISE, || {
            set_address(VICTIM, ADDRESS)
        })
        .on(vlan_with_its_parents_address),
        Path::new(
            "forwarding entry, RTM_NEWNEIGH",
            Call::Netlink,
            RISE,
            || add_forwarding_entry(index_of(VICTIM)?, ADDRESS),
        )
        .on(|| make::dummy(VICTIM)),
    ]
}

/// Given the address once more, the vlan no longer follows its parent
/// (`vlan_dev_inherit_address`).
fn vlan_with_its_parents_address() -> io::Result<()> {
    const SHARED: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
    make::vlan_over_dummy(UPPER, VICTIM)?;
    set_address(VICTIM, SHARED)?;
    set_address(UPPER, SHARED)
}
