//! One attack, two tests: it succeeds unguarded, and is refused guarded.

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::child::Child;
use super::watch::Watch;
use super::{Container, DEFERRED, DeviceState, Event, Stage, Trials, USUAL_POLICY, errno_of, poll};

/// What an attack leaves open: its effect lasts as long.
type Kept = Box<dyn Any>;
type Step = Arc<dyn Fn() -> io::Result<Kept> + Send + Sync>;

/// After a refusal, how long a rise from a kernel worker is waited for.
const STRAGGLER: Duration = Duration::from_millis(100);

/// How a refusal is reported.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The operation's dotted name.
    pub operation: &'static str,
    /// The kernel's name for the way.
    pub via: &'static str,
    /// The device, where the event must name it.
    pub interface: Option<&'static str>,
}

/// An attack on promiscuity.
#[derive(Clone)]
pub struct Attack {
    name: String,
    needs: &'static [&'static str],
    set_up: Step,
    act: Step,
    victim: &'static str,
    renamed: &'static str,
    expected: Expected,
    policy: &'static str,
    all_capabilities: bool,
    counter_shows: bool,
}

impl Attack {
    /// `act` raises the promiscuity of `victim`. What it returns is kept open
    /// until the device has been looked at.
    pub fn new<K: 'static>(
        name: impl Into<String>,
        victim: &'static str,
        expected: Expected,
        act: impl Fn() -> io::Result<K> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            needs: &[],
            set_up: Arc::new(|| Ok(Box::new(()))),
            act: Arc::new(move || Ok(Box::new(act()?))),
            victim,
            renamed: victim,
            expected,
            policy: USUAL_POLICY,
            all_capabilities: false,
            counter_shows: true,
        }
    }

    /// What is made before, from outside. What it returns is kept open, too.
    #[must_use]
    pub fn on<K: 'static>(
        mut self,
        set_up: impl Fn() -> io::Result<K> + Send + Sync + 'static,
    ) -> Self {
        self.set_up = Arc::new(move || Ok(Box::new(set_up()?)));
        self
    }

    /// A successful attack leaves the victim with this name.
    #[must_use]
    pub fn renaming_to(mut self, name: &'static str) -> Self {
        self.renamed = name;
        self
    }

    /// Link types without which both tests are ignored.
    #[must_use]
    pub fn needs(mut self, link_types: &'static [&'static str]) -> Self {
        self.needs = link_types;
        self
    }

    /// Another policy than the usual one.
    #[must_use]
    pub fn under(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    /// The container's root has every capability.
    #[must_use]
    pub fn with_all_capabilities(mut self) -> Self {
        self.all_capabilities = true;
        self
    }

    /// The count falls before it rises, so that only the witness can tell.
    #[must_use]
    pub fn seen_by_the_witness_alone(mut self) -> Self {
        self.counter_shows = false;
        self
    }

    /// Adds both tests.
    pub fn twins(self, trials: &mut Trials) {
        let (twin, name) = (self.clone(), self.name.clone());
        trials.twins(
            &name,
            self.needs,
            self.policy,
            move |stage| twin.succeeds(stage),
            move |stage| self.is_refused(stage),
        );
    }

    fn prepared(&self, container: Container) -> Result<(Container, Child)> {
        let container = if self.all_capabilities {
            container.with_all_capabilities()
        } else {
            container
        };
        let held = container.set_up_and_hold(|| (self.set_up)());
        Ok((container, held.context("set up")?))
    }

    fn succeeds(&self, stage: &Stage<'_>) -> Result<()> {
        let (container, _held) = self.prepared(stage.unguarded()?)?;
        let before = promiscuity(&container, self.victim)?;
        let watch = Watch::begin(stage)?;
        let attempt = container.attempt_and_hold(|| (self.act)())?;
        attempt.result.context("the attack, unguarded")?;
        if self.counter_shows {
            let rose = poll(DEFERRED, || match promiscuity(&container, self.renamed) {
                Ok(now) => (now > before).then_some(Ok(())),
                Err(error) => Some(Err(error)),
            });
            rose.with_context(|| format!("the promiscuity of {} stayed {before}", self.victim))??;
        }
        drop(attempt.process);
        watch.saw_rise_of(self.renamed)?;
        let events = watch.events()?;
        ensure!(events.is_empty(), "unguarded, but reported: {events:#?}");
        Ok(())
    }

    fn is_refused(&self, stage: &Stage<'_>) -> Result<()> {
        let (container, _held) = self.prepared(stage.guarded()?)?;
        let before = promiscuity(&container, self.victim)?;
        let watch = Watch::begin(stage)?;
        let attempt = container.attempt_and_hold(|| (self.act)())?;
        let errno = errno_of(&attempt.result);
        std::thread::sleep(STRAGGLER);
        let after = promiscuity(&container, self.victim)?;
        let events = watch.events()?;
        let what = format!("errno {errno}, promiscuity {before} then {after}, {events:#?}");
        ensure!(after == before, "the promiscuity changed: {what}");
        watch.saw_no_rise()?;
        ensure!(errno == libc::EPERM, "not refused with EPERM: {what}");
        self.expected.check(&events)
    }
}

/// The count of a device; of one that is not there, 0.
fn promiscuity(container: &Container, device: &str) -> Result<u32> {
    container.set_up(|| match DeviceState::read(device) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(0),
        state => Ok(state?.promiscuity),
    })
}

impl Expected {
    /// A refusal that names no device, or any.
    pub const fn of(operation: &'static str, via: &'static str) -> Self {
        Self {
            operation,
            via,
            interface: None,
        }
    }

    /// Exactly one refusal, by the policy that the tests use, and this one.
    pub fn check(&self, events: &[Event]) -> Result<()> {
        let [event] = events else {
            bail!("{} events instead of one: {events:#?}", events.len());
        };
        let named = self.interface.is_none_or(|name| event.is_about(name));
        let right = event.event == "refused"
            && event.operation.as_deref() == Some(self.operation)
            && event.via.as_deref() == Some(self.via)
            && event.policy.as_deref() == Some("cnf")
            && named;
        ensure!(right, "expected {self:?}, but the event is {event:#?}");
        Ok(())
    }
}
