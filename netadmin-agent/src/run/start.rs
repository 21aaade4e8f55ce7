//! Coming into force: alone, or by taking over from an agent before.

use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use aya::maps::{Map, MapData, RingBuf};
use netadmin_common::guard::{FIRST_EPOCH, bank_of};

use super::agent::Agent;
use super::cannot_enforce;
use super::publish::{publish, publish_globs, publish_watched, turn};
use super::teller::Former;
use super::wake::register;
use super::watch::PolicyWatch;
use crate::cgroups::{Book, Earlier, Entries, Guards, Tree, mount_point, pinned_names};
use crate::cli::RunOptions;
use crate::events::Sink;
use crate::exit::CannotEnforce;
use crate::kernel::pins::{self, PinError, PinnedSet, Pins};
use crate::kernel::{LoadOptions, Programs, program_log};
use crate::output;
use crate::policy::PolicySet;

/// How long a call may take from one of two sets of programs to the other: after
/// that the older is gone for every call.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// Comes into force. Until it has, what was in force before stays.
pub fn start(policies: PolicySet, sink: Sink, options: &RunOptions) -> anyhow::Result<Agent> {
    let lock = lock(options.ephemeral)?;
    let pins = lock.clone().filter(|_| !options.ephemeral);
    let before = Before::look(pins.as_deref());
    let mut undo = Undo::new(pins.clone(), &before);
    let known = before.in_force.as_ref().map(Earlier::open).transpose()?;
    let former = former(pins.as_deref(), before.in_force.as_ref())?;

    let mut programs = Programs::load(&LoadOptions {
        log: options.log_programs,
        limits: options.limits(),
        pins,
        earlier: before.in_force.as_ref(),
    })
    .map_err(cannot_enforce)?;
    undo.set = programs.set().cloned();
    if options.log_programs {
        program_log::start(programs.ebpf_mut())?;
    }
    programs.overlap()?.set(0, u32::from(before.any()), 0)?;
    publish(&policies, bank_of(FIRST_EPOCH), &mut programs)?;
    publish_globs(&policies, FIRST_EPOCH, &mut programs)?;
    turn(FIRST_EPOCH, &mut programs)?;
    publish_watched(&[&policies], &mut programs)?;

    programs.load_value_program().map_err(cannot_enforce)?;
    programs.watch_cgroups().map_err(cannot_enforce)?;
    let limits = programs.limits();
    let book = Book::new(policies, limits.policies);
    let tree = Tree::open(mount_point()?)?;
    let entries = entries(&mut programs)?;
    let unentered = programs.take_unentered()?;
    let mut guards = Guards::new(tree, entries, unentered, book);
    if let Some(known) = known {
        guards.take_over_from(known, &programs);
    }
    guards.scan(&mut programs)?;
    programs.enforce().map_err(cannot_enforce)?;
    programs.verify().map_err(cannot_enforce)?;
    // Before ours alone answers anywhere: on sysctls, and on values.
    guards.agree_with_earlier(&mut programs)?;
    programs.watch_sysctls(&mount_point()?)?;
    // From here on the earlier value programs are replaced one by one: whatever
    // fails now, both sets stay.
    undo.is_due = false;
    guards.take_over_value_links(&mut programs)?;
    guards.let_go_of_earlier(&mut programs)?;
    if let Some(set) = programs.set() {
        set.complete()?;
    }
    if before.any() {
        before.remove()?;
        sleep(UNDER_WAY);
        programs.overlap()?.set(0, 0, 0)?;
    }

    guards.rest(&programs)?;
    programs.forget_types();
    let events = register(programs.take_events()?)?;
    let cgroup_events = register(programs.take_cgroup_events()?)?;
    let mut agent = Agent::new(programs, guards, events, Some(cgroup_events), sink)?;
    agent.keep(lock, former, PolicyWatch::new(&options.policy));
    Ok(agent)
}

/// Watches for rises, and refuses nothing.
pub fn start_witness(sink: Sink) -> anyhow::Result<Agent> {
    let mut programs = Programs::load(&LoadOptions::default()).map_err(cannot_enforce)?;
    programs.witness().map_err(cannot_enforce)?;
    let events = register(programs.take_events()?)?;
    let tree = Tree::open(mount_point()?)?;
    let limits = programs.limits();
    let book = Book::new(PolicySet::default(), limits.policies);
    let entries = entries(&mut programs)?;
    let guards = Guards::new(tree, entries, programs.take_unentered()?, book);
    Agent::new(programs, guards, events, None, sink)
}

fn entries(programs: &mut Programs) -> anyhow::Result<Entries> {
    let limit = programs.limits().cgroups;
    let (rewrites, room) = (programs.take_rewrites()?, programs.take_room()?);
    let (map, entered) = (programs.take_guards()?, programs.take_entered()?);
    Ok(Entries::new(map, entered, rewrites, room, limit))
}

fn lock(ephemeral: bool) -> anyhow::Result<Option<Rc<Pins>>> {
    let lock = if ephemeral {
        Pins::lock_if_there()
    } else {
        Pins::lock().map(Some)
    };
    match lock {
        Ok(pins) => Ok(pins.map(Rc::new)),
        Err(error @ PinError::NoBpffs) => Err(CannotEnforce(error.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}

/// What earlier agents have left in force.
struct Before {
    in_force: Option<PinnedSet>,
    sets: Vec<PinnedSet>,
    value_links: Vec<u64>,
}

impl Before {
    fn look(pins: Option<&Pins>) -> Self {
        match pins {
            None => Self {
                in_force: None,
                sets: Vec::new(),
                value_links: Vec::new(),
            },
            Some(pins) => Self {
                in_force: pins::in_force(),
                sets: pins::sets(),
                value_links: pins.value_links(),
            },
        }
    }

    fn any(&self) -> bool {
        !self.sets.is_empty()
    }

    /// Drops it all, once ours is in force.
    fn remove(&self) -> anyhow::Result<()> {
        for set in &self.sets {
            tell_undelivered(set);
            set.remove()?;
        }
        Ok(())
    }
}

/// Events of another layout cannot be read, but counted.
fn tell_undelivered(set: &PinnedSet) {
    if set.has_our_layout() {
        return;
    }
    let buffer = MapData::from_pin(set.entry("EVENTS"))
        .and_then(Map::from_map_data)
        .and_then(RingBuf::try_from);
    let mut count = 0;
    if let Ok(mut buffer) = buffer {
        while buffer.next().is_some() {
            count += 1;
        }
    }
    if count > 0 {
        output::complain(&format!(
            "netadmin-agent: error: {count} events of an earlier version (layout {}) \
             were not delivered, and this version cannot read them\n",
            set.layout
        ));
    }
}

/// Takes back what was pinned, if the start fails: what was in force before then
/// stays alone.
struct Undo {
    is_due: bool,
    pins: Option<Rc<Pins>>,
    set: Option<PinnedSet>,
    value_links: Vec<u64>,
}

impl Undo {
    fn new(pins: Option<Rc<Pins>>, before: &Before) -> Self {
        Self {
            is_due: true,
            pins,
            set: None,
            value_links: before.value_links.clone(),
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        let (true, Some(pins)) = (self.is_due, &self.pins) else {
            return;
        };
        // What cannot be removed now, the next agent removes.
        if let Some(set) = &self.set {
            let _ = set.remove();
        }
        let is_new = |id: &u64| !self.value_links.contains(id);
        for id in pins.value_links().into_iter().filter(is_new) {
            let _ = std::fs::remove_file(pins.value_link(id));
        }
    }
}

/// The names that earlier sets have for their policies.
fn former(pins: Option<&Pins>, in_force: Option<&PinnedSet>) -> anyhow::Result<Former> {
    let Some(pins) = pins else {
        return Ok(Former::default());
    };
    if let Some(set) = in_force {
        pins.remember_names(set)?;
    }
    let remembered = pins.remembered_names().into_iter();
    let named = |(generation, path): (u32, std::path::PathBuf)| {
        // Names that cannot be read are missing in old events, no more.
        pinned_names(&path).ok().map(|names| (generation, names))
    };
    Ok(remembered.filter_map(named).collect())
}
