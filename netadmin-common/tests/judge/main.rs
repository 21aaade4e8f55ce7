//! What a link request would do, as `rtnl_dev_combine_flags`, `do_setlink`,
//! `__rtnl_newlink` and the drivers have it.

mod addresses;
mod bonds;
mod bridges;
mod creation;
mod exceptions;
mod flags;
mod leaving;
mod masters;
mod stacking;
mod unstable;

use netadmin_common::device::{IFF_UNICAST_FLT, IFF_UP};
use netadmin_common::netlink::{
    LinkRequest, LinkView, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, RTM_NEWLINK, RTM_SETLINK, judge,
};
use netadmin_common::policy::{PROMISCUOUS_DENY, PROMISCUOUS_NAMES_EXCEPTED};
use netadmin_common::{Device, Exception, OperationKind, PolicyRecord, Text, Verdict, decide};

const PROMISC: u32 = 0x100;
const UP: u32 = IFF_UP;

/// A device that is down, and filters no unicast addresses.
fn device(index: u32, name: &str, kind: &str) -> Device {
    Device {
        index,
        name: Text::new(name.as_bytes()),
        kind: Text::new(kind.as_bytes()),
        ..Device::default()
    }
}

/// The same with filters.
fn nic(index: u32) -> Device {
    Device {
        priv_flags: IFF_UNICAST_FLT,
        ..device(index, "nic0", "")
    }
}

/// `RTM_SETLINK` by index.
fn change(index: u32) -> LinkRequest {
    LinkRequest {
        message_type: u32::from(RTM_SETLINK),
        message_flags: u32::from(NLM_F_REQUEST),
        index,
        ..LinkRequest::default()
    }
}

/// `RTM_SETLINK` by name.
fn change_named(name: &str) -> LinkRequest {
    LinkRequest {
        has_name: 1,
        name: Text::new(name.as_bytes()),
        ..change(0)
    }
}

/// `ip link add NAME type KIND`.
fn create(name: &str, kind: &str) -> LinkRequest {
    LinkRequest {
        message_type: u32::from(RTM_NEWLINK),
        message_flags: u32::from(NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL),
        kind: Text::new(kind.as_bytes()),
        ..change_named(name)
    }
}

fn flags(request: LinkRequest, flags: u32, change: u32) -> LinkRequest {
    LinkRequest {
        flags,
        change,
        ..request
    }
}

fn view(device: Device) -> LinkView {
    LinkView {
        device,
        ..LinkView::default()
    }
}

/// A policy that denies, with exceptions.
fn denying(exceptions: &[Exception]) -> PolicyRecord {
    let mut policy = PolicyRecord::EMPTY;
    policy.promiscuous.flags = PROMISCUOUS_DENY | PROMISCUOUS_NAMES_EXCEPTED;
    policy.promiscuous.len = u32::try_from(exceptions.len()).expect("few");
    policy.promiscuous.exceptions[..exceptions.len()].copy_from_slice(exceptions);
    policy
}

/// The operations that a request is, under a policy without exceptions.
fn operations(request: &LinkRequest, view: &LinkView) -> Vec<OperationKind> {
    let judged = judge(request, view, &denying(&[]));
    assert!(!judged.excepted);
    judged.kinds.into_iter().flatten().collect()
}

/// Whether the policy refuses the request.
fn is_refused(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    let judged = judge(request, view, policy);
    judged.kinds.into_iter().flatten().any(|kind| {
        let operation = netadmin_common::Operation::on_device(kind, judged.excepted);
        matches!(decide(policy, &operation), Verdict::Refuse(_))
    })
}
