//! The loop of an agent that is in force.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aya::maps::{Array, MapData};
use netadmin_common::event::EventAccount;
use netadmin_common::{EventKind, EventRecord};

use super::teller::{Former, Teller};
use super::wake::{Buffer, Signals, Wake, readable, until};
use super::watch::{PolicyWatch, SETTLE};
use crate::cgroups::{GuardError, Guards};
use crate::events::{Clock, Sink, decode};
use crate::exit::Exit;
use crate::history::History;
use crate::kernel::Programs;
use crate::kernel::pins::Pins;
use crate::metrics::{Endpoint, Snapshot};
use crate::notify::Manager;
use crate::output;
use crate::policy::Kept;
use crate::policy::sources::Sources;
use crate::records::{self, Account};

/// How often there is time for what can wait, while something does.
const TICK: Duration = Duration::from_secs(5);
/// How often else: for a policy file behind links that no notice tells of.
const LONG_TICK: Duration = Duration::from_secs(30);

/// More records than a buffer holds. What is there after so many has come meanwhile:
/// under a flood there is no end, and signals, reloads and the watchdog must have
/// their turn.
const AT_ONCE: usize = 8192;

/// An agent that is in force, or a witness.
pub struct Agent {
    pub(super) programs: Programs,
    pub(super) guards: Guards,
    events: Buffer,
    cgroup_events: Option<Buffer>,
    teller: Teller,
    account: Account,
    dropped: u64,
    behind: bool,
    behind_on_births: bool,
    lost: Array<MapData, u64>,
    lost_so_far: u64,
    breaches: u64,
    next_tick: Instant,
    settled: Option<Instant>,
    manager: Manager,
    pub(super) kept: Option<Kept>,
    pub(super) watch: Option<PolicyWatch>,
    pub(super) history: History,
    endpoint: Option<Endpoint>,
    _lock: Option<Rc<Pins>>,
}

impl Agent {
    /// An agent whose programs are attached.
    pub fn new(
        mut programs: Programs,
        guards: Guards,
        events: Buffer,
        cgroup_events: Option<Buffer>,
        sink: Sink,
    ) -> anyhow::Result<Self> {
        let account = programs.take_account()?;
        let teller = Teller::new(sink, &programs);
        let lost = programs.take_lost()?;
        Ok(Self {
            programs,
            guards,
            events,
            cgroup_events,
            teller,
            account,
            dropped: 0,
            behind: false,
            behind_on_births: false,
            lost,
            lost_so_far: 0,
            breaches: 0,
            next_tick: Instant::now() + LONG_TICK,
            settled: None,
            manager: Manager::of_this_process(),
            kept: None,
            watch: None,
            history: History::default(),
            endpoint: None,
            _lock: None,
        })
    }

    /// Keeps what an agent has and a witness has not.
    pub fn keep(&mut self, lock: Option<Rc<Pins>>, former: Former, watch: PolicyWatch) {
        self._lock = lock;
        self.teller.remember(former);
        self.history = History::new(watch.path().display().to_string());
        self.history.ethtool_as_one = self.programs.takes_ethtool_as_one();
        self.watch = Some(watch);
        self.next_tick = Instant::now() + self.until_tick();
        self.leave_history();
    }

    /// Leaves what it has done for `status` to read.
    pub(super) fn leave_history(&mut self) {
        let left = self.programs.history().map_err(anyhow::Error::from);
        let left = left.and_then(|mut map| Ok(self.history.write(&mut map)?));
        if let Err(error) = left {
            output::complain(&format!(
                "netadmin-agent: error: cannot tell `status` what was done: {error}\n"
            ));
        }
    }

    /// Answers who asks for the metrics.
    pub fn serve_metrics(&mut self, endpoint: Option<Endpoint>) {
        self.endpoint = endpoint;
    }

    /// Says that it is in force.
    pub fn announce(&self) {
        for name in self.guards.idle_policies() {
            output::complain(&format!(
                "netadmin-agent: warning: policy `{name}` matches no cgroup yet; \
                 it applies to cgroups that appear later\n"
            ));
        }
        let status = format!(
            "in force: policies: {}, guarded cgroups: {}",
            self.guards.book().policies().policies.len(),
            self.guards.count(),
        );
        output::complain(&format!("netadmin-agent: {status}\n"));
        self.manager.ready(&status);
    }

    /// Tells what was in guarded cgroups before: it stays as it is.
    pub fn tell_what_was_there(&mut self) -> anyhow::Result<()> {
        let inventory = self.guards.inventory();
        inventory.tell();
        let clock = Clock::now().context("cannot read the clocks")?;
        self.teller.tell_found(&inventory, &clock);
        Ok(())
    }

    /// Keeps the policy in force for the next boot, here and after each reload.
    pub fn keep_policy(&mut self, kept: Kept, source: &Sources) {
        if let Err(error) = kept.save(source) {
            output::complain(&format!(
                "netadmin-agent: error: cannot keep the policy for the next boot: {error}\n"
            ));
        }
        self.kept = Some(kept);
    }

    /// Follows what happens until it is told to stop.
    pub async fn serve(&mut self, signals: &mut Signals) -> anyhow::Result<Exit> {
        loop {
            self.rest();
            let wake = self.wait(signals).await?;
            let open = self.drain_cgroup_events()? & self.drain_events()?;
            self.look_again();
            self.tell_losses();
            self.make_up_for_lost_births();
            self.enter_the_rest();
            self.manager.alive();
            match wake {
                _ if !open => return self.stop(),
                Wake::Work => {}
                // Times that are kept across wakes: under a flood of events there is
                // one all the time.
                Wake::Tick => {
                    self.tidy();
                    self.next_tick = Instant::now() + self.until_tick();
                }
                Wake::Noticed => self.settled = Some(Instant::now() + SETTLE),
                Wake::Policy => {
                    self.settled = None;
                    self.reload_if_changed();
                }
                // Who asked may be gone.
                Wake::Asked(reply) => drop(reply.send(self.metrics())),
                Wake::Hangup => self.hang_up(),
                Wake::Stop => return self.stop(),
            }
        }
    }

    /// What is rare comes first, so that no flood of events keeps it waiting.
    async fn wait(&mut self, signals: &mut Signals) -> anyhow::Result<Wake> {
        let behind = self.behind || self.behind_on_births;
        tokio::select! {
            biased;
            _ = signals.terminate.recv() => Ok(Wake::Stop),
            _ = signals.interrupt.recv() => Ok(Wake::Stop),
            _ = signals.hangup.recv() => Ok(Wake::Hangup),
            () = until(self.settled) => Ok(Wake::Policy),
            () = until(Some(self.next_tick)) => Ok(Wake::Tick),
            () = PolicyWatch::noticed(self.watch.as_ref()) => Ok(Wake::Noticed),
            reply = Endpoint::asked(self.endpoint.as_mut()) => Ok(Wake::Asked(reply)),
            () = readable(self.cgroup_events.as_ref()) => Ok(Wake::Work),
            () = self.guards.is_waiting_for_births() => Ok(Wake::Work),
            () = self.manager.is_waiting() => Ok(Wake::Work),
            () = std::future::ready(()), if behind => Ok(Wake::Work),
            ready = self.events.readable() => {
                ready.context("cannot wait for events")?.clear_ready();
                Ok(Wake::Work)
            }
        }
    }

    /// Writes what is there, but not what comes meanwhile without end. False when
    /// nobody reads any more.
    pub(super) fn drain_events(&mut self) -> anyhow::Result<bool> {
        let clock = Clock::now().context("cannot read the clocks")?;
        let Self {
            events,
            teller,
            guards,
            ..
        } = self;
        self.behind = true;
        for _ in 0..AT_ONCE {
            let Some(item) = events.get_mut().next() else {
                self.behind = false;
                break;
            };
            // Written before it is given up, so that none is lost with the agent.
            match decode(&item) {
                Ok((kind, record)) => {
                    if !teller.tell(kind, &record, guards, &clock) {
                        return Ok(false);
                    }
                }
                Err(error) => output::complain(&format!("netadmin-agent: error: {error}\n")),
            }
        }
        Ok(true)
    }

    fn drain_cgroup_events(&mut self) -> anyhow::Result<bool> {
        self.follow_cgroups(Guards::made)
    }

    /// Births, deaths and breaches; what is to be done at a birth depends on
    /// whether policies are about to change. False when nobody reads events any
    /// more.
    pub(super) fn follow_cgroups(
        &mut self,
        made: fn(&mut Guards, u64, &mut Programs) -> Result<(), GuardError>,
    ) -> anyhow::Result<bool> {
        let Some(buffer) = &mut self.cgroup_events else {
            return Ok(true);
        };
        let clock = Clock::now().context("cannot read the clocks")?;
        let mut open = true;
        let mut records = Vec::new();
        self.behind_on_births = true;
        for _ in 0..AT_ONCE {
            let Some(item) = buffer.get_mut().next() else {
                self.behind_on_births = false;
                break;
            };
            records.extend(decode(&item));
        }
        for (kind, record) in records {
            if kind == EventKind::Breach {
                open &= self.teller.tell(kind, &record, &self.guards, &clock);
            } else if let Err(error) = self.follow(kind, &record, made) {
                output::complain(&format!("netadmin-agent: error: {error}\n"));
            }
        }
        Ok(open)
    }

    /// What has been written is written.
    fn rest(&mut self) {
        if let Err(error) = self.guards.rest(&self.programs) {
            output::complain(&format!("netadmin-agent: error: {error}\n"));
        }
    }

    /// For cgroups that were announced before they could be found.
    fn look_again(&mut self) {
        if let Err(error) = self.guards.look_again(&mut self.programs) {
            output::complain(&format!("netadmin-agent: error: {error}\n"));
        }
    }

    fn follow(
        &mut self,
        kind: EventKind,
        record: &EventRecord,
        made: fn(&mut Guards, u64, &mut Programs) -> Result<(), GuardError>,
    ) -> Result<(), GuardError> {
        match kind {
            EventKind::CgroupMade => {
                self.look_at_failure(record);
                made(&mut self.guards, record.cgroup, &mut self.programs)
            }
            EventKind::CgroupGone => {
                self.guards.gone(record.cgroup);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn look_at_failure(&mut self, record: &EventRecord) {
        if record.errno == 0 {
            return;
        }
        let is_ours = record.generation == self.programs.generation();
        let then = if is_ours && record.value != 0 {
            self.guards.not_entered(record);
            "until there is room, it and new cgroups near it that have no entry are refused \
             what any policy refuses"
        } else {
            "it is under the nearest guarded cgroup above"
        };
        output::complain(&format!(
            "netadmin-agent: error: the programs could not guard new cgroup {} (errno {}); \
             at most {} cgroups can be guarded at a time (--max-cgroups): {then}\n",
            record.cgroup,
            record.errno,
            self.programs.limits().cgroups,
        ));
    }

    /// For those that there was no room for.
    fn enter_the_rest(&mut self) {
        if let Err(error) = self.guards.enter_the_rest(&mut self.programs) {
            output::complain(&format!("netadmin-agent: error: {error}\n"));
        }
        let unentered = self.guards.unentered();
        if unentered == self.history.unentered {
            return;
        }
        self.history.unentered = unentered;
        self.leave_history();
        if unentered == 0 {
            output::complain("netadmin-agent: every guarded cgroup has found room\n");
        } else {
            self.tick_soon();
        }
    }

    /// Says how many breaches there were, and when the buffer was full and refusals
    /// went unreported; they were refused all the same.
    fn tell_losses(&mut self) {
        let EventAccount {
            breaches, dropped, ..
        } = self.account();
        if breaches > self.breaches {
            self.breaches = breaches;
            output::complain(&format!(
                "netadmin-agent: {breaches} breaches since the start\n"
            ));
        }
        if dropped > self.dropped {
            self.dropped = dropped;
            output::complain(&format!(
                "netadmin-agent: error: {dropped} events were lost since the start, \
                 because they came faster than they could be written\n"
            ));
        }
    }

    /// The sum over all processors.
    fn account(&self) -> EventAccount {
        records::sum(&self.account).unwrap_or_default()
    }

    fn metrics(&self) -> String {
        self.teller.metrics().text(&Snapshot {
            account: self.account(),
            reloads: &self.history.reloads,
            lines_lost: self.teller.lost(),
            policies: self.guards.book().policies().policies.len(),
            cgroups: self.guards.count(),
            unentered: self.guards.unentered(),
            limits: self.programs.limits(),
        })
    }

    /// Goes through the whole tree when births or deaths of cgroups found no room in
    /// the buffer. (The programs have guarded the new ones all the same.)
    fn make_up_for_lost_births(&mut self) {
        let lost = self.lost.get(&0, 0).unwrap_or_default();
        if lost == self.lost_so_far {
            return;
        }
        output::complain(&format!(
            "netadmin-agent: warning: cgroups came and went faster than could be followed \
             ({} times): looking at all of them again\n",
            lost - self.lost_so_far
        ));
        self.lost_so_far = lost;
        if let Err(error) = self.guards.rescan(&mut self.programs) {
            output::complain(&format!("netadmin-agent: error: {error}\n"));
        }
    }

    /// For log rotation, and for a changed policy.
    fn hang_up(&mut self) {
        match self.teller.reopen() {
            Ok(()) => output::complain("netadmin-agent: SIGHUP: event file reopened\n"),
            Err(error) => output::complain(&format!("netadmin-agent: error: {error}\n")),
        }
        self.reload();
    }

    /// Something waits.
    pub(super) fn tick_soon(&mut self) {
        self.next_tick = self.next_tick.min(Instant::now() + TICK);
    }

    fn until_tick(&self) -> Duration {
        let blind = self.watch.as_ref().is_some_and(PolicyWatch::is_blind);
        if blind || self.guards.is_untidy() {
            TICK
        } else {
            LONG_TICK
        }
    }

    fn tidy(&mut self) {
        self.guards.tidy();
        self.reload_if_changed();
    }

    fn stop(&mut self) -> anyhow::Result<Exit> {
        self.manager.stopping();
        self.drain_cgroup_events()?;
        self.drain_events()?;
        output::complain(match self.programs.set() {
            Some(_) => {
                "netadmin-agent: stopped: enforcement goes on without the agent; \
                 `netadmin-agent unload` ends it\n"
            }
            None => "netadmin-agent: stopped: nothing is enforced any more\n",
        });
        Ok(Exit::Success)
    }
}
