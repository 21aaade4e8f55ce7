//! What the programs ask before anything else: whether a call can matter under
//! any policy in force. One small record, so that most calls end after a load and
//! a comparison.

use crate::operation::SocketOption;
use crate::policy::{OPTION_FREE, OPTION_VALUES, PolicyRecord};

/// Which calls can matter. Each bit of a mask is the number of a socket option, modulo
/// 64, at whatever level: what else has the same bit is told apart later.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Options that some policy rules on by value, and memberships.
    pub values: u64,
    /// Options that `capable` decides, and so matter only where the registers may
    /// not name them. None of [`Watched::values`].
    pub lines: u64,
    /// Whether some policy rules on pieces of the capability, 0 or 1.
    pub pieces: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Watched>() == 24);

/// `PACKET_ADD_MEMBERSHIP` (linux/if_packet.h).
const PACKET_ADD_MEMBERSHIP: u32 = 1;

impl Watched {
    /// Everything.
    pub const ALL: Self = Self {
        values: u64::MAX,
        lines: 0,
        pieces: 1,
        reserved: 0,
    };

    /// What these policies rule on.
    pub fn of<'a>(policies: impl IntoIterator<Item = &'a PolicyRecord>) -> Self {
        let mut watched = Self::default();
        for policy in policies {
            watched.add(policy);
        }
        if watched.pieces != 0 {
            // For some calls only `socket_setsockopt` knows the option.
            watched.lines = u64::MAX;
        }
        watched.lines &= !watched.values;
        watched
    }

    fn add(&mut self, policy: &PolicyRecord) {
        self.pieces |= u32::from(policy.rules_net_admin());
        self.values |= u64::from(policy.rules_promiscuity()) << PACKET_ADD_MEMBERSHIP;
        for option in SocketOption::ALL {
            let bit = 1 << option.number();
            match policy.options[option as usize].rule {
                OPTION_FREE => {}
                OPTION_VALUES => self.values |= bit,
                _ => self.lines |= bit,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::OperationKind;
    use crate::policy::{OPTION_DENY, OPTION_KERNEL_LINE, PROMISCUOUS_DENY};

    const SO_DEBUG: u64 = 1 << 1;
    const SO_PRIORITY: u64 = 1 << 12;
    const SO_MARK: u64 = 1 << 36;

    fn policy(rules: &[(SocketOption, u32)]) -> PolicyRecord {
        let mut policy = PolicyRecord::EMPTY;
        for (option, rule) in rules {
            policy.options[*option as usize].rule = *rule;
        }
        policy
    }

    #[test]
    fn a_policy_without_rules_watches_nothing() {
        assert_eq!(Watched::of([&PolicyRecord::EMPTY]), Watched::default());
    }

    #[test]
    fn options_are_watched_by_their_numbers() {
        let policy = policy(&[
            (SocketOption::Debug, OPTION_DENY),
            (SocketOption::Priority, OPTION_KERNEL_LINE),
            (SocketOption::Mark, OPTION_VALUES),
        ]);
        let watched = Watched::of([&policy]);
        assert_eq!(watched.lines, SO_DEBUG | SO_PRIORITY);
        assert_eq!(watched.values, SO_MARK);
    }

    #[test]
    fn of_two_policies_the_one_that_needs_the_value_counts() {
        let line = policy(&[(SocketOption::Priority, OPTION_KERNEL_LINE)]);
        let value = policy(&[(SocketOption::Priority, OPTION_VALUES)]);
        for pair in [[&line, &value], [&value, &line]] {
            let watched = Watched::of(pair);
            assert_eq!((watched.values, watched.lines), (SO_PRIORITY, 0));
        }
    }

    #[test]
    fn memberships_are_watched_where_promiscuity_is_ruled_on() {
        let mut policy = policy(&[(SocketOption::Debug, OPTION_DENY)]);
        policy.promiscuous.flags = PROMISCUOUS_DENY;
        let watched = Watched::of([&policy]);
        assert_eq!((watched.values, watched.lines), (1 << 1, 0));
    }

    #[test]
    fn pieces_make_every_option_matter() {
        let mut policy = policy(&[(SocketOption::Mark, OPTION_VALUES)]);
        policy.net_admin.refused.insert(OperationKind::SocketCreate);
        let watched = Watched::of([&PolicyRecord::EMPTY, &policy]);
        assert_eq!(watched.pieces, 1);
        assert_eq!(watched.lines, !SO_MARK);
    }
}
