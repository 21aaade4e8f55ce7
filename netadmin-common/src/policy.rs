//! The compiled policy: one fixed-size record, whatever the number of rules.

use crate::bits::{nonzero, not, opaque};
use crate::device::{Device, IFNAMSIZ};
use crate::grants::Grants;
use crate::operation::SOCKET_OPTIONS;
use crate::pieces::{NetAdminRecord, PieceSet};
use crate::text::Text;
use crate::value::ValueSet;

/// How many interface exceptions one policy holds.
pub const MAX_EXCEPTIONS: usize = 8;

/// Refuse, and report.
pub const MODE_ENFORCE: u32 = 0;
/// Let pass, and report.
pub const MODE_AUDIT: u32 = 1;

/// [`PromiscuousRecord::flags`]: raising promiscuity is refused.
pub const PROMISCUOUS_DENY: u32 = 1;
/// [`PromiscuousRecord::flags`]: so is keeping it.
pub const PROMISCUOUS_KEEP_DENY: u32 = 2;
/// [`PromiscuousRecord::flags`]: side effects that raise it are let pass.
pub const PROMISCUOUS_SIDE_EFFECTS_ALLOW: u32 = 4;
/// [`PromiscuousRecord::flags`]: some exception goes by name.
pub const PROMISCUOUS_NAMES_EXCEPTED: u32 = 8;
/// [`PromiscuousRecord::flags`]: a task that raises it all the same is killed.
pub const PROMISCUOUS_KILL: u32 = 16;

/// An interface exception that matches the whole name.
pub const EXCEPTION_NAME: u32 = 1;
/// An interface exception that matches how the name begins (`tap*`).
pub const EXCEPTION_PREFIX: u32 = 2;
/// An interface exception that matches the link kind (`{ kind = "tun" }`).
pub const EXCEPTION_KIND: u32 = 3;

/// An entry of `promiscuous.allow`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// One of the `EXCEPTION_*` constants; 0 for an unused entry.
    pub by: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// The name, its beginning, or the kind.
    pub text: Text,
    /// Ones in the bytes that must be equal.
    pub mask: Text,
}

impl Exception {
    /// An entry that is not in use.
    pub const UNUSED: Self = Self {
        by: 0,
        reserved: 0,
        text: Text::EMPTY,
        mask: Text::EMPTY,
    };

    /// The exception of the one device of this name.
    pub fn name(name: &str) -> Self {
        Self {
            by: EXCEPTION_NAME,
            text: Text::new(name.as_bytes()),
            mask: ALL,
            reserved: 0,
        }
    }

    /// The exception of all devices whose name begins so.
    pub fn prefix(prefix: &str) -> Self {
        let text = Text::new(prefix.as_bytes());
        Self {
            by: EXCEPTION_PREFIX,
            text,
            mask: ALL.first(prefix.len() as u32),
            reserved: 0,
        }
    }

    /// The exception of all devices of this link kind.
    pub fn kind(kind: &str) -> Self {
        Self {
            by: EXCEPTION_KIND,
            text: Text::new(kind.as_bytes()),
            mask: ALL,
            reserved: 0,
        }
    }

    /// Whether it is one of those that it names.
    #[inline(always)]
    pub fn matches(&self, device: &Device) -> bool {
        // (Chosen without a branch: the verifier follows each way through one, and
        // eight exceptions have many.)
        let of_kind = not(nonzero(u64::from(self.by ^ EXCEPTION_KIND)));
        let subject = device
            .name
            .or_where(opaque(of_kind.wrapping_neg()), &device.kind);
        subject.equals_under(&self.text, &self.mask)
    }

    #[inline(always)]
    fn matches_name(&self, name: &Text, mask: &Text) -> bool {
        self.by != EXCEPTION_KIND && name.equals_under(&self.text, &self.mask.and(mask))
    }
}

const ALL: Text = Text::new(&[0xff; IFNAMSIZ]);

/// The section `[policy.promiscuous]`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromiscuousRecord {
    /// `PROMISCUOUS_*` bits.
    pub flags: u32,
    /// How many of `exceptions` are in use.
    pub len: u32,
    /// `promiscuous.allow`.
    pub exceptions: [Exception; MAX_EXCEPTIONS],
}

/// No rule: the option is the kernel's affair. (What a policy must say.)
pub const OPTION_FREE: u32 = 0;
/// Refused where the kernel asks for the capability, whatever the value.
pub const OPTION_DENY: u32 = 1;
/// The kernel's own line is the rule: refused where it asks for the capability
/// (`SO_PRIORITY` outside `0..=6`). Decided like [`OPTION_DENY`], reported apart.
pub const OPTION_KERNEL_LINE: u32 = 2;
/// Only the values of the set may be set.
pub const OPTION_VALUES: u32 = 3;

/// The rule on one socket option.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRecord {
    /// One of the `OPTION_*` constants. An unknown one refuses.
    pub rule: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// What [`OPTION_VALUES`] allows.
    pub allowed: ValueSet,
}

/// The value of the policy map: what one `[[policy]]` of the file says.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// [`MODE_ENFORCE`] or [`MODE_AUDIT`].
    pub mode: u32,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// The pieces of the capability.
    pub net_admin: NetAdminRecord,
    /// What of them is granted on some interfaces alone.
    pub grants: Grants,
    /// Promiscuous mode.
    pub promiscuous: PromiscuousRecord,
    /// Socket options, indexed by [`crate::SocketOption`].
    pub options: [OptionRecord; SOCKET_OPTIONS],
}

const _: () = assert!(size_of::<Exception>() == 40);
const _: () = assert!(size_of::<PromiscuousRecord>() == 8 + 40 * MAX_EXCEPTIONS);
const _: () = assert!(size_of::<OptionRecord>() == 8 + size_of::<ValueSet>());
const _: () = assert!(
    size_of::<PolicyRecord>()
        == 8 + size_of::<NetAdminRecord>()
            + size_of::<Grants>()
            + size_of::<PromiscuousRecord>()
            + SOCKET_OPTIONS * size_of::<OptionRecord>()
);

impl PolicyRecord {
    /// A policy without a rule: it lets everything pass.
    pub const EMPTY: Self = Self {
        mode: MODE_ENFORCE,
        reserved: 0,
        net_admin: NetAdminRecord {
            refused: PieceSet::EMPTY,
            denied: PieceSet::EMPTY,
        },
        grants: Grants::EMPTY,
        promiscuous: PromiscuousRecord {
            flags: 0,
            len: 0,
            exceptions: [Exception::UNUSED; MAX_EXCEPTIONS],
        },
        options: [OptionRecord {
            rule: OPTION_FREE,
            reserved: 0,
            allowed: ValueSet::EMPTY,
        }; SOCKET_OPTIONS],
    };

    /// One that refuses whatever any of these refuses, with no exceptions.
    pub fn strictest<'a>(policies: impl IntoIterator<Item = &'a Self>) -> Self {
        const STRICT: u32 = PROMISCUOUS_DENY | PROMISCUOUS_KEEP_DENY;
        let mut strictest = Self::EMPTY;
        let enforced = policies.into_iter().filter(|one| one.mode != MODE_AUDIT);
        for policy in enforced {
            strictest
                .net_admin
                .refused
                .extend(&policy.net_admin.refused);
            strictest.promiscuous.flags |= policy.promiscuous.flags & STRICT;
            for (option, other) in strictest.options.iter_mut().zip(&policy.options) {
                option.rule = match (option.rule, other.rule) {
                    (rule, OPTION_FREE) => rule,
                    // And none is allowed.
                    (OPTION_VALUES, _) | (_, OPTION_VALUES) => OPTION_VALUES,
                    _ => OPTION_DENY,
                };
            }
        }
        strictest
    }

    /// Whether an entry of `promiscuous.allow` matches this device. The caller
    /// asks it for the device and for every device below it.
    #[inline(always)]
    pub fn excepts(&self, device: &Device) -> bool {
        let mut index = 0;
        while index < MAX_EXCEPTIONS {
            if index as u32 >= self.promiscuous.len {
                return false;
            }
            if self.promiscuous.exceptions[index].matches(device) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether it excepts a device and the one device below it, if there is one.
    #[inline(always)]
    pub fn excepts_stack(&self, device: &Device, lower: &Device) -> bool {
        device.index != 0
            && self.excepts(device)
            && (device.stacked == 0 || self.excepts_lowest(lower))
    }

    /// Whether it excepts a device that has none below it.
    #[inline(always)]
    pub fn excepts_lowest(&self, lower: &Device) -> bool {
        lower.index != 0 && lower.stacked == 0 && self.excepts(lower)
    }

    /// Whether every device of this link kind is excepted.
    #[inline(always)]
    pub fn excepts_kind(&self, kind: &Text) -> bool {
        let mut index = 0;
        while index < MAX_EXCEPTIONS {
            if index as u32 >= self.promiscuous.len {
                return false;
            }
            let exception = &self.promiscuous.exceptions[index];
            if exception.by == EXCEPTION_KIND && kind.equals_under(&exception.text, &exception.mask)
            {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether a device that is given this name may then be excepted by its
    /// name alone. Of `tap%d` the kernel makes `tap0` (`dev_prep_valid_name`),
    /// so that what precedes the `%` decides.
    #[inline(always)]
    pub fn excepts_name(&self, name: &Text) -> bool {
        self.excepts_under(name, &name.mask_before(b'%'))
    }

    /// Whether a device that is given this name and a number may then be
    /// excepted by its name alone.
    #[inline(always)]
    pub fn excepts_numbered(&self, stem: &Text) -> bool {
        self.excepts_under(stem, &stem.mask_before(0))
    }

    #[inline(always)]
    fn excepts_under(&self, name: &Text, mask: &Text) -> bool {
        let mut index = 0;
        while index < MAX_EXCEPTIONS {
            if index as u32 >= self.promiscuous.len {
                return false;
            }
            if self.promiscuous.exceptions[index].matches_name(name, mask) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Whether any piece of the capability is refused.
    #[inline(always)]
    pub fn rules_net_admin(&self) -> bool {
        !self.net_admin.refused.is_empty()
    }

    /// Whether promiscuity is ruled on at all.
    #[inline(always)]
    pub fn rules_promiscuity(&self) -> bool {
        self.promiscuous.flags & PROMISCUOUS_DENY != 0
    }

    /// Whether the program that sees the values of socket options is needed: for
    /// packet memberships, and for rules on values.
    pub fn needs_value_program(&self) -> bool {
        let by_value = |option: &OptionRecord| option.rule == OPTION_VALUES;
        self.rules_promiscuity() || self.options.iter().any(by_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::OperationKind;
    use crate::operation::{Operation, SocketOption, Value};
    use crate::{Range, Verdict, decide};

    fn refuses(policy: &PolicyRecord, kind: OperationKind, value: Value) -> bool {
        let operation = Operation {
            kind,
            value,
            excepted: true,
        };
        matches!(decide(policy, &operation), Verdict::Refuse(_))
    }

    #[test]
    fn the_strictest_refuses_what_any_refuses_and_no_more() {
        let mut values = PolicyRecord::EMPTY;
        let mark = &mut values.options[SocketOption::Mark as usize];
        mark.rule = OPTION_VALUES;
        mark.allowed.len = 1;
        mark.allowed.ranges[0] = Range {
            first: 13,
            last: 13,
        };
        let mut others = PolicyRecord::EMPTY;
        others.options[SocketOption::Debug as usize].rule = OPTION_DENY;
        others.promiscuous.flags = PROMISCUOUS_DENY | PROMISCUOUS_SIDE_EFFECTS_ALLOW;
        others.net_admin.refused.insert(OperationKind::LinkMtu);
        let mut audit = PolicyRecord::EMPTY;
        audit.mode = MODE_AUDIT;
        audit.options[SocketOption::Priority as usize].rule = OPTION_DENY;

        let strictest = PolicyRecord::strictest([&values, &others, &audit]);
        let option = |option: SocketOption, value| refuses(&strictest, option.operation(), value);
        assert!(option(SocketOption::Mark, Value::Known(13)));
        assert!(option(SocketOption::Mark, Value::Unknown));
        assert!(option(SocketOption::Debug, Value::Privileged));
        assert!(!option(SocketOption::Priority, Value::Privileged));
        assert!(refuses(&strictest, OperationKind::LinkMtu, Value::None));
        assert!(!refuses(&strictest, OperationKind::LinkUp, Value::None));
        let port = Operation {
            kind: OperationKind::PromiscuousBridgePort,
            value: Value::None,
            excepted: false,
        };
        assert!(matches!(decide(&strictest, &port), Verdict::Refuse(_)));
        assert_eq!(PolicyRecord::strictest([&audit]), PolicyRecord::EMPTY);
    }
}
