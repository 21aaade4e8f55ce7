//! New cgroups that were to be guarded and could not be entered, while nothing above
//! them is guarded: for want of room or of memory, or because what guards their maker
//! could not be read.
//!
//! Ids of cgroups only go up, so such a one and all below it are among those with an id
//! from the first one's on. Until the agent has seen to each, who is in one of these and
//! has no entry is under what the strictest policies say.

/// [`Unentered::scope`]: the whole tree.
pub const EVERYWHERE: u64 = 0;

/// Where they are. The programs write it, one at a time (`TRACE_CGROUP_PATH`); the agent
/// says up to which number it has seen to them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unentered {
    /// How many there were, ever.
    pub noted: u64,
    /// The lowest id of those that the agent has not seen to.
    pub first: u64,
    /// The cgroup right below the root that these are in, or [`EVERYWHERE`].
    pub scope: u64,
}

impl Unentered {
    /// With one more, in the cgroup `top` right below the root.
    #[inline(always)]
    #[must_use]
    pub fn with(self, id: u64, top: u64, settled: u64) -> Self {
        let noted = self.noted + 1;
        if self.noted == settled {
            let (first, scope) = (id, top);
            return Self {
                noted,
                first,
                scope,
            };
        }
        Self {
            noted,
            first: if id < self.first { id } else { self.first },
            scope: if top == self.scope { top } else { EVERYWHERE },
        }
    }

    /// Whether a cgroup without an entry, below `top`, may be one or below one.
    #[inline(always)]
    pub fn may_hold(&self, id: u64, top: u64, settled: u64) -> bool {
        self.noted != settled && id >= self.first && (self.scope == EVERYWHERE || self.scope == top)
    }
}

const _: () = assert!(size_of::<Unentered>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEPODS: u64 = 20;
    const SYSTEM: u64 = 21;

    #[test]
    fn one_holds_itself_and_what_is_made_later_beside_and_below_it() {
        let one = Unentered::default().with(100, KUBEPODS, 0);
        let held = |id, top| one.may_hold(id, top, 0);
        assert!(held(100, KUBEPODS) && held(101, KUBEPODS));
        assert!(!held(99, KUBEPODS) && !held(101, SYSTEM));
    }

    /// Ids are given out before births are told, so a lower one may come later.
    #[test]
    fn two_hold_what_either_does() {
        let two = |top| {
            let one = Unentered::default().with(100, KUBEPODS, 0);
            one.with(90, top, 0)
        };
        assert!(two(KUBEPODS).may_hold(90, KUBEPODS, 0));
        assert!(!two(KUBEPODS).may_hold(90, SYSTEM, 0));
        for top in [KUBEPODS, SYSTEM] {
            assert!(two(SYSTEM).may_hold(90, top, 0));
            assert!(!two(SYSTEM).may_hold(89, top, 0));
        }
    }

    #[test]
    fn what_is_settled_is_forgotten_and_no_more() {
        let one = Unentered::default().with(100, KUBEPODS, 0);
        assert!(!one.may_hold(100, KUBEPODS, 1));
        // The next one begins anew.
        let next = one.with(200, SYSTEM, 1);
        assert!(next.may_hold(200, SYSTEM, 1));
        assert!(!next.may_hold(200, KUBEPODS, 1) && !next.may_hold(199, SYSTEM, 1));
        // One that comes while the first is being settled does not.
        let meanwhile = one.with(200, SYSTEM, 0);
        assert!(meanwhile.may_hold(100, KUBEPODS, 1));
    }

    #[test]
    fn nothing_is_held_before_any_was_noted() {
        assert!(!Unentered::default().may_hold(u64::MAX, KUBEPODS, 0));
    }
}
