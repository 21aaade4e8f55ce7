//! What a request to change a link would do, with the devices' state: shared
//! by the hooks that see such requests.

use netadmin_common::{
    Device, OperationKind, Via,
    netlink::{LinkRequest, LinkView, judge},
};

use crate::{
    guard,
    kernel::{Address, netdev},
    report::Question,
};

/// Fills `view` with the devices that `request` is about, in the network
/// namespace `net`. What cannot be read is left out, which judges as unknown.
#[inline(always)]
pub fn look(request: &LinkRequest, view: &mut LinkView, net: Address) {
    netadmin_look(request, view, net.value());
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_look(request: *const LinkRequest, view: *mut LinkView, net: u64) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_mut()) }) else {
        return 0;
    };
    let net = Address::from_field(net);
    let device = if request.by_index() {
        netdev::by_index(net, request.index)
    } else if request.has_name != 0 {
        netdev::by_name(net, &request.name)
    } else {
        None
    };
    let lower = match device {
        Some(device) => netdev::lower(device),
        None if request.lower != 0 => netdev::by_index(net, request.lower),
        None => None,
    };
    let master = if request.has_master != 0 && request.master != 0 {
        netdev::by_index(net, request.master)
    } else {
        None
    };
    take(device, &mut view.device);
    take(lower, &mut view.lower);
    take(master, &mut view.master);
    0
}

/// Reads a device, if there is one.
#[inline(always)]
pub fn take(device: Option<Address>, into: &mut Device) {
    match device {
        Some(device) => netdev::snapshot(device, into),
        None => *into = Device::default(),
    }
}

/// Whether the current task's policy refuses any of the operations that
/// `request` is; each is reported.
#[inline(always)]
pub fn refuses(request: &LinkRequest, view: &LinkView, via: Via) -> bool {
    netadmin_judge_link(request, view, via as u32) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_judge_link(
    request: *const LinkRequest,
    view: *const LinkView,
    via: u32,
) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole request and view.
    let (Some(request), Some(view)) = (unsafe { (request.as_ref(), view.as_ref()) }) else {
        return 1;
    };
    let (Some(guard), Some(via)) = (guard::current(), Via::from_number(via as u16)) else {
        return 0;
    };
    let operations = judge(request, view, guard.policy);
    let (ifindex, name) = if view.device.index != 0 {
        (view.device.index, view.device.name)
    } else {
        (request.index, request.name)
    };
    let mut refused = 0;
    for kind in operations.kinds.into_iter().flatten() {
        let question = Question::on_device(kind, via).device(ifindex, name, operations.excepted);
        refused |= u32::from(question.is_refused());
    }
    refused
}

/// Whether a request that cannot be judged at all is refused.
#[inline(always)]
pub fn refuses_unjudged(via: Via) -> bool {
    Question::on_device(OperationKind::PromiscuousUnjudged, via).is_refused()
}
