//! What a request to change a link would do, with the devices' state: shared
//! by the hooks that see such requests.

use core::ptr;

use netadmin_common::{
    Device, OperationKind, Text, Via,
    device::{ABOVE_MISSED, ABOVE_MISSED_IF_MOVED, kind},
    netlink::{
        LinkRequest, LinkView, UNSETTLED_LINKS, address_operation, bond_operation, change_of,
        created_operation, direct_effects, excepted_by, lower_operation,
        pieces::{changes, creation},
        port_operation, takes_excepted_name,
    },
    pieces::{LinkPieces, link_number},
    policy::PROMISCUOUS_NAMES_EXCEPTED,
};

use crate::{
    guard::{self, Guard},
    kernel::{
        Address, neighbours,
        netdev::{self, Sought},
    },
    maps::POLICIES,
    report::Question,
};

/// Fills `view` with the devices that `request` is about, in the network
/// namespace `net`. What cannot be read, or not be found within the bound, is
/// left out, and makes the view unstable. Gives the device, or NULL.
#[inline(always)]
pub fn look(request: &LinkRequest, view: &mut LinkView, net: Address) -> Address {
    Address::from_field(netadmin_look(request, view, net.value()))
}

/// [`LinkRequest::unsettles`]. (Global for the verifier, which then checks it once and not
/// in each state of the walk.)
#[inline(always)]
pub fn unsettles(request: &LinkRequest) -> u32 {
    netadmin_link_unsettles(request)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_unsettles(request: *const LinkRequest) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request.
    unsafe { request.as_ref() }.map_or(u32::MAX, LinkRequest::unsettles)
}

/// What is removed together with the device that the request deletes or moves: what lies
/// above it; and if it is deleted and one of a pair, its other end with what lies above
/// that. (Not part of [`look`], whose stack is full on 6.1.)
#[inline(always)]
pub fn look_at_what_goes_along(request: &LinkRequest, device: Address, view: &mut LinkView) {
    if device.is_null() {
        return;
    }
    let of_pair = kind::is_of_pair(&view.device.kind);
    if request.deletes() {
        let missed = neighbours::takes_along_missed(device)
            || of_pair && neighbours::other_end_is_missed(device);
        view.device.above |= u32::from(missed) * ABOVE_MISSED;
    } else if request.other_namespace != 0 {
        let missed = neighbours::takes_along_missed_if_moved(device);
        view.device.above |= u32::from(missed) * ABOVE_MISSED_IF_MOVED;
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_look(request: *const LinkRequest, view: *mut LinkView, net: u64) -> u64 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_mut()) }) else {
        return 0;
    };
    let net = Address::from_field(net);
    let sought = if request.by_index() {
        netdev::by_index(net, request.index, &mut view.searched)
    } else if request.has_name != 0 {
        netdev::by_name(net, &request.name, &mut view.searched)
    } else {
        Sought::Absent
    };
    let device = sought.found();
    let lower = match device {
        Some(device) => netdev::lower(device),
        None if request.lower != 0 => {
            netdev::by_index(net, request.lower, &mut view.searched).found()
        }
        None => None,
    };
    let mut master = NULL;
    if request.has_master != 0
        && request.master != 0
        && let Some(wanted) = netdev::by_index(net, request.master, &mut view.searched).found()
    {
        master = wanted;
    }
    if sought == Sought::Unknown || !take(device, &mut view.device) {
        view.device = Device::default();
        view.unstable |= UNSETTLED_LINKS;
    }
    // Without them what depends on them is refused.
    take(lower, &mut view.lower);
    let mut current = NULL;
    if let Some(device) = device {
        (view.device.above, current) = neighbours::above(device, &mut view.searched);
    }
    if master.is_null() {
        master = current;
    }
    let master = (!master.is_null()).then_some(master);
    if let (Some(device), Some(lower)) = (device, lower) {
        let same = netdev::address(device) == netdev::address(lower);
        view.device.inherits_address = u32::from(same);
    }
    // (Of a device that is there its own kind counts; its lower is looked at for nothing
    // if the request gives another.)
    if (kind::is_ipvlan(&view.device.kind) | kind::is_ipvlan(&request.kind))
        && let Some(lower) = lower
    {
        // Over an ipvlan, another lies beside it (ipvlan_link_new).
        let base = if kind::is_ipvlan(&view.lower.kind) {
            netdev::lower(lower).unwrap_or(lower)
        } else {
            lower
        };
        (view.lower.above, _) = neighbours::above(base, &mut view.searched);
    }
    take(master, &mut view.master);
    if let Some(master) = master {
        (view.master.above, _) = neighbours::above(master, &mut view.searched);
    }
    let bridge = if view.device.kind == kind::BRIDGE {
        device
    } else if view.master.kind == kind::BRIDGE {
        master
    } else {
        None
    };
    view.quiet_ports = u32::from(bridge.is_some_and(neighbours::quiet_ports));
    look_at_ports(view, device, master);
    device.unwrap_or(NULL).value()
}

/// What a vrf, a bond or a team does to its ports.
#[inline(always)]
fn look_at_ports(view: &mut LinkView, device: Option<Address>, master: Option<Address>) {
    let vrf = device.filter(|_| view.device.kind == kind::VRF);
    let device = device.filter(|_| view.device.has_members());
    let master = master.filter(|_| view.master.has_members());
    let restless = vrf.is_some_and(neighbours::restless_ports)
        || device.is_some_and(neighbours::ports_to_readdress)
        || master.is_some_and(neighbours::ports_to_readdress);
    view.restless_ports = u32::from(restless);
    view.unfiltered_ports = u32::from(device.is_some_and(neighbours::unfiltered_ports));
}

/// No device. (A number, where the verifier would see that an absent one was never
/// written.)
const NULL: Address = Address::NULL;

/// Reads a device, if there is one. False if it is there and cannot be read.
#[inline(always)]
pub fn take(device: Option<Address>, into: &mut Device) -> bool {
    match device {
        Some(device) => netdev::snapshot(device, into),
        None => {
            *into = Device::default();
            true
        }
    }
}

/// Whether the policy with this index excepts a device and the one below it.
#[inline(always)]
pub fn excepts(policy: u32, device: &Device, lower: &Device) -> bool {
    netadmin_excepts(policy, device, lower) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_excepts(policy: u32, device: *const Device, lower: *const Device) -> u32 {
    // SAFETY: the verifier checks that callers pass whole devices.
    let (Some(device), Some(lower)) = (unsafe { (device.as_ref(), lower.as_ref()) }) else {
        return 0;
    };
    POLICIES
        .get(policy)
        .map_or(0, |policy| u32::from(policy.excepts_stack(device, lower)))
}

/// Whether the current task's policy refuses any of the operations that
/// `request` is; each is reported.
///
/// This is [`netadmin_common::netlink::judge`] in pieces: in one, the verifier
/// would follow each way through a piece after each way through the others.
#[inline(always)]
pub fn refuses(request: &LinkRequest, view: &LinkView, via: Via) -> bool {
    let policy = guard::index_of_current();
    let mut operations = netadmin_link_effects(request, view) | stacking(request, view) << 32;
    if netadmin_link_takes_name(request, view, policy) != 0 {
        operations |= (OperationKind::PromiscuousExceptedName as PackedOperations) << 48;
    }
    if operations == 0 {
        return false;
    }
    if netadmin_link_excepted(request, view, policy) != 0 {
        operations |= EXCEPTED;
    }
    netadmin_link_ask(request, view, operations, via as u32, policy) != 0
}

/// The kinds of up to four operations, sixteen bits each, the lowest first.
/// The highest bit says that the policy excepts their devices.
type PackedOperations = u64;

const EXCEPTED: PackedOperations = 1 << 63;
const UNJUDGED: PackedOperations = OperationKind::PromiscuousUnjudged as PackedOperations;

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_effects(
    request: *const LinkRequest,
    view: *const LinkView,
) -> PackedOperations {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return UNJUDGED;
    };
    let [flag, master] = direct_effects(request, view);
    pack(flag) | pack(master) << 16
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_change(request: *const LinkRequest, view: *const LinkView) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 0;
    };
    change_of(request, view)
}

/// Makes a global function of a piece of the judgement.
macro_rules! piece {
    ($name:ident, $piece:ident $(, $change:ident)?) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(
            request: *const LinkRequest,
            view: *const LinkView
            $(, $change: u32)?
        ) -> PackedOperations {
            // SAFETY: the verifier checks that callers pass a whole request and view.
            let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
                return UNJUDGED;
            };
            pack($piece(request, view $(, $change)?))
        }
    };
}

piece!(netadmin_link_ports, port_operation);
piece!(netadmin_link_created, created_operation, change);
piece!(netadmin_link_lower, lower_operation, change);
piece!(netadmin_link_bond, bond_operation, change);
piece!(netadmin_link_addresses, address_operation, change);

/// The pieces in the order of `stacking_operation` in netadmin-common: the first
/// that finds a side effect names it.
#[inline(always)]
fn stacking(request: &LinkRequest, view: &LinkView) -> PackedOperations {
    let mut found = netadmin_link_ports(request, view);
    if found != 0 {
        return found;
    }
    let change = netadmin_link_change(request, view);
    found = netadmin_link_created(request, view, change);
    if found == 0 {
        found = netadmin_link_lower(request, view, change);
    }
    if found == 0 {
        found = netadmin_link_bond(request, view, change);
    }
    if found == 0 {
        found = netadmin_link_addresses(request, view, change);
    }
    found
}

#[inline(always)]
fn pack(kind: Option<OperationKind>) -> PackedOperations {
    kind.map_or(0, |kind| kind as PackedOperations)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_takes_name(
    request: *const LinkRequest,
    view: *const LinkView,
    policy: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 1;
    };
    POLICIES.get(policy).map_or(0, |policy| {
        u32::from(takes_excepted_name(request, view, policy))
    })
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_excepted(
    request: *const LinkRequest,
    view: *const LinkView,
    policy: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 0;
    };
    let device = |device: &Device| netadmin_excepts_device(policy, device) != 0;
    let kind = |kind: &Text| {
        let [first, second] = kind.words();
        netadmin_excepts_kind(policy, first, second) != 0
    };
    u32::from(excepted_by(request, view, device, kind))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_excepts_device(policy: u32, device: *const Device) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole device.
    match (POLICIES.get(policy), unsafe { device.as_ref() }) {
        (Some(policy), Some(device)) => u32::from(policy.excepts(device)),
        _ => 0,
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_excepts_kind(policy: u32, first: u64, second: u64) -> u32 {
    let kind = Text::from_memory([first, second]);
    POLICIES
        .get(policy)
        .map_or(0, |policy| u32::from(policy.excepts_kind(&kind)))
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_ask(
    request: *const LinkRequest,
    view: *const LinkView,
    operations: PackedOperations,
    via: u32,
    policy: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 1;
    };
    let (ifindex, name) = if view.device.index != 0 {
        (view.device.index, view.device.name)
    } else {
        (request.index, request.name)
    };
    let mut refused = 0;
    for place in 0..4 {
        let kind = (operations & !EXCEPTED) >> (16 * place) & 0xffff;
        if kind != 0 {
            let question =
                Question::packed(kind as u32, via, operations & EXCEPTED != 0).under(policy);
            refused |= u32::from(question.on(ifindex, name).is_refused());
        }
    }
    refused
}

/// Whether making a device is refused, whatever it is to be called: for ways on
/// which no program sees the name, under a policy that excepts names.
#[inline(always)]
pub fn refuses_any_name(guard: &Guard, via: Via) -> bool {
    guard.policy.promiscuous.flags & PROMISCUOUS_NAMES_EXCEPTED != 0
        && refuses_excepted_name(Text::EMPTY, via)
}

/// Whether taking a name that the policy excepts is refused.
#[inline(always)]
pub fn refuses_excepted_name(name: Text, via: Via) -> bool {
    let [first, second] = name.words();
    netadmin_excepted_name(first, second, via as u32) != 0
}

/// (Global, as [`netadmin_unjudged`].)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_excepted_name(first: u64, second: u64, via: u32) -> u32 {
    let name = Text::from_memory([first, second]);
    let question = Question::packed(OperationKind::PromiscuousExceptedName as u32, via, false);
    u32::from(question.on(0, name).is_refused())
}

/// Whether a request that cannot be judged at all is refused: because of
/// promiscuity, or because nothing explains it.
#[inline(always)]
pub fn refuses_unjudged(via: Via) -> bool {
    netadmin_unjudged(via as u32) != 0
}

/// (Global for a stack of its own: 6.1 counts that of a chain of calls.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_unjudged(via: u32) -> u32 {
    let kinds = [
        OperationKind::PromiscuousUnjudged,
        OperationKind::Unclassified,
    ];
    let mut kinds = kinds.into_iter();
    u32::from(kinds.any(|kind| Question::packed(kind as u32, via, false).is_refused()))
}

/// Whether a piece that the request asks for, other than making a link, is
/// refused.
#[inline(always)]
pub fn refuses_changes(request: &LinkRequest, view: &LinkView, via: Via) -> bool {
    let pieces = netadmin_link_changes(request, view);
    netadmin_link_pieces(pieces, via as u32, request, view) != 0
}

/// Whether making a link as requested is refused.
#[inline(always)]
pub fn refuses_creation(request: &LinkRequest, via: Via) -> bool {
    refuses_pieces(netadmin_link_creation(request), via)
}

/// Whether any of these pieces is refused; each that is has its event.
#[inline(always)]
pub fn refuses_pieces(pieces: LinkPieces, via: Via) -> bool {
    netadmin_link_pieces(pieces, via as u32, ptr::null(), ptr::null()) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_changes(
    request: *const LinkRequest,
    view: *const LinkView,
) -> LinkPieces {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    match unsafe { (request.as_ref(), view.as_ref()) } {
        (Some(request), Some(view)) => changes(request, view),
        _ => LinkPieces::MAX,
    }
}

/// What is granted on the device that the request is about, if that is known.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_granted(
    request: *const LinkRequest,
    view: *const LinkView,
    policy: u32,
) -> LinkPieces {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 0;
    };
    if view.unstable & UNSETTLED_LINKS != 0 || request.other_namespace != 0 {
        return 0;
    }
    POLICIES.get(policy).map_or(0, |policy| {
        policy.grants.links_on(&view.device, &view.lower)
    })
}

/// Whether an operation is granted on the device with this index. `view` is room for
/// the device, which has none on the stack.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn netadmin_granted(
    kind: u32,
    index: u32,
    net: u64,
    view: *mut LinkView,
    policy: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole view.
    let (Some(kind), Some(view)) = (OperationKind::from_number(kind as u16), unsafe {
        view.as_mut()
    }) else {
        return 0;
    };
    let sought = netdev::by_index(Address::from_field(net), index, &mut view.searched);
    if !take(sought.found(), &mut view.device) {
        return 0;
    }
    POLICIES.get(policy).map_or(0, |policy| {
        u32::from(policy.grants.hold(kind, &view.device))
    })
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_creation(request: *const LinkRequest) -> LinkPieces {
    // SAFETY: the verifier checks that callers pass a whole request.
    unsafe { request.as_ref() }.map_or(LinkPieces::MAX, creation)
}

/// `request` and `view` are null where no condition can be met.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_link_pieces(
    pieces: LinkPieces,
    via: u32,
    request: *const LinkRequest,
    view: *const LinkView,
) -> u32 {
    let Some(guard) = guard::current() else {
        return 0;
    };
    let mut refused = pieces & guard.policy.net_admin.refused.links();
    if refused == 0 {
        return 0;
    }
    if guard.policy.grants.len != 0 {
        refused &= !netadmin_link_granted(request, view, guard.index);
    }
    let mut answer = 0;
    for bit in 0..LinkPieces::BITS {
        if refused & (1 << bit) != 0 {
            let question = Question::packed(link_number(bit), via, false).under(guard.index);
            answer |= u32::from(question.is_refused());
        }
    }
    answer
}
