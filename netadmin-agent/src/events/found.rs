//! What was there before enforcement, as events.

use serde::Serialize;

use super::json::{Event, Interface};
use crate::inventory::{Device, Inventory, Membership};

/// What was found. (Who did it is not known.)
#[derive(Clone, Debug, Serialize)]
pub(super) struct Found {
    #[serde(skip_serializing_if = "Option::is_none")]
    netns: Option<u64>,
    found: Thing,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Thing {
    /// Processes that were in guarded cgroups.
    Processes { count: usize },
    /// A promiscuous device in a network namespace of theirs.
    Device {
        promiscuity: u32,
        by_flag: bool,
        is_port: bool,
    },
    /// A packet socket's membership there.
    Membership {
        membership: &'static str,
        socket: u32,
        pid: Option<u32>,
    },
}

/// One event for each thing; `next` makes the next that says nothing yet.
pub fn events<'a>(
    inventory: &Inventory,
    mut next: impl FnMut(&'static str) -> Event<'a>,
) -> Vec<Event<'a>> {
    let count = inventory.processes;
    let processes = (count > 0).then_some((
        None,
        Found {
            netns: None,
            found: Thing::Processes { count },
        },
    ));
    let devices = inventory.devices.iter().map(of_device);
    let memberships = inventory.memberships.iter().map(of_membership);
    let all = processes.into_iter().chain(devices).chain(memberships);
    let event = |(interface, found)| {
        let mut event = next("found");
        event.interface = interface;
        event.found = Some(found);
        event
    };
    all.map(event).collect()
}

fn of_device(device: &Device) -> (Option<Interface>, Found) {
    let interface = Interface {
        index: Some(device.index),
        name: Some(device.name.clone()),
    };
    let found = Thing::Device {
        promiscuity: device.promiscuity,
        by_flag: device.by_flag,
        is_port: device.is_port,
    };
    let netns = Some(device.netns);
    (Some(interface), Found { netns, found })
}

fn of_membership(membership: &Membership) -> (Option<Interface>, Found) {
    let interface = Interface {
        index: Some(membership.index),
        name: None,
    };
    let found = Thing::Membership {
        membership: membership.kind,
        socket: membership.socket,
        pid: membership.pid,
    };
    let netns = Some(membership.netns);
    (Some(interface), Found { netns, found })
}
