//! One combination, and what there is to show for it.

use netadmin_bypass::attack::{Abi, Route};
use netadmin_bypass::ways::{Build, Path, Subject, paths, routes};

use super::rules;

/// Who attempts it: those that `netadmin-bypass` has, and those that the rig has
/// to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One that `netadmin-bypass` has.
    Bypass(Subject),
    /// A program that is executed, or a child.
    Program,
    /// A task in a cgroup below the guarded one.
    NestedCgroup,
    /// A task in a network namespace that it made.
    NetworkNamespace,
    /// A task with a socket from outside, or from before it was guarded.
    SocketFromOutside,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Bypass(Subject::Process),
        Self::Bypass(Subject::Thread),
        Self::Bypass(Subject::UserNamespace),
        Self::Program,
        Self::NestedCgroup,
        Self::NetworkNamespace,
        Self::SocketFromOutside,
    ];

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bypass(subject) => subject.name(),
            Self::Program => "program",
            Self::NestedCgroup => "nested cgroup",
            Self::NetworkNamespace => "network namespace",
            Self::SocketFromOutside => "socket from outside",
        }
    }
}

/// What shows that a cell is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// `netadmin-bypass` tries exactly this.
    Tried,
    /// This test does; its full name.
    Test(&'static str),
    /// It need not be tried of itself, because.
    Reason(&'static str),
}

/// One combination.
#[derive(Clone, Copy)]
pub struct Cell {
    /// What is done.
    pub path: &'static Path,
    /// For which program.
    pub build: Build,
    /// How the call arrives.
    pub route: Route,
    /// Who does it.
    pub by: By,
}

impl Cell {
    /// What there is to show for it; `None` is a gap.
    pub fn evidence(&self) -> Option<Evidence> {
        if let By::Bypass(subject) = self.by
            && self.route.abi != Abi::X32
        {
            let mut ways = self.path.ways(self.build);
            if ways.any(|way| way.route == self.route && way.subject == subject) {
                return Some(Evidence::Tried);
            }
        }
        rules::evidence(self)
    }

    /// The name for people.
    pub fn name(&self) -> String {
        let Route { abi, arrival } = self.route;
        let abi = abi_name(self.build, abi);
        let (arrival, by) = (arrival.name(), self.by.name());
        format!("{}: {abi}, {arrival}, {by}", self.path.name)
    }
}

/// The columns of ABIs: a program, and a convention that it can use.
pub const ABIS: [(Build, Abi); 4] = [
    (Build::Wide, Abi::Native),
    (Build::Wide, Abi::Int80),
    (Build::Narrow, Abi::Native),
    (Build::Wide, Abi::X32),
];

/// The name of such a column.
pub fn abi_name(build: Build, abi: Abi) -> &'static str {
    match (build, abi) {
        (Build::Narrow, _) => "i386",
        (Build::Wide, Abi::Native) => "x86-64",
        (_, other) => other.name(),
    }
}

/// Every combination that exists.
pub fn cells() -> impl Iterator<Item = Cell> {
    paths().iter().flat_map(cells_of)
}

/// Every combination of one path.
pub fn cells_of(path: &'static Path) -> impl Iterator<Item = Cell> {
    let builds = [Build::Wide, Build::Narrow];
    let routes = builds.into_iter().flat_map(move |build| {
        let of_build = move |route| (build, route);
        routes(path.call, build).map(of_build)
    });
    routes.flat_map(move |(build, route)| {
        By::ALL.into_iter().map(move |by| Cell {
            path,
            build,
            route,
            by,
        })
    })
}
