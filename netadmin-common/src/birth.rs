//! What a new cgroup is born with.

use crate::guard::{Assigned, BANKS, GuardRecord, NO_POLICY, Origin};

/// What guards a cgroup, as far as a program could read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing of its own.
    Nothing,
    /// Something, which was replaced each time that it was looked at.
    Unread,
    /// This.
    Guard(GuardRecord),
}

impl Known {
    /// The record, if it could be read.
    #[inline(always)]
    pub fn guard(self) -> Option<GuardRecord> {
        match self {
            Self::Guard(record) => Some(record),
            Self::Nothing | Self::Unread => None,
        }
    }
}

/// What a new cgroup is born with: its creator's policy; else that which its path leads
/// to; else its parent's. (`by_path` has no answer if the path cannot be read.)
///
/// `None` where what guards its creator or parent could not be read. Then it must be left
/// without an entry, and counts as its nearest guarded ancestor does.
#[inline(always)]
pub fn born(
    creator: Known,
    parent: Known,
    by_path: impl FnOnce() -> Option<[Assigned; BANKS]>,
) -> Option<GuardRecord> {
    if matches!(creator, Known::Unread) || matches!(parent, Known::Unread) {
        return None;
    }
    let creator = creator.guard().unwrap_or(GuardRecord::NONE);
    let parent = parent.guard().unwrap_or(GuardRecord::NONE);
    // A child of what a guarded task made is of the same making, whoever makes it.
    if creator.names_a_policy() || parent.origin == Origin::Creator as u32 {
        return Some(inherited(&creator, &parent, Origin::Creator));
    }
    let Some(policies) = by_path() else {
        return Some(inherited(&creator, &parent, Origin::Ancestor));
    };
    let matched = GuardRecord {
        policies,
        ..GuardRecord::NONE
    };
    let origin = if matched.names_a_policy() {
        Origin::Matched
    } else {
        Origin::Ancestor
    };
    Some(inherited(&matched, &parent, origin))
}

/// What comes first, and the parent's where that names no policy. (Where it is not
/// decided yet for this epoch, that stands: the agent decides it.)
#[inline(always)]
fn inherited(first: &GuardRecord, parent: &GuardRecord, origin: Origin) -> GuardRecord {
    let choose = |bank: usize| {
        let (first, parent) = (first.policies[bank], parent.policies[bank]);
        let is_decided = first.epoch == 0 || first.epoch == parent.epoch;
        if first.policy == NO_POLICY && is_decided {
            parent
        } else {
            first
        }
    };
    GuardRecord {
        policies: [choose(0), choose(1)],
        origin: origin as u32,
        // The programs that run for a cgroup's sockets are its parents'.
        flags: parent.flags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::SOCKOPT_ATTACHED;

    const EPOCH: u16 = 2;

    fn assigned(policy: u32) -> Assigned {
        Assigned {
            policy,
            epoch: EPOCH,
        }
    }

    fn guard(policy: u32, origin: Origin) -> Known {
        Known::Guard(GuardRecord {
            policies: [assigned(policy), Assigned::NONE],
            origin: origin as u32,
            flags: SOCKOPT_ATTACHED,
        })
    }

    fn path(policy: u32) -> Option<[Assigned; BANKS]> {
        Some([assigned(policy), Assigned::NONE])
    }

    /// Policy and origin.
    fn outcome(
        creator: Known,
        parent: Known,
        path: Option<[Assigned; BANKS]>,
    ) -> Option<(u32, u32)> {
        let record = born(creator, parent, || path)?;
        Some((record.policy_in(EPOCH), record.origin))
    }

    #[test]
    fn the_creator_comes_first_then_the_path_then_the_parent() {
        let (creator, parent) = (guard(1, Origin::Matched), guard(3, Origin::Matched));
        let says = |policy, origin| Some((policy, origin as u32));
        let nobody = Known::Nothing;
        let cases = [
            (outcome(creator, parent, path(2)), says(1, Origin::Creator)),
            (outcome(nobody, parent, path(2)), says(2, Origin::Matched)),
            (
                outcome(nobody, parent, path(NO_POLICY)),
                says(3, Origin::Ancestor),
            ),
            (outcome(nobody, parent, None), says(3, Origin::Ancestor)),
            (
                outcome(nobody, nobody, path(NO_POLICY)),
                says(NO_POLICY, Origin::Ancestor),
            ),
            // What is below a guarded task's cgroup is never matched by path.
            (
                outcome(nobody, guard(3, Origin::Creator), path(2)),
                says(3, Origin::Creator),
            ),
        ];
        for (number, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found, expected, "case {number}");
        }
    }

    /// It is not taken for none: no entry would then be made, nor would the ancestors
    /// count.
    #[test]
    fn a_guard_that_cannot_be_read_is_not_taken_for_none() {
        let guarded = guard(1, Origin::Matched);
        for other in [Known::Nothing, Known::Unread, guarded] {
            for path in [None, path(2), path(NO_POLICY)] {
                assert_eq!(outcome(Known::Unread, other, path), None, "{other:?}");
                assert_eq!(outcome(other, Known::Unread, path), None, "{other:?}");
            }
        }
    }

    #[test]
    fn where_the_value_program_runs_the_child_has_from_its_parent() {
        let flags = |creator, parent| born(creator, parent, || None).map(|record| record.flags);
        let guarded = guard(1, Origin::Matched);
        assert_eq!(flags(Known::Nothing, guarded), Some(SOCKOPT_ATTACHED));
        assert_eq!(flags(guarded, Known::Nothing), Some(0));
    }
}
