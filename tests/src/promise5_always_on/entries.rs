//! What programs read of the map of guarded cgroups while it is being written.
//! The moments are too short to be met by chance, so the map is put into the state
//! that they leave.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, HashMap, Map, MapData};
use netadmin_common::guard::{Assigned, BANKS, bank_of};
use netadmin_common::{GuardEntry, GuardRecord, Origin};
use nix::sys::signal::Signal;

use crate::rig::{Cgroup, Container, PINS, Standing, Trials, Way, errno_of, loaded_map, poll, run};

const SOON: Duration = Duration::from_secs(60);
const CHILD: &str = "/netadmin-test/guarded/lenient";
const POLICIES: &str = r#"version = 1
[[policy]]
name = "strict"
match.cgroups = ["/netadmin-test/guarded"]
[policy.setsockopt]
SO_MARK = "deny"
[[policy]]
name = "lenient"
match.cgroups = ["/netadmin-test/guarded/lenient"]
[policy.setsockopt]
SO_DEBUG = "deny"
"#;
/// The place of `strict` in its bank.
const STRICT: u32 = 0;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "an_entry_that_has_become_another_cgroups_is_not_believed",
        || with_entry(|entries| entries.reused()),
    );
    trials.alone(
        "what_a_reload_has_not_decided_yet_stays_under_the_policy_before",
        || with_entry(Entries::undecided),
    );
    trials.alone(
        "an_entry_that_is_missed_while_it_is_written_anew_counts",
        || with_entry(|entries| entries.missed()),
    );
}

/// The child's entry, the map that it is in, and the agent.
struct Entries {
    standing: Standing,
    guards: HashMap<MapData, u64, [u64; BANKS + 1]>,
    id: u64,
}

fn with_entry(test: impl FnOnce(&mut Entries) -> Result<()>) -> Result<()> {
    let standing = Standing::start(POLICIES)?;
    let child = Cgroup::make(CHILD)?;
    let map = Map::from_map_data(MapData::from_pin(set()?.join("GUARDS"))?)?;
    let mut entries = Entries {
        standing,
        guards: HashMap::try_from(map)?,
        id: fs::metadata(child.directory())?.ino(),
    };
    test(&mut entries)?;
    entries.standing.unload()
}

/// The directory of the only set.
fn set() -> Result<PathBuf> {
    let mut sets = fs::read_dir(PINS)?
        .flatten()
        .map(|entry| entry.path().join("complete"));
    let complete = sets.find(|mark| mark.exists()).context("no set")?;
    complete.parent().map(Path::to_owned).context("no set")
}

impl Entries {
    fn record(&self) -> Result<GuardRecord> {
        let [first, second, _] = self.guards.get(&self.id, 0)?;
        GuardEntry::record(self.id, [first, second]).context("another cgroup's")
    }

    /// Writes an entry that says that it is `owner`'s.
    fn write(&mut self, owner: u64, record: &GuardRecord) -> Result<()> {
        let entry = GuardEntry::new(owner, record);
        let words = [entry.banks[0], entry.banks[1], entry.cgroup];
        Ok(self.guards.insert(self.id, words, 0)?)
    }

    /// The kernel has given the memory of the entry to another one (`bpf_mem_alloc`),
    /// and the program that looked it up finds that one's policy.
    fn reused(&mut self) -> Result<()> {
        let record = self.record()?;
        ensure!(mark()? == 0, "the child's own policy refuses");
        self.write(self.id + 1, &record)?;
        let errno = mark()?;
        ensure!(errno == libc::EPERM, "another's entry is believed: {errno}");
        self.write(self.id, &record)?;
        ensure!(mark()? == 0, "its own entry is not believed");
        Ok(())
    }

    /// As one that was born while policies changed, and of which nothing was told.
    fn undecided(&mut self) -> Result<()> {
        let mut record = self.record()?;
        let spare = (bank_of(self.epoch()?) + 1) % BANKS;
        record.policies = [Assigned::NONE; BANKS];
        // An index of any bank names its policy.
        record.policies[spare].policy = STRICT;
        record.origin = Origin::Creator as u32;
        self.write(self.id, &record)?;
        ensure!(mark()? == libc::EPERM, "it has lost the policy before");
        ensure!(why()? == "creator", "{}", why()?);
        self.write(
            self.id,
            &GuardRecord {
                origin: 0,
                ..record
            },
        )?;
        ensure!(why()? == "unknown", "{}", why()?);
        self.write(self.id, &record)?;
        for round in 0..2 {
            let text = format!("{POLICIES}# {round}\n");
            self.standing.write_policy(&text)?;
            let before = self.epoch()?;
            self.standing.agent()?.signal(Signal::SIGHUP)?;
            let turned = poll(SOON, || {
                self.epoch().is_ok_and(|now| now != before).then_some(())
            });
            turned.context("no other epoch comes into force")?;
            let epoch = self.epoch()?;
            ensure!(self.record()?.is_decided(epoch), "{epoch} is not decided");
            ensure!(mark()? == libc::EPERM, "it has lost its policy");
        }
        Ok(())
    }

    /// A lookup that finds neither the old entry nor the new one is no word that there is
    /// none. (`htab_map_update_elem`, `lookup_nulls_elem_raw`.)
    fn missed(&mut self) -> Result<()> {
        let record = self.record()?;
        let mut rewrites: Array<MapData, u32> = Array::try_from(loaded_map(".data.rewrites")?)?;
        self.halt_at_rest(&rewrites)?;
        self.guards.remove(&self.id)?;
        ensure!(
            mark()? == 0,
            "without an entry, and no word of a write, it is free"
        );
        rewrites.set(0, 1, 0)?;
        let errno = mark()?;
        ensure!(
            errno == libc::EPERM,
            "it is taken for unguarded: errno {errno}"
        );
        let free = Container::unguarded()?;
        ensure!(free.attempt(|| Way::Mark.attempt())?.is_ok());
        self.write(self.id, &record)?;
        rewrites.set(0, 0, 0)?;
        ensure!(mark()? == 0, "its own policy refuses");
        self.standing.agent()?.signal(Signal::SIGCONT)
    }

    /// Stops the agent while it writes nothing: what it does later on (the news of the
    /// child's birth may still be under way) would undo what the test does.
    fn halt_at_rest(&mut self, rewrites: &Array<MapData, u32>) -> Result<()> {
        let halted = poll(SOON, || {
            let agent = self.standing.agent().ok()?;
            agent.signal(Signal::SIGSTOP).ok()?;
            poll(SOON, || is_stopped(agent.pid()).then_some(()))?;
            if rewrites.get(&0, 0).ok()? == 0 {
                return Some(());
            }
            agent.signal(Signal::SIGCONT).ok()?;
            None
        });
        halted.context("the agent does not come to rest")
    }

    fn epoch(&self) -> Result<u16> {
        let map = Map::from_map_data(MapData::from_pin(set()?.join("BANK"))?)?;
        let words: Array<MapData, u32> = Array::try_from(map)?;
        Ok(u16::try_from(words.get(&0, 0)?)?)
    }
}

/// Whether a process is stopped, by its state (proc_pid_stat(5)).
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| stat.contains(") T "))
}

/// Why the child is guarded, as `status` has it.
fn why() -> Result<String> {
    let (_, said) = run(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(said.trim())?;
    let mut cgroups = status["set"]["cgroups"].as_array().into_iter().flatten();
    let child = cgroups.find(|cgroup| cgroup["path"] == CHILD);
    let child = child.with_context(|| format!("no {CHILD} in {said}"))?;
    Ok(child["why"].as_str().unwrap_or_default().to_owned())
}

/// What `SO_MARK` comes to in the child.
fn mark() -> Result<i32> {
    let container = Container::within(&Cgroup::make(CHILD)?)?;
    Ok(errno_of(&container.attempt(|| Way::Mark.attempt())?))
}
