//! Enforcing a policy, and watching for rises.

use std::time::Duration;

use anyhow::Context as _;
use aya::maps::{MapData, PerCpuArray, RingBuf};
use netadmin_common::event::EventAccount;
use netadmin_common::policy::OPTION_VALUES;
use netadmin_common::{EventKind, EventRecord};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::breach;
use crate::cgroups::{GuardError, Guards, Tree, mount_point};
use crate::cli::{EventsTo, RunOptions};
use crate::doctor;
use crate::events::{Clock, Context, Event, Sink, Written, decode, node_name};
use crate::exit::{CannotEnforce, Exit};
use crate::kernel::{KernelError, Programs, program_log};
use crate::notify::Manager;
use crate::output;
use crate::policy::{self, Kept, PolicySet};
use crate::records::Record;

/// Enforces the policy until it is told to stop.
pub fn run(options: &RunOptions) -> anyhow::Result<Exit> {
    let kept = Kept::of_this_service();
    let (loaded, error) = kept.load_or_last(&options.policy)?;
    if let Some(error) = error {
        output::show_error(&error.into());
        output::complain(
            "netadmin-agent: error: the policy file cannot be used; \
             the last one in force is put into force again\n",
        );
    }
    output::show_report(&loaded.warnings);
    refuse_pieces(&loaded.set)?;
    doctor::require()?;
    let sink = Sink::open(&options.events)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let mut agent = Agent::start(loaded.set, sink, options.log_programs)?;
        agent.announce();
        if let Err(error) = kept.save(&loaded.source) {
            output::complain(&format!(
                "netadmin-agent: error: cannot keep the policy for the next boot: {error}\n"
            ));
        }
        agent.serve(&mut signals).await
    })
}

/// Prints each rise of any device's promiscuity.
pub fn witness() -> anyhow::Result<Exit> {
    doctor::require()?;
    let sink = Sink::open(&EventsTo::Stdout)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new()?;
        let mut programs = Programs::load(false).map_err(cannot_enforce)?;
        programs.witness().map_err(cannot_enforce)?;
        let events = register(programs.take_events()?)?;
        let tree = Tree::open(mount_point()?)?;
        let guards = Guards::new(tree, programs.take_guards()?, PolicySet::default());
        output::complain("netadmin-agent: watching\n");
        Agent::new(programs, guards, events, None, sink)?
            .serve(&mut signals)
            .await
    })
}

/// What no program enforces yet must not look as if it were in force.
fn refuse_pieces(set: &PolicySet) -> anyhow::Result<()> {
    let ruled = |policy: &&policy::CompiledPolicy| policy.record.rules_net_admin();
    match set.policies.iter().find(ruled) {
        Some(policy) => Err(CannotEnforce(format!(
            "policy `{}` has a `[policy.net_admin]`, which this version can check \
             and explain, but not enforce; take it out",
            policy.name
        ))
        .into()),
        None => Ok(()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot start the event loop")
}

/// What the kernel refuses to load, this node cannot enforce.
fn cannot_enforce(error: KernelError) -> anyhow::Error {
    let unable = CannotEnforce(error.to_string());
    anyhow::Error::from(error).context(unable)
}

type Buffer = AsyncFd<RingBuf<MapData>>;

struct Agent {
    programs: Programs,
    guards: Guards,
    events: Buffer,
    cgroup_events: Option<Buffer>,
    sink: Sink,
    node_name: String,
    seq: u64,
    account: Account,
    dropped: u64,
    breaches: u64,
    manager: Manager,
}

type Account = PerCpuArray<MapData, Record<EventAccount>>;

impl Agent {
    fn new(
        mut programs: Programs,
        guards: Guards,
        events: Buffer,
        cgroup_events: Option<Buffer>,
        sink: Sink,
    ) -> anyhow::Result<Self> {
        let account = programs.take_account()?;
        Ok(Self {
            programs,
            guards,
            events,
            cgroup_events,
            sink,
            node_name: node_name(),
            seq: 0,
            account,
            dropped: 0,
            manager: Manager::of_this_process(),
            breaches: 0,
        })
    }

    /// In this order: policies, the eyes on new cgroups, the cgroups that are
    /// there, and only then what refuses.
    fn start(policies: PolicySet, sink: Sink, log: bool) -> anyhow::Result<Self> {
        let mut programs = Programs::load(log).map_err(cannot_enforce)?;
        if log {
            program_log::start(programs.ebpf_mut())?;
        }
        publish(&policies, &mut programs)?;
        if policies.needs_value_program() {
            programs.load_value_program().map_err(cannot_enforce)?;
        }
        programs.watch_cgroups().map_err(cannot_enforce)?;
        let tree = Tree::open(mount_point()?)?;
        let mut guards = Guards::new(tree, programs.take_guards()?, policies);
        guards.scan(&mut programs)?;
        programs.enforce().map_err(cannot_enforce)?;
        let events = register(programs.take_events()?)?;
        let cgroup_events = register(programs.take_cgroup_events()?)?;
        Self::new(programs, guards, events, Some(cgroup_events), sink)
    }

    fn announce(&self) {
        for name in self.guards.idle_policies() {
            output::complain(&format!(
                "netadmin-agent: warning: policy `{name}` matches no cgroup yet; \
                 it applies to cgroups that appear later\n"
            ));
        }
        let status = format!(
            "in force: policies: {}, guarded cgroups: {}",
            self.guards.policies().policies.len(),
            self.guards.count(),
        );
        output::complain(&format!("netadmin-agent: {status}\n"));
        self.manager.ready(&status);
    }

    async fn serve(&mut self, signals: &mut Signals) -> anyhow::Result<Exit> {
        loop {
            let wake = self.wait(signals).await?;
            let open = self.drain_cgroup_events()? & self.drain_events()?;
            self.tell_losses();
            self.manager.alive();
            match wake {
                Wake::Work if open => {}
                Wake::Hangup => self.rotate(),
                Wake::Work | Wake::Stop => return self.stop(),
            }
        }
    }

    async fn wait(&self, signals: &mut Signals) -> anyhow::Result<Wake> {
        tokio::select! {
            _ = signals.terminate.recv() => Ok(Wake::Stop),
            _ = signals.interrupt.recv() => Ok(Wake::Stop),
            _ = signals.hangup.recv() => Ok(Wake::Hangup),
            ready = self.events.readable() => {
                ready.context("cannot wait for events")?.clear_ready();
                Ok(Wake::Work)
            }
            () = readable(self.cgroup_events.as_ref()) => Ok(Wake::Work),
            () = self.manager.is_waiting() => Ok(Wake::Work),
        }
    }

    /// Writes what is there. False when nobody reads any more.
    fn drain_events(&mut self) -> anyhow::Result<bool> {
        let clock = Clock::now().context("cannot read the clocks")?;
        loop {
            let decoded = match self.events.get_mut().next() {
                Some(item) => decode(&item),
                None => return Ok(true),
            };
            match decoded {
                Ok((kind, record)) => {
                    if !self.tell(kind, &record, &clock) {
                        return Ok(false);
                    }
                }
                Err(error) => output::complain(&format!("netadmin-agent: error: {error}\n")),
            }
        }
    }

    fn tell(&mut self, kind: EventKind, record: &EventRecord, clock: &Clock) -> bool {
        let cgroup = self.guards.path(record.cgroup);
        let cleared = kind == EventKind::Breach && breach::answer(record, cgroup.as_deref());
        let context = Context {
            seq: self.seq,
            node_name: &self.node_name,
            clock,
            policies: self.guards.policies(),
            cgroup: cgroup.as_deref(),
            cleared,
        };
        let Some(event) = Event::new(kind, record, &context) else {
            return true;
        };
        self.seq += 1;
        match self.sink.write(&event.to_line()) {
            Written::Whole | Written::Lost(None) => true,
            Written::Lost(Some(error)) => {
                output::complain(&format!("netadmin-agent: error: {error}\n"));
                true
            }
            Written::Closed => false,
        }
    }

    /// Acts upon what is there. False when nobody reads events any more.
    fn drain_cgroup_events(&mut self) -> anyhow::Result<bool> {
        let Some(buffer) = &mut self.cgroup_events else {
            return Ok(true);
        };
        let clock = Clock::now().context("cannot read the clocks")?;
        let mut open = true;
        let mut records = Vec::new();
        while let Some(item) = buffer.get_mut().next() {
            records.extend(decode(&item));
        }
        for (kind, record) in records {
            if kind == EventKind::Breach {
                open &= self.tell(kind, &record, &clock);
            } else if let Err(error) = self.follow(kind, &record) {
                output::complain(&format!("netadmin-agent: error: {error}\n"));
            }
        }
        Ok(open)
    }

    fn follow(&mut self, kind: EventKind, record: &EventRecord) -> Result<(), GuardError> {
        match kind {
            EventKind::CgroupMade => {
                if record.errno != 0 {
                    output::complain(&format!(
                        "netadmin-agent: error: the programs could not guard new cgroup {} \
                         (errno {}); at most 32768 cgroups can be guarded at a time\n",
                        record.cgroup, record.errno,
                    ));
                }
                self.guards.made(record.cgroup, &mut self.programs)
            }
            EventKind::CgroupGone => {
                self.guards.gone(record.cgroup);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Says how many breaches there were, and when the buffer was full and refusals
    /// went unreported; they were refused all the same.
    fn tell_losses(&mut self) {
        let Ok(cpus) = self.account.get(&0, 0) else {
            return;
        };
        let breaches = cpus.iter().map(|account| account.0.breaches).sum();
        if breaches > self.breaches {
            self.breaches = breaches;
            output::complain(&format!(
                "netadmin-agent: {breaches} breaches since the start\n"
            ));
        }
        let dropped = cpus.iter().map(|account| account.0.dropped).sum();
        if dropped > self.dropped {
            self.dropped = dropped;
            output::complain(&format!(
                "netadmin-agent: error: {dropped} events were lost since the start, \
                 because they came faster than they could be written\n"
            ));
        }
    }

    /// For log rotation. The policy is read at the start only.
    fn rotate(&mut self) {
        match self.sink.reopen() {
            Ok(()) => output::complain(
                "netadmin-agent: SIGHUP: event file reopened; \
                 to apply a changed policy, restart the agent\n",
            ),
            Err(error) => output::complain(&format!("netadmin-agent: error: {error}\n")),
        }
    }

    fn stop(&mut self) -> anyhow::Result<Exit> {
        self.manager.stopping();
        self.drain_events()?;
        output::complain("netadmin-agent: stopped: nothing is enforced any more\n");
        Ok(Exit::Success)
    }
}

/// Lets the event loop wait for a buffer.
fn register(buffer: RingBuf<MapData>) -> anyhow::Result<Buffer> {
    // SAFETY: the buffer owns its descriptor, and keeps it open until dropped.
    unsafe { AsyncFd::register(buffer) }.context("cannot wait for the programs' events")
}

/// The signals that the agent takes; from before it says that it is in force.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot take signals");
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }
}

enum Wake {
    Work,
    Hangup,
    Stop,
}

async fn readable(buffer: Option<&Buffer>) {
    match buffer {
        Some(buffer) => {
            if let Ok(mut ready) = buffer.readable().await {
                ready.clear_ready();
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        None => std::future::pending().await,
    }
}

/// Writes the policies into their map.
fn publish(policies: &PolicySet, programs: &mut Programs) -> anyhow::Result<()> {
    let mut by_value = 0;
    let mut map = programs.policies()?;
    for (index, policy) in policies.policies.iter().enumerate() {
        let index = u32::try_from(index).context("too many policies")?;
        map.set(index, Record(policy.record), 0)
            .with_context(|| format!("policy `{}`: at most 512 policies fit", policy.name))?;
        for (option, rule) in policy.record.options.iter().enumerate() {
            by_value |= u32::from(rule.rule == OPTION_VALUES) << option;
        }
    }
    programs
        .value_rules()?
        .set(0, by_value, 0)
        .context("cannot set the options with value rules")
}
