//! What the host's core says of a request: the same functions, called as the
//! programs call them.

use anyhow::{Result, bail};
use netadmin_common::ioctl::{ioctl_piece, ioctl_piece_besides};
use netadmin_common::netlink::pieces::{changes, creation, deletion};
use netadmin_common::netlink::{
    Class, LinkRequest, LinkView, RTM_NEWLINK, RTM_SETLINK, Step, UNSETTLED_LINKS, Walk, classify,
    is_walked,
};
use netadmin_common::pieces::{LinkPieces, link_number};
use netadmin_common::sockopt::sockopt_piece;
use netadmin_common::{Operation, OperationKind, PolicyRecord, Verdict, decide};

use super::families::Families;
use super::request::Request;

/// `SIOCSIFFLAGS` (linux/sockios.h).
const SIOCSIFFLAGS: u32 = 0x8914;

/// What is to happen.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// EPERM, whatever the kernel would have said.
    Refused(OperationKind),
    /// What somebody without the capability gets.
    AsWithout(OperationKind),
    /// What is got without the agent.
    AsUnguarded,
    /// The policy says of no part alone what becomes of the whole.
    LeftOut,
}

/// What the policy says to the request; `look` finds the device of a request.
pub fn expect(
    policy: &PolicyRecord,
    families: &Families,
    request: &Request,
    look: impl FnMut(&LinkRequest) -> Result<LinkView>,
) -> Result<Expected> {
    let core = Core { policy, families };
    let kind = match request {
        Request::Netlink { protocol, bytes } => return core.datagram(*protocol, bytes, look),
        Request::Ioctl { command, bytes, .. } if *command == SIOCSIFFLAGS => {
            let flags = u16::from_ne_bytes([bytes[16], bytes[17]]);
            return core.flags(&bytes[..15], u32::from(flags), look);
        }
        // It is both: what becomes of the flags, and the way.
        Request::Sysfs {
            device,
            file: "flags",
            text,
        } if !core.refuses(OperationKind::SysfsWrite) => {
            return core.flags(device.as_bytes(), number(text)?, look);
        }
        Request::Ioctl { command, .. } => {
            let kind = ioctl_piece(*command).unwrap_or(OperationKind::Unclassified);
            let besides = ioctl_piece_besides(*command);
            besides.filter(|_| !core.refuses(kind)).unwrap_or(kind)
        }
        Request::Tun(_) => OperationKind::TunAttach,
        Request::SetOption { level, name, .. } => sockopt_piece(*level, *name, false),
        Request::GetOption { level, name, .. } => sockopt_piece(*level, *name, true),
        Request::Socket { .. } => OperationKind::SocketCreate,
        Request::Bind { .. } => OperationKind::NetlinkGroups,
        Request::Sysfs { .. } => OperationKind::SysfsWrite,
        // Of the owner the kernel asks for no capability.
        Request::Sysctl { .. } if core.refuses(OperationKind::SysctlWrite) => {
            return Ok(Expected::Refused(OperationKind::SysctlWrite));
        }
        Request::Sysctl { .. } => return Ok(Expected::AsUnguarded),
    };
    Ok(core.asked(kind))
}

/// As `kstrtoul` reads it.
fn number(text: &str) -> Result<u32> {
    Ok(match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16)?,
        None => text.parse()?,
    })
}

struct Core<'a> {
    policy: &'a PolicyRecord,
    families: &'a Families,
}

/// What a datagram has come to so far.
#[derive(Default)]
struct Sum {
    messages: u32,
    refused: Option<OperationKind>,
    asked: Option<OperationKind>,
}

impl Core<'_> {
    fn refuses(&self, kind: OperationKind) -> bool {
        matches!(
            decide(self.policy, &Operation::piece(kind)),
            Verdict::Refuse(_)
        )
    }

    fn asked(&self, kind: OperationKind) -> Expected {
        if self.refuses(kind) {
            Expected::AsWithout(kind)
        } else {
            Expected::AsUnguarded
        }
    }

    /// The first of the pieces that is refused.
    fn refused_of(&self, pieces: LinkPieces) -> Option<OperationKind> {
        let numbers = (0..LinkPieces::BITS).filter(|bit| pieces & (1 << bit) != 0);
        let kind = |bit| OperationKind::from_number(u16::try_from(link_number(bit)).ok()?);
        numbers.filter_map(kind).find(|kind| self.refuses(*kind))
    }

    fn flags(
        &self,
        device: &[u8],
        flags: u32,
        mut look: impl FnMut(&LinkRequest) -> Result<LinkView>,
    ) -> Result<Expected> {
        let request = LinkRequest {
            has_name: 1,
            name: netadmin_common::Text::new(device).terminated(),
            flags,
            change: u32::MAX,
            ..LinkRequest::default()
        };
        let view = look(&request)?;
        let pieces =
            changes(&request, &view) & !self.policy.grants.links_on(&view.device, &view.lower);
        Ok(self
            .refused_of(pieces)
            .map_or(Expected::AsUnguarded, Expected::AsWithout))
    }

    fn datagram(
        &self,
        protocol: u16,
        bytes: &[u8],
        mut look: impl FnMut(&LinkRequest) -> Result<LinkView>,
    ) -> Result<Expected> {
        let mut sum = Sum::default();
        if !is_walked(protocol) {
            self.message(protocol, 0, 0, &mut sum);
            return Ok(sum.expected());
        }
        let mut walk = Walk::default();
        walk.begin(protocol, u32::try_from(bytes.len())?);
        loop {
            match walk.step(bytes) {
                Step::More => {}
                Step::Message => self.on_device(protocol, &walk, &mut look, &mut sum)?,
                Step::Link => self.link(&mut walk, &mut look, &mut sum)?,
                Step::Done => return Ok(sum.expected()),
                Step::Unreadable => bail!("the walk cannot read a slice"),
            }
        }
    }

    /// A message that may have the index of its device.
    fn on_device(
        &self,
        protocol: u16,
        walk: &Walk,
        look: &mut impl FnMut(&LinkRequest) -> Result<LinkView>,
        sum: &mut Sum,
    ) -> Result<()> {
        let class = classify(protocol, walk.message_type, walk.family);
        let index = LinkRequest {
            index: walk.index,
            ..LinkRequest::default()
        };
        if let Class::Sent(kind) = class
            && walk.unstable & UNSETTLED_LINKS == 0
            && index.by_index()
            && self.refuses(kind)
            && self.policy.grants.hold(kind, &look(&index)?.device)
        {
            sum.messages += 1;
            return Ok(());
        }
        self.message(protocol, walk.message_type, walk.family, sum);
        Ok(())
    }

    fn message(&self, protocol: u16, message_type: u16, family: u8, sum: &mut Sum) {
        sum.messages += 1;
        let (kind, place) = match classify(protocol, message_type, family) {
            Class::Nothing | Class::Link => return,
            Class::Sent(kind) => (kind, &mut sum.refused),
            Class::Asked(kind) => (kind, &mut sum.asked),
            Class::Family => (self.families.operation(message_type), &mut sum.asked),
        };
        if self.refuses(kind) {
            *place = Some(kind);
        }
    }

    fn link(
        &self,
        walk: &mut Walk,
        look: &mut impl FnMut(&LinkRequest) -> Result<LinkView>,
        sum: &mut Sum,
    ) -> Result<()> {
        let is_whole = !matches!(walk.link.message_type as u16, RTM_NEWLINK | RTM_SETLINK);
        if walk.link.of_bridge != 0 || is_whole {
            self.on_device(0, walk, look, sum)?;
            sum.refused = self.refused_of(deletion(&walk.link)).or(sum.refused);
        } else {
            sum.messages += 1;
            let mut view = look(&walk.link)?;
            view.unstable |= walk.unstable;
            let known = view.unstable & UNSETTLED_LINKS == 0 && walk.link.other_namespace == 0;
            let granted = self.policy.grants.links_on(&view.device, &view.lower) * u64::from(known);
            let pieces = changes(&walk.link, &view) & !granted | creation(&walk.link);
            sum.refused = self.refused_of(pieces).or(sum.refused);
        }
        if sum.refused.is_none() {
            walk.unstable |= walk.link.unsettles();
        }
        Ok(())
    }
}

impl Sum {
    fn expected(&self) -> Expected {
        match (self.refused, self.asked) {
            (Some(kind), _) => Expected::Refused(kind),
            // What is asked for one message is answered for all.
            (None, Some(_)) if self.messages > 1 => Expected::LeftOut,
            (None, Some(kind)) => Expected::AsWithout(kind),
            (None, None) => Expected::AsUnguarded,
        }
    }
}
