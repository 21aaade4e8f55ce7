//! One act, two tests, for what raises nothing or comes from outside: it takes
//! effect unguarded, and is refused guarded.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::watch::Watch;
use super::{Container, Expected, Running, Stage, Trials, USUAL_POLICY, errno_of};

type SetUp = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;
type Inherit = Arc<dyn Fn() -> io::Result<OwnedFd> + Send + Sync>;
type Act = Arc<dyn Fn(OwnedFd) -> io::Result<OwnedFd> + Send + Sync>;
type Effect = Arc<dyn Fn() -> io::Result<bool> + Send + Sync>;

/// An act that a policy refuses, and what it does where none applies.
#[derive(Clone)]
pub struct Refusal {
    name: String,
    expected: Expected,
    act: Act,
    effect: Effect,
    needs: &'static [&'static str],
    inherit: Inherit,
    set_up: SetUp,
    policy: &'static str,
}

impl Refusal {
    /// `act` takes effect, as `effect` says then from outside.
    pub fn new(
        name: impl Into<String>,
        expected: Expected,
        act: impl Fn() -> io::Result<()> + Send + Sync + 'static,
        effect: impl Fn() -> io::Result<bool> + Send + Sync + 'static,
    ) -> Self {
        let nothing = || File::open("/dev/null").map(OwnedFd::from);
        let act = move |descriptor| act().map(|()| descriptor);
        Self::with_inherited(name, expected, nothing, act, effect)
    }

    /// The same, where `act` is handed a descriptor that `inherit` made outside
    /// the control group. What it returns is kept open until the effect is known.
    pub fn with_inherited(
        name: impl Into<String>,
        expected: Expected,
        inherit: impl Fn() -> io::Result<OwnedFd> + Send + Sync + 'static,
        act: impl Fn(OwnedFd) -> io::Result<OwnedFd> + Send + Sync + 'static,
        effect: impl Fn() -> io::Result<bool> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            expected,
            act: Arc::new(act),
            effect: Arc::new(effect),
            needs: &[],
            inherit: Arc::new(inherit),
            set_up: Arc::new(|| Ok(())),
            policy: USUAL_POLICY,
        }
    }

    /// What is made before, from outside.
    #[must_use]
    pub fn on(mut self, set_up: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.set_up = Arc::new(set_up);
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

    fn attempt(&self, container: &Container) -> Result<Running> {
        container.set_up(|| (self.set_up)()).context("set up")?;
        ensure!(!self.shows(container)?, "the effect is there before");
        container.attempt_with_inherited(|| (self.inherit)(), |inherited| (self.act)(inherited))
    }

    fn shows(&self, container: &Container) -> Result<bool> {
        container.set_up(|| (self.effect)())
    }

    fn succeeds(&self, stage: &Stage<'_>) -> Result<()> {
        let container = stage.unguarded()?;
        let watch = Watch::begin(stage)?;
        let attempt = self.attempt(&container)?;
        attempt.result.context("the act, unguarded")?;
        ensure!(self.shows(&container)?, "it succeeds without effect");
        watch.saw_no_event()
    }

    fn is_refused(&self, stage: &Stage<'_>) -> Result<()> {
        let container = stage.guarded()?;
        let watch = Watch::begin(stage)?;
        let attempt = self.attempt(&container)?;
        let errno = errno_of(&attempt.result);
        let events = watch.events()?;
        ensure!(errno == libc::EPERM, "errno {errno}; {events:#?}");
        ensure!(!self.shows(&container)?, "refused, but it took effect");
        self.expected.check(&events)
    }
}
