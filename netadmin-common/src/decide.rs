//! The one pure function that everything the agent decides goes through.

use crate::catalogue::OperationKind;
use crate::operation::{Operation, SocketOption, Value};
use crate::policy::{
    MODE_AUDIT, OPTION_FREE, OPTION_VALUES, PROMISCUOUS_DENY, PROMISCUOUS_KEEP_DENY,
    PROMISCUOUS_SIDE_EFFECTS_ALLOW, PolicyRecord,
};

/// The rule of a policy that refuses an operation.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `promiscuous.default`.
    Promiscuous = 1,
    /// `promiscuous.keep`.
    PromiscuousKeep = 2,
    /// `promiscuous.side_effects`.
    PromiscuousSideEffects = 3,
    /// `promiscuous.allow`, whose names a guarded task may not take.
    PromiscuousAllow = 4,
    /// `setsockopt.SO_DEBUG`.
    Debug = 32,
    /// `setsockopt.SO_PRIORITY`.
    Priority = 33,
    /// `setsockopt.SO_SNDBUFFORCE`.
    SndBufForce = 34,
    /// `setsockopt.SO_RCVBUFFORCE`.
    RcvBufForce = 35,
    /// `setsockopt.SO_MARK`.
    Mark = 36,
    /// `net_admin.default`.
    NetAdmin = 64,
    /// `net_admin.deny`.
    NetAdminDeny = 65,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 11] = [
        Self::Promiscuous,
        Self::PromiscuousKeep,
        Self::PromiscuousSideEffects,
        Self::PromiscuousAllow,
        Self::Debug,
        Self::Priority,
        Self::SndBufForce,
        Self::RcvBufForce,
        Self::Mark,
        Self::NetAdmin,
        Self::NetAdminDeny,
    ];

    /// The rule's place in the policy file, as a dotted key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Promiscuous => "promiscuous.default",
            Self::PromiscuousKeep => "promiscuous.keep",
            Self::PromiscuousSideEffects => "promiscuous.side_effects",
            Self::PromiscuousAllow => "promiscuous.allow",
            Self::Debug => "setsockopt.SO_DEBUG",
            Self::Priority => "setsockopt.SO_PRIORITY",
            Self::SndBufForce => "setsockopt.SO_SNDBUFFORCE",
            Self::RcvBufForce => "setsockopt.SO_RCVBUFFORCE",
            Self::Mark => "setsockopt.SO_MARK",
            Self::NetAdmin => "net_admin.default",
            Self::NetAdminDeny => "net_admin.deny",
        }
    }

    /// The rule with this number, from an event record.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| *rule as u16 == number)
    }

    #[inline(always)]
    fn of(option: SocketOption) -> Self {
        match option {
            SocketOption::Debug => Self::Debug,
            SocketOption::Priority => Self::Priority,
            SocketOption::SndBufForce => Self::SndBufForce,
            SocketOption::RcvBufForce => Self::RcvBufForce,
            SocketOption::Mark => Self::Mark,
        }
    }
}

/// What a policy says to an operation. `mode` is not its affair: audit mode
/// reports the same verdict and lets the call pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass, unreported.
    Allow,
    /// It may pass, and is reported (`promiscuous.side_effects = "allow"`).
    Report(Rule),
    /// It is refused.
    Refuse(Rule),
}

/// What `policy` says to `operation`. Total, and constant in time.
#[inline(always)]
pub fn decide(policy: &PolicyRecord, operation: &Operation) -> Verdict {
    // The capability itself is asked for, of an option as of anything else.
    if operation.kind.is_piece() && matches!(operation.value, Value::None) {
        return decide_piece(policy, operation.kind);
    }
    match SocketOption::of_operation(operation.kind) {
        Some(option) => decide_option(policy, option, operation.value),
        None if operation.kind.is_piece() => decide_piece(policy, operation.kind),
        None => decide_promiscuity(policy, operation),
    }
}

#[inline(always)]
fn decide_piece(policy: &PolicyRecord, kind: OperationKind) -> Verdict {
    if !policy.net_admin.refused.contains(kind) {
        Verdict::Allow
    } else if policy.net_admin.denied.contains(kind) {
        Verdict::Refuse(Rule::NetAdminDeny)
    } else {
        Verdict::Refuse(Rule::NetAdmin)
    }
}

#[inline(always)]
fn decide_promiscuity(policy: &PolicyRecord, operation: &Operation) -> Verdict {
    let flags = policy.promiscuous.flags;
    if flags & PROMISCUOUS_DENY == 0 {
        return Verdict::Allow;
    }
    if operation.kind as u16 == OperationKind::PromiscuousExceptedName as u16 {
        return Verdict::Refuse(Rule::PromiscuousAllow);
    }
    if operation.excepted {
        return Verdict::Allow;
    }
    match operation.kind {
        OperationKind::PromiscuousFlag | OperationKind::PromiscuousMembership => {
            Verdict::Refuse(Rule::Promiscuous)
        }
        OperationKind::PromiscuousKeep if flags & PROMISCUOUS_KEEP_DENY == 0 => Verdict::Allow,
        OperationKind::PromiscuousKeep => Verdict::Refuse(Rule::PromiscuousKeep),
        OperationKind::PromiscuousUnjudged => Verdict::Refuse(Rule::Promiscuous),
        _ if flags & PROMISCUOUS_SIDE_EFFECTS_ALLOW != 0 => {
            Verdict::Report(Rule::PromiscuousSideEffects)
        }
        _ => Verdict::Refuse(Rule::PromiscuousSideEffects),
    }
}

/// Whether a device's rise is against `policy`, although it has come about.
/// `direct` says that a flag or a membership brought it, not a side effect. In
/// audit mode nothing is refused, so that nothing can be got past.
#[inline(always)]
pub fn is_breach(policy: &PolicyRecord, excepted: bool, direct: bool) -> bool {
    let flags = policy.promiscuous.flags;
    policy.mode != MODE_AUDIT
        && flags & PROMISCUOUS_DENY != 0
        && !excepted
        && (direct || flags & PROMISCUOUS_SIDE_EFFECTS_ALLOW == 0)
}

#[inline(always)]
fn decide_option(policy: &PolicyRecord, option: SocketOption, value: Value) -> Verdict {
    let rule = &policy.options[option as usize];
    let allowed = match (rule.rule, value) {
        (OPTION_FREE, _) => true,
        (OPTION_VALUES, Value::Known(value)) => rule.allowed.contains(value),
        // The value was judged where it is known; the capability is only asked
        // for what that let pass.
        (OPTION_VALUES, Value::Privileged) => true,
        _ => false,
    };
    if allowed {
        Verdict::Allow
    } else {
        Verdict::Refuse(Rule::of(option))
    }
}
