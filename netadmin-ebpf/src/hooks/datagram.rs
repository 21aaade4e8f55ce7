//! `netlink_send`: rtnetlink messages, after the kernel has copied them.
//!
//! Called by `netlink_sendmsg` in the sender's context for every netlink
//! family, before delivery. One datagram holds any number of messages; one
//! refused message refuses them all. Why not later: rtnetlink asks for the
//! capability once for each message, under no lock and before it is parsed.

use core::{
    ffi::c_void,
    ptr::{self, from_mut},
};

use aya_ebpf::{helpers::generated::bpf_loop, macros::lsm, programs::LsmContext};
use netadmin_common::{
    GuardEntry, OperationKind, Text, Via,
    netlink::{
        Bytes, FAMILY_RAISES, FAMILY_REMOVES, LinkView, MAX_STEPS, NETLINK_GENERIC, NETLINK_ROUTE,
        NETLINK_USERSOCK, NLMSG_HDRLEN, OVS_CMD_NEW, Plain, RTM_NEWLINK, RTM_SETLINK, Step,
        UNSETTLED_LINKS, Walk, is_change_of_links, is_walked, pieces::deletion, removes_devices,
    },
};

use super::{
    leaving, links,
    pieces::{self, Message},
};
use crate::{
    guard,
    kernel::{Address, argument_u32, cast, field, layout},
    maps::{CALLS, FAMILIES, JUDGEMENTS},
    report::{self, EPERM, Question},
    watched,
};

/// A datagram under judgement; too large for a program's stack.
#[repr(C)]
pub struct Judgement {
    /// Where the walk is.
    pub walk: Walk,
    /// The devices that the message at hand is about.
    pub view: LinkView,
}

/// Hook `netlink_send(sk, skb)`.
#[lsm(hook = "netlink_send")]
pub fn netlink_send(ctx: LsmContext) -> i32 {
    if argument_u32(&ctx, 2) != 0 {
        return ctx.arg(2);
    }
    let protocol = protocol_of(&ctx);
    if !watched::pieces() {
        let (data, len) = content(&ctx);
        if !may_raise(protocol) || cannot_matter(protocol, data, len) {
            return 0;
        }
    }
    match guard::entry() {
        Some(entry) => judge(ctx, entry),
        None => 0,
    }
}

/// Open vSwitch is of generic netlink.
#[inline(always)]
fn may_raise(protocol: u16) -> bool {
    protocol == NETLINK_ROUTE || protocol == NETLINK_GENERIC
}

#[inline(always)]
fn protocol_of(ctx: &LsmContext) -> u16 {
    // SAFETY: `sk` is typed, and `sk_protocol` is a u16.
    unsafe { field(ctx.arg(0), &layout::SOCK_PROTOCOL) }
}

/// Where the datagram lies, and how long it is.
#[inline(always)]
fn content(ctx: &LsmContext) -> (Address, u32) {
    let skb: *const u8 = ctx.arg(1);
    // SAFETY: `skb` is typed; `data` is a pointer, and `len` an unsigned int.
    unsafe {
        let data: u64 = field(skb, &layout::SK_BUFF_DATA);
        (Address::from_field(data), field(skb, &layout::SK_BUFF_LEN))
    }
}

/// (Apart: a program saves the registers that it uses anywhere, each time.)
#[inline(never)]
fn judge(ctx: LsmContext, entry: &GuardEntry) -> i32 {
    let Some(guard) = guard::of_entry(entry) else {
        return 0;
    };
    let (sock, skb): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(1));
    let (protocol, (data, len)) = (protocol_of(&ctx), content(&ctx));
    let pieces = watched::pieces() && protocol != NETLINK_USERSOCK;
    let pieces = pieces && guard.policy.rules_net_admin();
    let promiscuity = may_raise(protocol) && guard.policy.rules_promiscuity();
    if !pieces && (!promiscuity || cannot_matter(protocol, data, len)) {
        return 0;
    }
    if pieces && let Some(call) = CALLS.of_current() {
        // What holds for the datagram before is not for this one.
        call.asked = 0;
        call.asked_reported = 0;
    }
    // SAFETY: `skb` is typed, and `data_len` is an unsigned int.
    let paged: u32 = unsafe { field(skb, &layout::SK_BUFF_DATA_LEN) };
    // Read once more, as numbers: newer kernels type what a field points to, and
    // the verifier lets no typed pointer into a global function.
    let net = Address::of(sock).follow(&layout::SOCK_NET);
    let data = Address::of(skb).follow(&layout::SK_BUFF_DATA);
    let refused = match (net, data) {
        _ if !is_walked(protocol) => pieces::refuses_message(whole(protocol), ptr::null_mut()),
        (Some(net), Some(data)) if paged == 0 => refuses_datagram(protocol, data, len, net),
        _ => links::refuses_unjudged(Via::Rtnetlink),
    };
    report::answer(refused, EPERM)
}

/// The cheapest test, which takes what it cannot read for what may matter: one message
/// that changes no link, as dumps and route changes are; or one to a family that makes
/// no ports.
#[inline(always)]
fn cannot_matter(protocol: u16, data: Address, len: u32) -> bool {
    if len < NLMSG_HDRLEN {
        return true;
    }
    match cast::nonzero_word(data) {
        Some(header) => {
            let only = (header as u32).saturating_add(NLMSG_HDRLEN) > len;
            let message_type = (header >> 32) as u16;
            let matters = if protocol == NETLINK_GENERIC {
                family_entry(message_type) & (FAMILY_RAISES | FAMILY_REMOVES) != 0
            } else {
                is_change_of_links(message_type)
            };
            only && !matters
        }
        None => false,
    }
}

/// What is known of the generic netlink family with this id.
#[inline(always)]
fn family_entry(id: u16) -> u32 {
    FAMILIES.get(u32::from(id)).copied().unwrap_or_default()
}

/// Whether a message of generic netlink makes a port that is promiscuous, or removes
/// devices that would be missed, and is refused. (The names in it are not looked at: no
/// exception holds.)
#[inline(always)]
fn refuses_family(walk: &Walk, net: Address) -> bool {
    let (entry, command) = (family_entry(walk.message_type), walk.family);
    if entry & FAMILY_REMOVES != 0 && removes_devices(command) {
        return leaving::refuses_removal(net, Via::Netlink);
    }
    entry & FAMILY_RAISES != 0 && command == OVS_CMD_NEW && netadmin_port() != 0
}

/// (Global for a stack of its own: 6.1 counts that of a chain of calls.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_port() -> u32 {
    let kind = OperationKind::PromiscuousBridgePort;
    u32::from(Question::on_device(kind, Via::Netlink).is_refused())
}

/// The bytes of a datagram, from this address on.
struct Datagram(Address);

impl Bytes for Datagram {
    #[inline(always)]
    fn read<T: Plain>(&self, offset: u32) -> Option<T> {
        self.0.plus(u64::from(offset)).load()
    }

    /// (After the datagram the kernel keeps `skb_shared_info`, so there are
    /// always as many bytes to read.)
    #[inline(always)]
    fn text(&self, offset: u32, len: u32) -> Option<Text> {
        let words = self.0.plus(u64::from(offset)).load()?;
        Some(Text::from_memory(words).first(len))
    }
}

struct Loop {
    protocol: u16,
    pieces: bool,
    judgement: *mut Judgement,
    data: Address,
    net: Address,
    refused: u32,
    ended: u32,
}

#[inline(always)]
fn refuses_datagram(protocol: u16, data: Address, len: u32, net: Address) -> bool {
    let Some(judgement) = JUDGEMENTS.of_current() else {
        return links::refuses_unjudged(Via::Rtnetlink);
    };
    judgement.walk.begin(protocol, len);
    judgement.view.searched = 0;
    let mut state = Loop {
        protocol,
        pieces: guard::current().is_some_and(|guard| guard.policy.rules_net_admin()),
        judgement: from_mut(judgement),
        data,
        net,
        refused: 0,
        ended: 0,
    };
    // SAFETY: `step` takes what `state` points to, which outlives the loop.
    unsafe {
        bpf_loop(
            MAX_STEPS,
            step as *mut c_void,
            from_mut(&mut state).cast(),
            0,
        );
    }
    // Not at its end: longer than the bound, or not readable.
    state.refused != 0 || state.ended == 0 && links::refuses_unjudged(Via::Rtnetlink)
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

extern "C" fn step(_step: u32, state: *mut Loop) -> i64 {
    // SAFETY: `refuses_datagram` passes a valid state, whose judgement is the
    // task's own.
    let (state, judgement) = unsafe { (&mut *state, &mut *(*state).judgement) };
    match netadmin_walk(&mut judgement.walk, state.data.value()) {
        STEP_MORE => GO_ON,
        STEP_LINK => {
            state.refused |= u32::from(refuses_link(judgement, state.net, state.pieces));
            GO_ON
        }
        STEP_MESSAGE => {
            let walk = &judgement.walk;
            if state.protocol == NETLINK_GENERIC {
                state.refused |= u32::from(refuses_family(walk, state.net));
            }
            if state.pieces {
                let message = message(walk, state.protocol, state.net);
                let refused = pieces::refuses_message(message, &mut judgement.view);
                state.refused |= u32::from(refused);
            }
            GO_ON
        }
        STEP_DONE => {
            state.ended = 1;
            STOP
        }
        _ => STOP,
    }
}

const STEP_MORE: u32 = 0;
const STEP_LINK: u32 = 1;
const STEP_DONE: u32 = 2;
const STEP_UNREADABLE: u32 = 3;
const STEP_MESSAGE: u32 = 4;

/// One step of the walk over the datagram at `data`. (Global for the verifier,
/// which then checks a step apart from the loop.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_walk(walk: *mut Walk, data: u64) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole walk.
    let Some(walk) = (unsafe { walk.as_mut() }) else {
        return STEP_UNREADABLE;
    };
    match walk.step(&Datagram(Address::from_field(data))) {
        Step::More => STEP_MORE,
        Step::Link => STEP_LINK,
        Step::Message => STEP_MESSAGE,
        Step::Done => STEP_DONE,
        Step::Unreadable => STEP_UNREADABLE,
    }
}

/// The message at hand. Of its device nothing is known if an earlier message of the
/// datagram may have given the index to another.
#[inline(always)]
fn message(walk: &Walk, protocol: u16, net: Address) -> Message {
    let settled = walk.unstable & UNSETTLED_LINKS == 0;
    Message {
        protocol,
        message_type: walk.message_type,
        family: walk.family,
        index: if settled { walk.index } else { 0 },
        net: net.value(),
    }
}

/// A datagram of a family that is not walked.
#[inline(always)]
fn whole(protocol: u16) -> Message {
    Message {
        protocol,
        message_type: 0,
        family: 0,
        index: 0,
        net: 0,
    }
}

#[inline(always)]
fn refuses_link(judgement: &mut Judgement, net: Address, pieces: bool) -> bool {
    let Judgement { walk, view } = judgement;
    view.follow(walk.unstable);
    let device = links::look(&walk.link, view, net);
    links::look_at_what_goes_along(&walk.link, device, view);
    let via = match walk.link.message_type as u16 {
        RTM_NEWLINK => Via::NewLink,
        RTM_SETLINK => Via::SetLink,
        _ => Via::Rtnetlink,
    };
    let mut refused = links::refuses(&walk.link, view, via);
    if pieces && (walk.link.of_bridge != 0 || matches!(via, Via::Rtnetlink)) {
        // A bridge's is a piece as a whole.
        refused |= pieces::refuses_message(message(walk, NETLINK_ROUTE, net), view);
        let besides = deletion(&walk.link);
        refused |= besides != 0 && links::refuses_pieces(besides, via);
    } else if pieces {
        refused |= links::refuses_changes(&walk.link, view, via);
        refused |= links::refuses_creation(&walk.link, via);
    }
    // (Most datagrams have one message.)
    let unsettles = if walk.is_at_last() {
        0
    } else {
        links::unsettles(&walk.link)
    };
    if !refused && walk.link.leave() {
        links::look(&walk.link, view, net);
        refused = links::refuses(&walk.link, view, via);
    }
    if !refused {
        // What is refused changes nothing: the whole datagram goes.
        walk.unstable |= unsettles;
    }
    refused
}
