//! What was there before enforcement, and stays: devices that are promiscuous
//! already, packet sockets with a membership that makes them so, processes inside
//! guarded cgroups. The agent clears nothing of it, but tells it.

mod namespace;
mod processes;

use serde::Serialize;

use crate::cgroups::Tree;
use crate::output;

pub use namespace::{Device, Membership};
pub use processes::Processes;

/// So many things are told one by one.
const MAX_TOLD: usize = 20;

/// What was found in the network namespaces of some processes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Inventory {
    /// How many processes there are.
    pub processes: usize,
    /// Devices that are promiscuous.
    pub devices: Vec<Device>,
    /// Memberships that make a device promiscuous, or may.
    pub memberships: Vec<Membership>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

impl Inventory {
    /// In the network namespaces of those in these cgroups.
    pub fn of_cgroups<'a>(tree: &Tree, paths: impl Iterator<Item = &'a str>) -> Self {
        Self::of(&Processes::of_cgroups(tree, paths))
    }

    /// In the network namespaces of all that can be seen.
    pub fn of_all() -> Self {
        Self::of(&Processes::all())
    }

    fn of(processes: &Processes) -> Self {
        let mut found = Self {
            processes: processes.count(),
            ..Self::default()
        };
        let (namespaces, hidden) = processes.namespaces();
        if let Some((count, reason)) = hidden {
            found.unseen.push(format!(
                "the network namespaces of {count} processes: {reason}; it takes \
                 CAP_SYS_PTRACE and CAP_SYS_ADMIN in the initial namespaces: \
                 run `netadmin-agent status` there as root"
            ));
        }
        for namespace in namespaces {
            let number = namespace.number;
            if let Err(error) = namespace.look(&mut found) {
                let unseen = format!("network namespace {number}: {error}");
                found.unseen.push(unseen);
            }
        }
        found
    }

    /// One line for each thing.
    pub fn lines(&self) -> Vec<String> {
        let devices = self.devices.iter().map(ToString::to_string);
        let memberships = self.memberships.iter().map(ToString::to_string);
        let mut lines: Vec<String> = devices.chain(memberships).collect();
        let more = lines.len().saturating_sub(MAX_TOLD);
        lines.truncate(MAX_TOLD);
        if more > 0 {
            lines.push(format!(
                "and {more} more; `netadmin-agent status --json` has all"
            ));
        }
        lines
    }

    /// Tells it on standard error.
    pub fn tell(&self) {
        output::complain(&format!(
            "netadmin-agent: processes that were in guarded cgroups before: {}\n",
            self.processes
        ));
        for line in self.lines() {
            output::complain(&format!(
                "netadmin-agent: warning: from before, and left as it is: {line}\n"
            ));
        }
        for unseen in &self.unseen {
            output::complain(&format!(
                "netadmin-agent: warning: cannot look for what was there before in {unseen}\n"
            ));
        }
    }
}
