//! `netadmin-agent status`: what is in force on this node, read from what is
//! pinned. It needs no agent that runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use aya::maps::{Map, MapData, PerCpuArray};
use netadmin_common::Origin;
use netadmin_common::event::EventAccount;
use serde::Serialize;

use crate::cgroups::{Earlier, Tree, mount_point};
use crate::cli::StatusOptions;
use crate::exit::Exit;
use crate::history::History;
use crate::inventory::Inventory;
use crate::kernel::pins::{self, PinnedSet};
use crate::output;
use crate::records::Record;

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
    programs: Vec<String>,
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
    let account: PerCpuArray<_, Record<EventAccount>> = map.try_into().ok()?;
    let cpus = account.get(&0, 0).ok()?;
    let cpus = cpus.iter().map(|cpu| &cpu.0);
    let sum = cpus.fold(EventAccount::default(), |sum, cpu| sum.plus(cpu));
    Some(Events {
        seen: sum.seen,
        submitted: sum.submitted,
        suppressed: sum.suppressed,
        dropped: sum.dropped,
        breaches: sum.breaches,
    })
}

impl Status {
    fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |what: &str, is: String| {
            // Writing to a string does not fail.
            let _ = writeln!(table, "{what:<14} {is}");
        };
        let running = if self.agent_running {
            "running"
        } else {
            "not running"
        };
        row("agent", running.to_owned());
        let Some(set) = &self.set else {
            row("enforcement", "nothing is pinned".to_owned());
            return table;
        };
        let set_is = format!(
            "in force, generation {}, layout {}",
            set.generation, set.layout
        );
        row("enforcement", set_is);
        row("programs", set.programs.join(", "));
        row(
            "value program",
            format!("on {} cgroups", set.value_program_on),
        );
        let use_of = |limit: &Use| format!("{} of {}", limit.used, limit.most);
        row("policies", use_of(&set.limits.policies));
        row("cgroups", use_of(&set.limits.cgroups));
        if let Some(events) = &set.events {
            let told = format!("{} seen, {} dropped", events.seen, events.dropped);
            row("events", told);
            row("breaches", events.breaches.to_string());
        }
        if let Some(agent) = &set.agent {
            let version = format!("{}, in force since {}", agent.version, agent.since);
            row("version", version);
            row("policy from", agent.policy.clone());
            let reloads = &agent.reloads;
            let counts = format!("{} applied, {} refused", reloads.applied, reloads.refused);
            row("reloads", counts);
            if let Some(refusal) = &reloads.last_refused {
                let last = format!("{}: {}", refusal.time, refusal.error);
                row("last refused", last);
            }
        }
        row("processes", set.inventory.processes.to_string());
        for line in set.inventory.lines() {
            row("found", line);
        }
        for unseen in &set.inventory.unseen {
            row("not seen", unseen.clone());
        }
        for (name, cgroups) in &set.policies {
            row("policy", format!("{name}: {cgroups} cgroups"));
        }
        for cgroup in &set.cgroups {
            let policy = cgroup.policy.as_deref().unwrap_or("(none)");
            let path = cgroup.path.as_deref().unwrap_or("(gone)");
            row("cgroup", format!("{path} {policy} ({})", cgroup.why));
        }
        table
    }
}
