//! What is wrong, or doubtful, about a policy file, and where.

use std::ops::Range;

use netadmin_common::grants::MAX_GRANTS;
use netadmin_common::policy::MAX_EXCEPTIONS;
use netadmin_common::value::MAX_RANGES;

use super::glob::GlobError;
use super::interface::InterfaceError;
use super::operation_pattern::PatternError;
use super::value_entry::EntryError;

/// How many policies one file holds.
pub const MAX_POLICIES: usize = 512;

/// How many path globs one file holds: each new cgroup is compared with them.
pub const MAX_GLOBS: usize = 1024;

/// What kind of fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not TOML.
    #[error("{0}")]
    Syntax(String),
    /// The file does not say its version.
    #[error("the file does not say its version")]
    NoVersion,
    /// `version` is not one that this agent reads.
    #[error("version {0} of the policy file is not one that this agent reads")]
    UnsupportedVersion(String),
    /// A required key is not there.
    #[error("`{key}` is missing in {table}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table it belongs in.
        table: String,
    },
    /// A key that means nothing there.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The table it stands in.
        table: String,
    },
    /// An option that no policy can rule on.
    #[error("unknown socket option `{0}`")]
    UnknownOption(String),
    /// A value of another type.
    #[error("{what} is {found}, but must be {expected}")]
    WrongType {
        /// What has the type: a key, or an entry of a list.
        what: String,
        /// What is wanted.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A word that is not one of a few.
    #[error("`{key}` is {found:?}, but must be {expected}")]
    WrongWord {
        /// The key.
        key: String,
        /// The words.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// There is no `[[policy]]`.
    #[error("the file has no policy")]
    NoPolicy,
    /// There are more policies than fit.
    #[error("the file has {0} policies; at most {MAX_POLICIES} fit")]
    TooManyPolicies(usize),
    /// A policy's name has other characters, or too few or too many.
    #[error("{0:?} is no name of a policy: 1 to 63 characters out of a-z, 0-9, `.`, `-` and `_`")]
    BadName(String),
    /// Two policies have one name.
    #[error("two policies are named `{0}`")]
    DuplicateName(String),
    /// An empty list of globs.
    #[error("`match.cgroups` is empty, so that the policy guards nothing")]
    NoGlobs,
    /// There are more globs than fit.
    #[error("the file has {0} path globs; at most {MAX_GLOBS} fit")]
    TooManyGlobs(usize),
    /// A glob that is none.
    #[error(transparent)]
    BadGlob(#[from] GlobError),
    /// An interface exception that is none.
    #[error(transparent)]
    BadInterface(#[from] InterfaceError),
    /// More exceptions than fit.
    #[error("`allow` has {0} entries; at most {MAX_EXCEPTIONS} fit")]
    TooManyExceptions(usize),
    /// `allow`, `keep` or `side_effects` where nothing is refused.
    #[error("`{0}` means nothing while `default` is \"allow\"")]
    NeedsDefaultDeny(&'static str),
    /// An entry that names no operations.
    #[error(transparent)]
    BadPattern(#[from] PatternError),
    /// A value entry that names no values.
    #[error(transparent)]
    BadEntry(#[from] EntryError),
    /// A rule with neither `allow` nor `deny`.
    #[error("the rule on {0} has neither `allow` nor `deny`")]
    NoValues(&'static str),
    /// A set that does not fit a record.
    #[error("the values of {option} come to {found} ranges; at most {MAX_RANGES} fit")]
    TooManyRanges {
        /// The option.
        option: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A warning: no value is left.
    #[error("the rule on {0} allows no value")]
    NothingAllowed(&'static str),
    /// A warning: an earlier policy takes everything.
    #[error(
        "policy `{name}` never applies: policy `{earlier}` comes first and matches all it matches"
    )]
    NeverApplies {
        /// The later policy.
        name: String,
        /// The earlier one.
        earlier: String,
    },
    /// A condition of two kinds, or of none.
    #[error("an entry with `op` needs one condition: `interface` or `kind`")]
    OneCondition,
    /// A condition in `deny`.
    #[error("a condition can only narrow what `allow` grants")]
    ConditionalDeny,
    /// A condition on what the programs do not see.
    #[error("`{0}` cannot be granted on some interfaces alone")]
    Unconditional(String),
    /// More conditions than a record holds.
    #[error("more than {MAX_GRANTS} entries have a condition")]
    TooManyConditions,
    /// An operation that would make a condition worth nothing.
    #[error("`{0}` is granted, by which any interface could be brought under a condition")]
    EscapesConditions(&'static str),
    /// A warning: what nobody knows is granted.
    #[error("`unclassified` is granted: whatever asks for CAP_NET_ADMIN and is not known gets it")]
    GrantsUnclassified,
    /// A warning: an entry of `allow` has no effect.
    #[error("`{0}` is allowed and denied")]
    AllowedAndDenied(String),
    /// A warning: the root cgroup is guarded.
    #[error(
        "`{0}` matches the root cgroup: it guards every process of the node, the agent's own too"
    )]
    MatchesRoot(String),
}

/// Whether the file can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but it may not mean what its author meant.
    Warning,
}

impl Problem {
    /// Whether the file can be used all the same.
    pub fn severity(&self) -> Severity {
        match self {
            Self::NothingAllowed(_)
            | Self::NeverApplies { .. }
            | Self::MatchesRoot(_)
            | Self::GrantsUnclassified
            | Self::AllowedAndDenied(_) => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// A problem, with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub problem: Problem,
    /// Where, in bytes.
    pub span: Range<usize>,
    /// Another place that has to do with it, and how.
    pub context: Option<(Range<usize>, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Fault {
    /// A problem at a place.
    pub fn new(problem: impl Into<Problem>, span: Range<usize>) -> Self {
        Self {
            problem: problem.into(),
            span,
            context: None,
            help: None,
        }
    }

    /// The same, with what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with another place that has to do with it.
    pub fn context(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.context = Some((span, label.into()));
        self
    }
}

/// The faults found so far. Reading goes on after a fault, so that one run
/// tells of as many as it can.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Notes the error of a reading that failed, and goes on without its result.
    pub fn catch<T>(
        &mut self,
        result: Result<T, impl Into<Problem>>,
        span: Range<usize>,
    ) -> Option<T> {
        result
            .map_err(|problem| self.push(Fault::new(problem, span)))
            .ok()
    }

    /// Whether any of them is an error.
    pub fn any_errors(&self) -> bool {
        self.0
            .iter()
            .any(|fault| fault.problem.severity() == Severity::Error)
    }

    /// The errors, or if there are none the warnings, in the order of the file.
    /// (What is doubtful about a wrong file may well come of what is wrong.)
    pub fn sorted(mut self) -> Vec<Fault> {
        if self.any_errors() {
            self.0
                .retain(|fault| fault.problem.severity() == Severity::Error);
        }
        self.0.sort_by_key(|fault| fault.span.start);
        self.0
    }
}
