//! What an `RTM_NEWLINK` or `RTM_SETLINK` asks for, and what it would do.

use super::NLM_F_CREATE;
use crate::device::{Device, IFF_PROMISC, IFF_UP, kind};
use crate::operation::OperationKind;
use crate::policy::{PROMISCUOUS_NAMES_EXCEPTED, PolicyRecord};
use crate::text::Text;

const MACVLAN_MODE_PASSTHRU: u32 = 8;
const MACVLAN_FLAG_NOPROMISC: u32 = 1;

/// One message, as far as promiscuity depends on it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkRequest {
    /// `RTM_NEWLINK` or `RTM_SETLINK`.
    pub message_type: u32,
    /// `nlmsg_flags`.
    pub message_flags: u32,
    /// `ifi_index`: the device, if positive as `i32`; else it goes by name.
    pub index: u32,
    /// `ifi_flags`.
    pub flags: u32,
    /// `ifi_change`; 0 means all (`rtnl_dev_combine_flags`).
    pub change: u32,
    /// `IFLA_LINK`: the device below a new one.
    pub lower: u32,
    /// `IFLA_MASTER`, if `has_master`; 0 releases.
    pub master: u32,
    /// `IFLA_MACVLAN_MODE`, if `has_macvlan_mode`.
    pub macvlan_mode: u32,
    /// `IFLA_MACVLAN_FLAGS`, if `has_macvlan_flags`.
    pub macvlan_flags: u32,
    /// 0 or 1, like all that follow: `IFLA_IFNAME` is there.
    pub has_name: u8,
    /// `IFLA_ALT_IFNAME` is there.
    pub has_alternative_name: u8,
    /// `IFLA_MASTER` is there.
    pub has_master: u8,
    /// `IFLA_GROUP` is there.
    pub has_group: u8,
    /// An attribute that names another network namespace is there.
    pub other_namespace: u8,
    /// `IFLA_INFO_DATA` is there.
    pub has_data: u8,
    /// `IFLA_MACVLAN_MODE` is there.
    pub has_macvlan_mode: u8,
    /// `IFLA_MACVLAN_FLAGS` is there.
    pub has_macvlan_flags: u8,
    /// Explicit padding, always zero.
    pub reserved: u32,
    /// `IFLA_IFNAME`.
    pub name: Text,
    /// `IFLA_INFO_KIND`, cut at 16 bytes.
    pub kind: Text,
}

impl LinkRequest {
    #[inline(always)]
    pub(super) fn forget_data(&mut self) {
        self.has_data = 0;
        self.has_macvlan_mode = 0;
        self.has_macvlan_flags = 0;
    }

    /// Whether the device is named by its index.
    #[inline(always)]
    pub fn by_index(&self) -> bool {
        self.index.cast_signed() > 0
    }

    /// Whether `flag` will be set (`rtnl_dev_combine_flags`, and the condition
    /// under which `do_setlink` calls it).
    #[inline(always)]
    fn sets(&self, flag: u32) -> bool {
        self.flags & flag != 0 && (self.change == 0 || self.change & flag != 0)
    }

    /// Whether `flag` will be cleared.
    #[inline(always)]
    fn clears(&self, flag: u32) -> bool {
        let all = self.change == 0 && self.flags != 0;
        self.flags & flag == 0 && (all || self.change & flag != 0)
    }

    #[inline(always)]
    fn is_macvlan(&self) -> bool {
        is_macvlan(&self.kind)
    }

    /// Whether, after this message, what was known of the links before may no
    /// longer hold for the rest of the datagram.
    #[inline(always)]
    pub fn unsettles(&self) -> bool {
        self.clears(IFF_PROMISC)
            || self.has_name != 0
            || self.other_namespace != 0
            || self.message_flags & u32::from(NLM_F_CREATE) != 0
    }
}

/// The devices that a request is about, as they are when it is sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// The device that it changes; index 0 if there is none.
    pub device: Device,
    /// Its master to be; index 0 if there is none of that index.
    pub master: Device,
    /// The device below: the existing one's, or `IFLA_LINK` of a new one;
    /// index 0 if there is none.
    pub lower: Device,
    /// An earlier message of the datagram made the view unreliable: 0 or 1.
    pub unstable: u32,
}

impl LinkView {
    /// Whether the policy excepts the device and every device below it.
    #[inline(always)]
    pub fn is_excepted(&self, policy: &PolicyRecord) -> bool {
        self.device.index != 0
            && policy.excepts(&self.device)
            && (self.device.stacked == 0 || self.lower_is_excepted(policy))
    }

    /// Of a taller stack, or of several devices below, not all are seen.
    #[inline(always)]
    fn lower_is_excepted(&self, policy: &PolicyRecord) -> bool {
        self.lower.index != 0 && self.lower.stacked == 0 && policy.excepts(&self.lower)
    }
}

/// How many operations one request can be.
pub const MAX_OPERATIONS: usize = 4;

/// The operations that one request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Their kinds.
    pub kinds: [Option<OperationKind>; MAX_OPERATIONS],
    /// Whether the policy excepts the devices that they are about.
    pub excepted: bool,
}

/// What a request would do to the promiscuity of devices.
#[inline(always)]
pub fn judge(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> Operations {
    let [flag, master, stacking] = effects(request, view);
    let name = takes_excepted_name(request, view, policy)
        .then_some(OperationKind::PromiscuousExceptedName);
    Operations {
        kinds: [flag, master, stacking, name],
        excepted: excepted(request, view, policy),
    }
}

/// The part of [`judge`] that no policy changes: what would raise promiscuity.
#[inline(always)]
pub fn effects(request: &LinkRequest, view: &LinkView) -> [Option<OperationKind>; 3] {
    [
        flag_operation(request, view),
        master_operation(request, view),
        stacking_operation(request, view),
    ]
}

/// The part of [`judge`] that says whether the policy excepts the devices. A new
/// device is judged by its kind: a name that is excepted it may not take.
#[inline(always)]
pub fn excepted(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    if request.other_namespace != 0 || view.unstable != 0 {
        return false;
    }
    if view.device.index != 0 {
        return view.is_excepted(policy);
    }
    policy.excepts_kind(&request.kind) && (request.lower == 0 || view.lower_is_excepted(policy))
}

#[inline(always)]
fn flag_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    if !request.sets(IFF_PROMISC) {
        return None;
    }
    // In another namespace, or for a group, it is another device than this.
    let known = view.device.index != 0 && request.other_namespace == 0 && view.unstable == 0;
    if known && view.device.keeps_promiscuous() {
        Some(OperationKind::PromiscuousKeep)
    } else {
        Some(OperationKind::PromiscuousFlag)
    }
}

#[inline(always)]
fn master_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    if request.has_master == 0 || request.master == 0 {
        return None;
    }
    let master = &view.master.kind;
    if view.master.index == 0 || view.unstable != 0 || request.other_namespace != 0 {
        Some(OperationKind::PromiscuousUnjudged)
    } else if *master == kind::BRIDGE {
        // br_add_if, br_manage_promisc.
        Some(OperationKind::PromiscuousBridgePort)
    } else if *master == kind::VRF {
        None
    } else if *master == kind::BOND || *master == kind::TEAM {
        // bond_enslave and team_port_add hand the master's promiscuity down.
        let promiscuous = view.master.flags & IFF_PROMISC != 0;
        promiscuous.then_some(OperationKind::PromiscuousStacked)
    } else {
        Some(OperationKind::PromiscuousUnjudged)
    }
}

#[inline(always)]
fn stacking_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    if request.is_macvlan() && request.has_data != 0 && raises_passthru(request, view) {
        return Some(OperationKind::PromiscuousPassthru);
    }
    let exists = view.device.index != 0;
    let macvlan = if exists {
        is_macvlan(&view.device.kind)
    } else {
        request.is_macvlan()
    };
    let comes_up = request.sets(IFF_UP) && view.device.flags & IFF_UP == 0;
    if !macvlan || !comes_up {
        return None;
    }
    if exists && view.device.flags & IFF_PROMISC != 0 {
        // macvlan_open hands it down; a vlan did when the flag was set.
        return Some(OperationKind::PromiscuousStacked);
    }
    // macvlan_open: dev_uc_add on the lower device; __dev_set_rx_mode.
    let filters = request.other_namespace == 0 && view.lower.filters_unicast();
    (!filters).then_some(OperationKind::PromiscuousUnicastFilter)
}

#[inline(always)]
fn is_macvlan(text: &Text) -> bool {
    *text == kind::MACVLAN || *text == kind::MACVTAP
}

/// `macvlan_common_newlink`, `macvlan_changelink`: the lower device rises when
/// a passthru device is opened, or when its `NOPROMISC` is taken away. The mode
/// of a device that is there cannot be changed to or from passthru.
#[inline(always)]
fn raises_passthru(request: &LinkRequest, view: &LinkView) -> bool {
    let mode_is_passthru = request.macvlan_mode == MACVLAN_MODE_PASSTHRU;
    let may_be_passthru = if request.has_macvlan_mode != 0 {
        mode_is_passthru
    } else {
        view.device.index != 0 && request.has_macvlan_flags != 0
    };
    let quiet =
        request.has_macvlan_flags != 0 && request.macvlan_flags & MACVLAN_FLAG_NOPROMISC != 0;
    may_be_passthru && !quiet
}

/// The part of [`judge`] that says whether a name is taken that the policy
/// excepts: by creation, by renaming, or in another namespace.
#[inline(always)]
pub fn takes_excepted_name(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    if policy.promiscuous.flags & PROMISCUOUS_NAMES_EXCEPTED == 0 || request.has_name == 0 {
        return false;
    }
    let selects = !request.by_index() && view.device.index != 0 && request.other_namespace == 0;
    !selects && policy.excepts_name(&request.name)
}
