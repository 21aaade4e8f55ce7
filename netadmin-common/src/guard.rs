//! Which policy a cgroup has, and why.

/// How many sets of policies the maps hold: the one in force, and the one that
/// a reload prepares. Turning from one to the other is one write.
pub const BANKS: usize = 2;

/// [`Assigned::policy`]: no policy applies.
pub const NO_POLICY: u32 = u32::MAX;

/// The bank of the policies that an epoch brings into force. Epochs are even and odd in
/// turn; a reload that fails uses one up.
pub const fn bank_of(epoch: u16) -> usize {
    epoch as usize % BANKS
}

/// Words of the map `BANK`, after the epoch in force: how many globs each bank has.
pub const GLOB_COUNTS: u32 = 1;

/// And of which epoch these are, 0 while it is none's.
pub const EPOCHS: u32 = GLOB_COUNTS + BANKS as u32;

/// How many words there are.
pub const BANK_WORDS: u32 = EPOCHS + BANKS as u32;

/// The epoch of an agent's first policies. (0 is nobody's.)
pub const FIRST_EPOCH: u16 = 2;

/// The longest name of a policy, in bytes.
pub const POLICY_NAME_LEN: usize = 64;

/// Why a cgroup is guarded.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A policy's `match.cgroups` names its path.
    Matched = 1,
    /// It was made by a guarded task, whose policy it has; never matched by path.
    Creator = 2,
    /// Nothing matches it; its nearest guarded ancestor's policy holds.
    Ancestor = 3,
}

impl Origin {
    /// The origin with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Matched, Self::Creator, Self::Ancestor]
            .into_iter()
            .find(|origin| *origin as u32 == number)
    }
}

/// The `cgroup/setsockopt` program is in effect for sockets of this cgroup.
pub const SOCKOPT_ATTACHED: u32 = 1;

/// The policies are those of the nearest guarded cgroup above: without the entry
/// they would be no others.
pub const INHERITS: u32 = 2;

/// What one bank says of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Index into the policy map, or [`NO_POLICY`].
    pub policy: u32,
    /// The epoch for which it was decided. In any other it says nothing.
    pub epoch: u16,
}

impl Assigned {
    /// Nothing is decided.
    pub const NONE: Self = Self {
        policy: NO_POLICY,
        epoch: 0,
    };

    /// A word that says this, of no cgroup: see [`assigned`].
    #[inline(always)]
    pub const fn word(self) -> u64 {
        (self.epoch as u64) << EPOCH | (self.policy as u64 & NO_POLICY_HERE) << POLICY
    }
}

/// What guards a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRecord {
    /// For each bank.
    pub policies: [Assigned; BANKS],
    /// An [`Origin`], or 0.
    pub origin: u32,
    /// Bits such as [`SOCKOPT_ATTACHED`].
    pub flags: u32,
}

impl GuardRecord {
    /// The record of a cgroup that no policy applies to.
    pub const NONE: Self = Self {
        policies: [Assigned::NONE; BANKS],
        origin: 0,
        flags: 0,
    };

    /// The policy while this epoch is in force: that of its bank; or, where nothing is
    /// decided for it yet, the one before, which the other bank keeps until then.
    pub fn policy_in(&self, epoch: u16) -> u32 {
        let bank = bank_of(epoch);
        if self.is_decided(epoch) {
            self.policies[bank].policy
        } else {
            self.policies[(bank + 1) % BANKS].policy
        }
    }

    /// Whether it says what an epoch means for the cgroup.
    pub fn is_decided(&self, epoch: u16) -> bool {
        self.policies[bank_of(epoch)].epoch == epoch
    }

    /// Whether any bank names a policy.
    pub fn names_a_policy(&self) -> bool {
        self.policies.iter().any(|bank| bank.policy != NO_POLICY)
    }

    /// Whether it says no more than that of the nearest guarded cgroup above.
    pub fn inherits(&self) -> bool {
        self.flags & INHERITS != 0
    }

    /// The same record, said to inherit or not.
    #[must_use]
    pub fn inheriting(self, inherits: bool) -> Self {
        let others = self.flags & !INHERITS;
        let flags = if inherits { others | INHERITS } else { others };
        Self { flags, ..self }
    }
}

/// The value of the guard map, whose key is the cgroup v2 id (`kernfs_node.id`).
///
/// The kernel uses the memory of an entry that is replaced or removed again at once
/// (`bpf_mem_alloc`), while a program may be reading it. So all that a bank says is in one
/// word, which is read at once, and says whose it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardEntry {
    /// For each bank. Lowest bits first: 32 of the cgroup's id, 16 of the epoch, 12 of the
    /// policy, 2 of the origin, 2 flags. (Whose it is comes first, for who copies it byte
    /// by byte, upwards.)
    pub banks: [u64; BANKS],
    /// The key again.
    pub cgroup: u64,
}

/// Where the epoch begins in a word.
pub const EPOCH: u32 = 32;
/// Where the policy does.
pub const POLICY: u32 = 48;
const ORIGIN: u32 = 60;
const FLAGS: u32 = 62;
/// [`NO_POLICY`] in the 12 bits of a word; the policies of all banks have smaller numbers.
pub const NO_POLICY_HERE: u64 = 0xfff;

impl GuardEntry {
    /// That of a cgroup.
    #[inline(always)]
    pub fn new(cgroup: u64, record: &GuardRecord) -> Self {
        let common = cgroup & u64::from(u32::MAX)
            | u64::from(record.origin & 3) << ORIGIN
            | u64::from(record.flags & 3) << FLAGS;
        let word = |bank: usize| common | record.policies[bank].word();
        Self {
            banks: [word(0), word(1)],
            cgroup,
        }
    }

    /// What these words, which were each read at once, say of a cgroup; `None` if one is
    /// another's.
    #[inline(always)]
    pub fn record(cgroup: u64, banks: [u64; BANKS]) -> Option<GuardRecord> {
        (is_of(banks[0], cgroup) && is_of(banks[1], cgroup)).then(|| GuardRecord {
            policies: [assigned(banks[0]), assigned(banks[1])],
            origin: (banks[0] >> ORIGIN) as u32 & 3,
            flags: flags(banks[0]),
        })
    }
}

/// Whether a word says something of this cgroup. (The lower half of an id is not used
/// again before 2^31 others: `__kernfs_new_node`.)
#[inline(always)]
pub const fn is_of(word: u64, cgroup: u64) -> bool {
    (word ^ cgroup) << 32 == 0
}

/// What a word says.
#[inline(always)]
pub const fn assigned(word: u64) -> Assigned {
    let policy = word >> POLICY & NO_POLICY_HERE;
    Assigned {
        policy: if policy == NO_POLICY_HERE {
            NO_POLICY
        } else {
            policy as u32
        },
        epoch: (word >> EPOCH) as u16,
    }
}

/// [`GuardRecord::flags`] of a word.
#[inline(always)]
pub const fn flags(word: u64) -> u32 {
    (word >> FLAGS) as u32
}

/// How many entries of the guard map may be such that inherit ([`INHERITS`]): whoever may make
/// cgroups makes as many of these as he likes, and they must not leave others
/// without a place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Those that the agent has entered, less those that it has removed. (The
    /// programs count theirs apart.)
    pub admitted: i64,
    /// Most of both.
    pub most: i64,
}

impl Room {
    /// Three quarters of the map.
    pub fn of(limit: u32) -> Self {
        Self {
            admitted: 0,
            most: i64::from(limit) * 3 / 4,
        }
    }
}

impl Default for GuardRecord {
    fn default() -> Self {
        Self::NONE
    }
}

/// Which agent's programs have reported what a task does, while two sets of
/// programs are attached: for each task. Never changes its layout, since sets of
/// different versions share it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handover {
    /// The newer set's generation.
    pub generation: u32,
    /// How many of its reports the older set has yet to find out for itself,
    /// and then must not repeat.
    pub ahead: u32,
}

const _: () = assert!(size_of::<GuardEntry>() == 24);
const _: () = assert!(size_of::<Handover>() == 8);
const _: () = assert!(size_of::<Room>() == 16);

/// Places of the map `ENTERED`: so many ids of cgroups are told apart.
pub const ENTERED_LEN: u32 = 1 << 17;

/// The place of a cgroup's id in the map `ENTERED`, below [`ENTERED_LEN`].
#[inline(always)]
pub fn entered_place(cgroup: u64) -> u32 {
    cgroup as u32 & (ENTERED_LEN - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: GuardRecord = GuardRecord {
        policies: [
            Assigned {
                policy: 1023,
                epoch: 65_534,
            },
            Assigned {
                policy: NO_POLICY,
                epoch: 7,
            },
        ],
        origin: Origin::Ancestor as u32,
        flags: SOCKOPT_ATTACHED | INHERITS,
    };

    #[test]
    fn an_entry_says_what_was_written_and_of_whom() {
        let id = 0x0000_0003_8000_0001;
        let entry = GuardEntry::new(id, &RECORD);
        assert_eq!(GuardEntry::record(id, entry.banks), Some(RECORD));
        assert_eq!(GuardEntry::record(id + 1, entry.banks), None);
        let other = GuardEntry::new(id + 1, &RECORD);
        let mixed = [entry.banks[0], other.banks[1]];
        assert_eq!(GuardEntry::record(id, mixed), None);
    }

    #[test]
    fn what_is_not_decided_for_an_epoch_is_as_in_the_one_before() {
        assert_eq!(RECORD.policy_in(7), NO_POLICY);
        assert_eq!(RECORD.policy_in(65_534), 1023);
        assert_eq!(RECORD.policy_in(65_535), 1023);
        assert!(!RECORD.is_decided(9) && RECORD.is_decided(7));
    }
}
