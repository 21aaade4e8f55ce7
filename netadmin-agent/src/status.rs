//! `netadmin-agent status`: what is in force on this node, read from what is
//! pinned. It needs no agent that runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use aya::maps::{Map, MapData};
use netadmin_common::Origin;
use serde::Serialize;

use crate::cgroups::{Earlier, Tree, mount_point};
use crate::cli::StatusOptions;
use crate::exit::Exit;
use crate::history::History;
use crate::inventory::Inventory;
use crate::kernel::OPTIONAL;
use crate::kernel::pins::{self, PinnedSet};
use crate::output;
use crate::records;

/// What is in force.
#[derive(Debug, Serialize)]
struct Status {
    /// Whether anything is.
    enforced: bool,
    /// Whether an agent runs (also an `--ephemeral` one, of which nothing else
    /// can be told).
    agent_running: bool,
    /// The set of programs in force.
    set: Option<Set>,
}

#[derive(Debug, Serialize)]
struct Set {
    generation: u32,
    layout: u32,
    kernel: String,
    programs: Vec<String>,
    /// Programs that are not attached, because this kernel lacks their hook.
    absent: Vec<&'static str>,
    policies: BTreeMap<String, u32>,
    cgroups: Vec<Cgroup>,
    value_program_on: usize,
    limits: Limits,
    events: Option<Events>,
    /// What its agent has done, or had.
    agent: Option<History>,
    /// What there is in guarded cgroups that the policies do not undo.
    inventory: Inventory,
}

#[derive(Debug, Serialize)]
struct Cgroup {
    id: u64,
    path: Option<String>,
    policy: Option<String>,
    /// `matched`, `creator`, `ancestor` or `unknown`.
    why: &'static str,
}

#[derive(Debug, Serialize)]
struct Limits {
    cgroups: Use,
    policies: Use,
}

#[derive(Debug, Serialize)]
struct Use {
    used: u32,
    most: u32,
}

#[derive(Debug, Serialize)]
struct Events {
    seen: u64,
    submitted: u64,
    suppressed: u64,
    dropped: u64,
    breaches: u64,
}

/// Prints what is in force. Exits with 1 if nothing is.
pub fn status(options: &StatusOptions) -> anyhow::Result<Exit> {
    if options.ready {
        return ready();
    }
    let set = pins::in_force().map(|set| Set::read(&set)).transpose()?;
    let status = Status {
        enforced: set.is_some(),
        agent_running: pins::is_locked(),
        set,
    };
    if options.json {
        output::print(&(serde_json::to_string(&status)? + "\n"))?;
    } else {
        output::print(&status.table())?;
    }
    Ok(if status.enforced {
        Exit::Success
    } else {
        Exit::Negative
    })
}

/// While an agent starts, its set is the newest, but not yet complete; what is in
/// force then is an earlier agent's.
fn ready() -> anyhow::Result<Exit> {
    let newest = pins::sets().pop();
    let (answer, exit) = match newest {
        Some(set) if set.is_complete() && pins::is_locked() => ("ready", Exit::Success),
        Some(set) if set.is_complete() => ("in force, but no agent runs", Exit::Negative),
        Some(_) => ("an agent is starting, or has failed to", Exit::Negative),
        None => ("nothing is in force", Exit::Negative),
    };
    output::print(&format!("{answer}\n"))?;
    Ok(exit)
}

impl Set {
    fn read(set: &PinnedSet) -> anyhow::Result<Self> {
        let guards = Earlier::open(set)?;
        let tree = Tree::open(mount_point()?)?;
        let mut cgroups: Vec<Cgroup> = guards
            .cgroups()
            .into_iter()
            .filter_map(|id| Cgroup::read(id, &guards, &tree))
            .collect();
        cgroups.sort_by(|one, other| one.path.cmp(&other.path));
        let mut policies: BTreeMap<String, u32> = guards
            .in_force()
            .into_iter()
            .map(|name| (name, 0))
            .collect();
        for name in cgroups.iter().filter_map(|cgroup| cgroup.policy.as_ref()) {
            *policies.entry(name.clone()).or_default() += 1;
        }
        let limits = Limits {
            cgroups: Use {
                used: u32::try_from(cgroups.len())?,
                most: guards.most_cgroups(),
            },
            policies: Use {
                used: u32::try_from(policies.len())?,
                most: guards.most_policies(),
            },
        };
        let paths = cgroups.iter().filter_map(|cgroup| cgroup.path.as_deref());
        Ok(Self {
            generation: set.generation,
            layout: set.layout,
            kernel: nix::sys::utsname::uname()?
                .release()
                .to_string_lossy()
                .into_owned(),
            absent: absent(set),
            programs: set.links(),
            policies,
            value_program_on: pins::value_links().len(),
            limits,
            agent: History::of_set(set),
            inventory: Inventory::of_cgroups(&tree, paths),
            cgroups,
            events: set
                .has_our_layout()
                .then(|| events(&set.entry("ACCOUNT")))
                .flatten(),
        })
    }
}

/// What a kernel may lack, and this one does.
fn absent(set: &PinnedSet) -> Vec<&'static str> {
    let is_absent = |program: &&'static str| !set.link(program).exists();
    OPTIONAL.iter().copied().filter(is_absent).collect()
}

impl Cgroup {
    fn read(id: u64, guards: &Earlier, tree: &Tree) -> Option<Self> {
        let (record, policy) = guards.guard(id)?;
        let path = tree.path(id).ok();
        let why = match Origin::from_number(record.origin) {
            Some(Origin::Matched) => "matched",
            Some(Origin::Creator) => "creator",
            Some(Origin::Ancestor) => "ancestor",
            None => "unknown",
        };
        Some(Self {
            id,
            path: path.map(|path| path.to_string_lossy().into_owned()),
            policy: guards.name(policy),
            why,
        })
    }
}

fn events(path: &Path) -> Option<Events> {
    let map = MapData::from_pin(path).and_then(Map::from_map_data).ok()?;
    let sum = records::sum(&map.try_into().ok()?).ok()?;
    Some(Events {
        seen: sum.seen,
        submitted: sum.submitted,
        suppressed: sum.suppressed,
        dropped: sum.dropped,
        breaches: sum.breaches,
    })
}

/// A table for people.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, what: &str, is: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{what:<14} {is}");
    }
}

impl Status {
    fn table(&self) -> String {
        let mut table = Table::default();
        let running = if self.agent_running {
            "running"
        } else {
            "not running"
        };
        table.row("agent", running);
        match &self.set {
            None => table.row("enforcement", "nothing is pinned"),
            Some(set) => {
                set.tell_programs(&mut table);
                set.tell_use(&mut table);
                set.tell_agent(&mut table);
                set.tell_inventory(&mut table);
                set.tell_cgroups(&mut table);
            }
        }
        table.0
    }
}

impl Set {
    fn tell_programs(&self, table: &mut Table) {
        let (generation, layout) = (self.generation, self.layout);
        let set = format!("in force, generation {generation}, layout {layout}");
        table.row("enforcement", set);
        table.row("kernel", &self.kernel);
        table.row("programs", self.programs.join(", "));
        if !self.absent.is_empty() {
            let absent = self.absent.join(", ");
            let covered = format!("{absent}: this kernel has no such hook; another covers it");
            table.row("not attached", covered);
        }
        let value_program = format!("on {} cgroups", self.value_program_on);
        table.row("value program", value_program);
    }

    fn tell_use(&self, table: &mut Table) {
        let use_of = |limit: &Use| format!("{} of {}", limit.used, limit.most);
        table.row("policies", use_of(&self.limits.policies));
        table.row("cgroups", use_of(&self.limits.cgroups));
        if let Some(events) = &self.events {
            let told = format!("{} seen, {} dropped", events.seen, events.dropped);
            table.row("events", told);
            table.row("breaches", events.breaches);
        }
    }

    fn tell_agent(&self, table: &mut Table) {
        let Some(agent) = &self.agent else { return };
        let version = format!("{}, in force since {}", agent.version, agent.since);
        table.row("version", version);
        table.row("policy from", &agent.policy);
        if agent.unentered > 0 {
            let refused = "without room: refused what any policy refuses (--max-cgroups)";
            table.row(
                "unentered",
                format!("{} cgroups {refused}", agent.unentered),
            );
        }
        if agent.ethtool_as_one {
            let told = "its sub-commands are not told apart on this kernel: all or none";
            table.row("ioctl.ethtool.*", told);
        }
        let reloads = &agent.reloads;
        let counts = format!("{} applied, {} refused", reloads.applied, reloads.refused);
        table.row("reloads", counts);
        if let Some(refusal) = &reloads.last_refused {
            let last = format!("{}: {}", refusal.time, refusal.error);
            table.row("last refused", last);
        }
    }

    fn tell_inventory(&self, table: &mut Table) {
        table.row("processes", self.inventory.processes);
        for line in self.inventory.lines() {
            table.row("found", line);
        }
        for unseen in &self.inventory.unseen {
            table.row("not seen", unseen);
        }
    }

    fn tell_cgroups(&self, table: &mut Table) {
        for (name, cgroups) in &self.policies {
            table.row("policy", format!("{name}: {cgroups} cgroups"));
        }
        for cgroup in &self.cgroups {
            let policy = cgroup.policy.as_deref().unwrap_or("(none)");
            let path = cgroup.path.as_deref().unwrap_or("(gone)");
            table.row("cgroup", format!("{path} {policy} ({})", cgroup.why));
        }
    }
}
