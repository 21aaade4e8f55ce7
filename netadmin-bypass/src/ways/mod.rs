//! The ways: each path, on each route that it can be taken.

mod flags;
mod option;
mod promote;
mod stack;

use std::any::Any;
use std::io;
use std::sync::LazyLock;

use crate::attack::{Abi, Arrival, Route};

/// What an attempt leaves open: its effect lasts as long.
pub type Kept = Box<dyn Any>;

/// A step: makes devices, or attempts something.
pub type Step = Box<dyn Fn() -> io::Result<Kept> + Send + Sync>;

/// How it is seen, from outside the call, that an attempt succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `IFLA_PROMISCUITY` of this device has risen.
    Promiscuity(&'static str),
    /// The step looks itself, by `getsockopt` or at what arrives, and fails with
    /// the call's error if nothing has changed.
    Told,
}

/// What kind of call a path ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `ioctl(2)`.
    Ioctl,
    /// `setsockopt(2)`.
    Setsockopt,
    /// A netlink datagram.
    Netlink,
    /// A write to a file.
    File,
    /// `sendmsg(2)` with control messages.
    Control,
}

/// One thing that an attacker would do.
pub struct Path {
    /// Its name, for people and for the coverage table.
    pub name: &'static str,
    /// What it ends in.
    pub call: Call,
    /// How its success shows.
    pub effect: Effect,
    /// Whether it is tried on every route; the others are tried on the usual one
    /// of each ABI.
    pub every_route: bool,
    /// Makes what it needs.
    pub set_up: Step,
    /// Tries it.
    pub act: Step,
}

/// Who makes the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The process.
    Process,
    /// A second thread of it.
    Thread,
    /// A process in a user and a network namespace of its own.
    UserNamespace,
}

/// A path, how it is taken, and by whom.
pub struct Way {
    /// What is done.
    pub path: &'static Path,
    /// How the call reaches the kernel.
    pub route: Route,
    /// Who does it.
    pub subject: Subject,
}

/// Names of the devices, which nothing else in a network namespace should have.
pub mod device {
    /// The one whose promiscuity is to rise.
    pub const VICTIM: &str = "bypassvictim0";
    /// One that stands on it, or gathers it.
    pub const UPPER: &str = "bypassupper0";
    /// A spare one.
    pub const OTHER: &str = "bypassother0";
    /// An alternative name of the victim's.
    pub const ALTERNATIVE: &str = "bypassalt0";
    /// One that `IFLA_IFNAME` cannot hold.
    pub const LONG_ALTERNATIVE: &str = "alternative-name-of-bypassvictim0";
    /// All that may have to be removed again.
    pub const ALL: [&str; 3] = [UPPER, OTHER, VICTIM];
}

impl Subject {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::UserNamespace => "user namespace",
        }
    }
}

impl Path {
    /// A path with nothing special to it.
    fn new<K: 'static>(
        name: &'static str,
        call: Call,
        effect: Effect,
        act: impl Fn() -> io::Result<K> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            call,
            effect,
            every_route: false,
            set_up: Box::new(|| Ok(Box::new(()))),
            act: Box::new(move || Ok(Box::new(act()?))),
        }
    }

    fn on<K: 'static>(
        mut self,
        set_up: impl Fn() -> io::Result<K> + Send + Sync + 'static,
    ) -> Self {
        self.set_up = Box::new(move || Ok(Box::new(set_up()?)));
        self
    }

    fn by_every_route(mut self) -> Self {
        self.every_route = true;
        self
    }

    /// The ways to take it in such a program.
    pub fn ways(&'static self, build: Build) -> impl Iterator<Item = Way> {
        let way = move |route, subject| Way {
            path: self,
            route,
            subject,
        };
        let routes = routes(self.call, build);
        let routes = routes.filter(|route| self.every_route || is_usual(*route));
        let subjects: &[Subject] = match (self.every_route, self.call) {
            (false, _) => &[],
            // Options ask in the initial user namespace, which is left there.
            (true, Call::Setsockopt) if self.effect == Effect::Told => &[Subject::Thread],
            (true, _) => &[Subject::Thread, Subject::UserNamespace],
        };
        let by_others = subjects.iter();
        let by_others = by_others.map(move |subject| way(Route::USUAL, *subject));
        routes
            .map(move |route| way(route, Subject::Process))
            .chain(by_others)
    }
}

/// What the program is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// 64 bits: it can make 32-bit and x32 calls besides.
    Wide,
    /// 32 bits.
    Narrow,
}

impl Build {
    /// This program.
    pub const THIS: Self = if cfg!(target_pointer_width = "32") {
        Self::Narrow
    } else {
        Self::Wide
    };
}

fn is_usual(route: Route) -> bool {
    route.arrival == Arrival::Usual && route.abi != Abi::X32
}

/// The calls that can carry an attempt of this kind.
pub fn arrivals(call: Call) -> &'static [Arrival] {
    use Arrival::{
        Ring, RingPoll, RingTaskWork, RingWorker, Sendfile, Sendmmsg, Sendmsg, Socketcall, Splice,
        Usual, Write, Writev,
    };
    match call {
        Call::Ioctl => &[Usual],
        Call::Setsockopt => &[Usual, Socketcall, Ring, RingWorker, RingPoll, RingTaskWork],
        Call::Netlink => &[
            Usual,
            Sendmsg,
            Sendmmsg,
            Write,
            Writev,
            Splice,
            Sendfile,
            Socketcall,
            Ring,
            RingWorker,
            RingPoll,
            RingTaskWork,
        ],
        Call::File => &[
            Usual,
            Writev,
            Splice,
            Sendfile,
            Ring,
            RingWorker,
            RingPoll,
            RingTaskWork,
        ],
        Call::Control => &[
            Usual,
            Sendmmsg,
            Socketcall,
            Ring,
            RingWorker,
            RingPoll,
            RingTaskWork,
        ],
    }
}

/// The routes on which such a program can make a call of this kind.
pub fn routes(call: Call, build: Build) -> impl Iterator<Item = Route> {
    let abis: &[Abi] = match build {
        Build::Narrow => &[Abi::Native],
        Build::Wide => &[Abi::Native, Abi::Int80, Abi::X32],
    };
    let all = abis.iter().flat_map(move |abi| {
        let route = |arrival: &Arrival| Route::new(*abi, *arrival);
        arrivals(call).iter().map(route)
    });
    all.filter(move |route| exists(*route, build))
}

/// 32-bit code alone has `socketcall`; splice and sendfile carry no pointers that
/// an ABI could change; and a ring belongs to x86-64 or to i386.
fn exists(route: Route, build: Build) -> bool {
    match route.arrival {
        Arrival::Socketcall => route.abi == Abi::Int80 || build == Build::Narrow,
        Arrival::Splice | Arrival::Sendfile => route.abi == Abi::Native,
        arrival if arrival.is_ring() => route.abi != Abi::X32,
        _ => true,
    }
}

/// Every path.
pub fn paths() -> &'static [Path] {
    static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
        let groups = [
            flags::paths(),
            promote::paths(),
            stack::paths(),
            option::paths(),
        ];
        groups.into_iter().flatten().collect()
    });
    &PATHS
}

/// Every way that this program can take.
pub fn all() -> impl Iterator<Item = Way> {
    paths().iter().flat_map(|path| path.ways(Build::THIS))
}
