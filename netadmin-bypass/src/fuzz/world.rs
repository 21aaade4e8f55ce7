//! The devices that every case begins with.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use crate::attack::kind::{self, MacvlanMode};
use crate::attack::link::{self, Target, add_alternative_name};
use crate::attack::netlink::{dump, each_attribute, number_at};
use crate::attack::{Message, index_of};
use crate::make;

const RTM_GETLINK: u16 = 18;
/// `IFF_RUNNING`, `IFF_LOWER_UP` and `IFF_DORMANT`, which a kernel worker sets in
/// its own time (linkwatch).
const CARRIER: u32 = 0x40 | 0x1_0000 | 0x2_0000;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_GROUP: u16 = 27;
const IFLA_PROMISCUITY: u16 = 30;

/// Up; filters nothing.
pub const PLAIN: &str = "fuzzplain0";
/// Down.
pub const DOWN: &str = "fuzzdown0";
/// A bridge, up.
pub const BRIDGE: &str = "fuzzbridge0";
/// A vlan over [`PLAIN`], up.
pub const VLAN: &str = "fuzzvlan0";
/// A macvlan over [`DOWN`], down.
pub const MACVLAN: &str = "fuzzmacvlan0";
/// A bond, up: it filters unicast addresses.
pub const BOND: &str = "fuzzbond0";
/// An alternative name of [`PLAIN`].
pub const ALTERNATIVE: &str = "fuzzalt0";
/// What a case may make or rename to.
pub const SPARE: &str = "fuzzspare0";
/// The group that [`DOWN`] is in.
pub const GROUP: u32 = 4_712;

/// The group that the others are in.
const OTHERS: u32 = 4_713;
/// The index of the first of them.
const FIRST_INDEX: u32 = 1_000;

/// What a tunnel module, once it is there, makes in every namespace
/// (net.core.fb_tunnels_only_for_init_net).
const FALLBACKS: [&str; 6] = ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0"];

/// Those that are there at the beginning.
pub const ALL: [&str; 6] = [PLAIN, DOWN, BRIDGE, VLAN, MACVLAN, BOND];

/// The devices, as a case finds them.
pub struct World {
    /// What they look like.
    pub devices: Devices,
}

/// What can be seen of each device, by name; hardware addresses and indexes are
/// left out, which differ from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices(BTreeMap<String, Device>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Device {
    flags: u32,
    mtu: u32,
    group: u32,
    promiscuity: u32,
    master: Option<String>,
}

impl World {
    /// Makes them anew.
    pub fn make() -> io::Result<Self> {
        Self::remove_all()?;
        create(PLAIN, link::create(PLAIN, "dummy"))?;
        add_alternative_name(PLAIN, ALTERNATIVE)?;
        create(DOWN, link::create(DOWN, "dummy"))?;
        create(BRIDGE, link::create(BRIDGE, "bridge"))?;
        create(VLAN, kind::vlan(VLAN, index_of(PLAIN)?, 7))?;
        let (lower, mode) = (index_of(DOWN)?, MacvlanMode::Bridge);
        create(MACVLAN, kind::macvlan(MACVLAN, "macvlan", lower, mode))?;
        create(BOND, link::create(BOND, "bond"))?;
        for name in [PLAIN, BRIDGE, VLAN, BOND] {
            make::up(name)?;
        }
        Ok(Self {
            devices: Self::devices()?,
        })
    }

    /// Removes every device but those that cannot be removed. All of a group go at
    /// once, which takes a fraction of the time.
    pub fn remove_all() -> io::Result<()> {
        for group in [OTHERS, GROUP] {
            // ENODEV if there is none.
            let _ = link::request(link::change(link::RTM_DELLINK, Target::Group(group)));
        }
        // By index: a name that was made up may be no text.
        for (index, ..) in all()?.into_iter().filter(|(_, name, ..)| !stays(name)) {
            // One may go with another, or be the kernel's own.
            let _ = link::request(link::change(link::RTM_DELLINK, Target::Index(index)));
        }
        Ok(())
    }

    /// The devices as they are now.
    pub fn devices() -> io::Result<Devices> {
        let found = all()?;
        let names: BTreeMap<u32, String> = found
            .iter()
            .map(|(index, name, ..)| (*index, name.clone()))
            .collect();
        let named = found.into_iter().map(|(_, name, master, mut device)| {
            device.master = master.and_then(|index| names.get(&index).cloned());
            (name, device)
        });
        Ok(Devices(named.filter(|(name, _)| !stays(name)).collect()))
    }
}

/// Makes a device with an index of its own, the same in every run.
fn create(name: &str, message: Message) -> io::Result<()> {
    let place = ALL.iter().position(|one| *one == name).unwrap_or(ALL.len());
    let group = if name == DOWN { GROUP } else { OTHERS };
    let index = u32::try_from(place).map_err(io::Error::other)? + FIRST_INDEX;
    link::request(message.index(index).group(group))
}

type Seen = (u32, String, Option<u32>, Device);

fn all() -> io::Result<Vec<Seen>> {
    let bodies = dump(&Message::new(RTM_GETLINK, 0, &[0; 16]))?;
    Ok(bodies.iter().filter_map(|body| seen(body)).collect())
}

/// Whether a device cannot be made anew for each case.
fn stays(name: &str) -> bool {
    name == "lo" || FALLBACKS.contains(&name)
}

fn seen(body: &[u8]) -> Option<Seen> {
    let mut device = Device {
        flags: number_at(body, 8)? & !CARRIER,
        ..Device::default()
    };
    let (mut name, mut master) = (String::new(), None);
    each_attribute(body.get(16..)?, |kind, payload| {
        let number = number_at(payload, 0);
        match kind {
            IFLA_IFNAME => {
                let text = String::from_utf8_lossy(payload);
                text.trim_end_matches('\0').clone_into(&mut name);
            }
            IFLA_MTU => device.mtu = number.unwrap_or_default(),
            IFLA_GROUP => device.group = number.unwrap_or_default(),
            IFLA_PROMISCUITY => device.promiscuity = number.unwrap_or_default(),
            IFLA_MASTER => master = number,
            _ => {}
        }
    });
    Some((number_at(body, 4)?, name, master, device))
}

impl Devices {
    /// Whether some device is wanted promiscuous more often than before.
    pub fn is_raised_over(&self, before: &Self) -> bool {
        self.0.iter().any(|(name, device)| {
            let earlier = before.0.get(name).map_or(0, |device| device.promiscuity);
            device.promiscuity > earlier
        })
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, device) in &self.0 {
            let Device {
                flags,
                mtu,
                group,
                promiscuity,
                master,
            } = device;
            let master = master.as_deref().unwrap_or("-");
            write!(
                f,
                "{name} {flags:#x} {mtu} {group} {promiscuity} {master}; "
            )?;
        }
        Ok(())
    }
}
