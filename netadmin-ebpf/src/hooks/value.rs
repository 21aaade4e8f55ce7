//! `cgroup/setsockopt`: the value, in the kernel's own copy.
//!
//! Attached to guarded cgroups whose policy needs it. It runs for the sockets
//! of its cgroup, whoever calls; the policy is the caller's.

use aya_ebpf::{
    bindings::bpf_sockopt, helpers::bpf_probe_read_kernel, macros::cgroup_sockopt,
    programs::SockoptContext,
};
use netadmin_common::{Device, OperationKind, SocketOption, Value, Via, policy::OPTION_VALUES};

use super::{
    links,
    setsockopt::{PACKET_ADD_MEMBERSHIP, SOL_PACKET},
};
use crate::{
    guard,
    kernel::{Address, layout, netdev},
    report::{self, Question},
};

/// The kernel goes on; 0 makes it return EPERM.
const PASS: i32 = 1;
const REFUSE: i32 = 0;

/// linux/if_packet.h.
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_MR_UNICAST: u16 = 3;
/// `sizeof(struct packet_mreq)`, in bytes: less is EINVAL.
const PACKET_MREQ_LEN: i32 = 16;
/// `sizeof(struct packet_mreq_max)`, in bytes: more is not read
/// (`packet_setsockopt`).
const PACKET_MREQ_MAX_LEN: i32 = 40;
/// `PAGE_SIZE`, in bytes: what the kernel copied of a longer value.
const COPIED: i32 = 4096;
/// How much of a `struct sock` is read to find its network namespace, in
/// bytes; the agent checks that the field lies within.
const SOCK_COMMON_LEN: usize = 64;

/// The program on `BPF_CGROUP_SETSOCKOPT`.
#[cgroup_sockopt(setsockopt)]
pub fn setsockopt_value(ctx: SockoptContext) -> i32 {
    let sockopt = ctx.sockopt;
    // SAFETY: the context is valid while the program runs.
    let (level, optname) = unsafe { ((*sockopt).level, (*sockopt).optname) };
    let refused = if level == SOL_PACKET && optname == PACKET_ADD_MEMBERSHIP {
        refuses_membership(sockopt)
    } else {
        match SocketOption::from_level_and_name(level, optname) {
            Some(option) => refuses_option(sockopt, option),
            None => false,
        }
    };
    // SAFETY: as above.
    unsafe { hand_on_no_more_than_copied(sockopt) };
    if refused { REFUSE } else { PASS }
}

/// With a length above a page the kernel would ignore its copy, and the length
/// with it, and read the caller's memory once more; unless the program says
/// that less is enough. For options that are not judged here, 0 says "as if no
/// program had run".
///
/// # Safety
/// `sockopt` must be the program's context.
#[inline(always)]
unsafe fn hand_on_no_more_than_copied(sockopt: *mut bpf_sockopt) {
    // SAFETY: as the caller promises.
    unsafe {
        if (*sockopt).optlen <= COPIED {
            return;
        }
        (*sockopt).optlen = match ((*sockopt).level, (*sockopt).optname) {
            (SOL_PACKET, PACKET_ADD_MEMBERSHIP) => PACKET_MREQ_MAX_LEN,
            (level, optname) => {
                if SocketOption::from_level_and_name(level, optname).is_some() {
                    4
                } else {
                    0
                }
            }
        };
    }
}

/// The bytes at `offset` of the kernel's copy, as far as it goes.
#[inline(always)]
fn value_at<T: Copy>(sockopt: *mut bpf_sockopt, offset: usize) -> Option<T> {
    // SAFETY: the verifier checks that what is read lies before the end.
    unsafe {
        let start = (*sockopt).__bindgen_anon_2.optval as usize;
        let end = (*sockopt).__bindgen_anon_3.optval_end as usize;
        let from = start + offset;
        if from + size_of::<T>() > end {
            return None;
        }
        Some((from as *const T).read_unaligned())
    }
}

#[inline(always)]
fn refuses_option(sockopt: *mut bpf_sockopt, option: SocketOption) -> bool {
    let Some(guard) = guard::current() else {
        return false;
    };
    if guard.policy.options[option as usize].rule != OPTION_VALUES {
        return false;
    }
    // Shorter than an int is EINVAL (sk_setsockopt).
    let Some(raw) = value_at::<u32>(sockopt, 0) else {
        return false;
    };
    Question::set(
        option.operation(),
        Value::Known(option.widen(raw)),
        report::errno(option),
    )
    .under(guard.index)
    .asked_once()
    .is_refused()
}

#[inline(always)]
fn refuses_membership(sockopt: *mut bpf_sockopt) -> bool {
    let Some(guard) = guard::current() else {
        return false;
    };
    // SAFETY: the context is valid while the program runs.
    if !guard.policy.rules_promiscuity() || unsafe { (*sockopt).optlen } < PACKET_MREQ_LEN {
        return false;
    }
    match (value_at::<u32>(sockopt, 0), value_at::<u16>(sockopt, 4)) {
        (Some(ifindex), Some(kind @ (PACKET_MR_PROMISC | PACKET_MR_UNICAST))) => {
            let net = namespace_of(sockopt).map_or(0, Address::value);
            let mut question =
                Question::on_device(OperationKind::PromiscuousMembership, Via::AddMembership)
                    .under(guard.index);
            netadmin_membership(&mut question, net, ifindex, u32::from(kind)) != 0
                && question.is_refused()
        }
        _ => false,
    }
}

/// Completes the question that a membership on a device is; 0 if there is
/// nothing to ask. (Global for the verifier, and for a stack of its own.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_membership(
    question: *mut Question,
    net: u64,
    ifindex: u32,
    kind: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole question.
    let Some(question) = (unsafe { question.as_mut() }) else {
        return 1;
    };
    let mut searched = 0;
    let device = netdev::by_index(Address::from_field(net), ifindex, &mut searched).found();
    // (Two devices, not a view: 6.1 counts the stack of a chain of calls.)
    let (mut seen, mut lower) = (Device::default(), Device::default());
    links::take(device, &mut seen);
    links::take(device.and_then(netdev::lower), &mut lower);
    let kind = if kind == u32::from(PACKET_MR_PROMISC) {
        OperationKind::PromiscuousMembership
    } else if seen.filters_unicast() {
        return 0;
    } else {
        // dev_uc_add, __dev_set_rx_mode.
        OperationKind::PromiscuousUnicastFilter
    };
    let excepted = links::excepts(question.policy(), &seen, &lower);
    *question = Question::on_device(kind, Via::AddMembership)
        .under(question.policy())
        .asked_once()
        .device(ifindex, seen.name, excepted);
    1
}

/// The network namespace of the socket. (The verifier allows no arithmetic on
/// this pointer, so the beginning of the struct is copied.)
#[inline(always)]
fn namespace_of(sockopt: *mut bpf_sockopt) -> Option<Address> {
    // SAFETY: the context is valid while the program runs; the helper checks
    // the address.
    let common: [u64; SOCK_COMMON_LEN / 8] = unsafe {
        let sock = (*sockopt).__bindgen_anon_1.sk;
        bpf_probe_read_kernel(sock.cast())
    }
    .ok()?;
    let index = layout::SOCK_NET.load() as usize / 8;
    common.get(index).copied().map(Address::from_field)
}
