//! What an `RTM_NEWLINK` or `RTM_SETLINK` asks for, and what it would do.

use super::pieces::{Attributes, attribute_bit};
use super::stacking::{BOND_MODE_ALB, NTF_SELF, stacking_operation};
use super::{
    NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RTM_DELLINK, RTM_NEWLINK, RTM_NEWNEIGH, RTM_SETLINK,
};
use crate::bits::{nonzero, not};
use crate::catalogue::OperationKind;
use crate::device::{ABOVE_FIXED, ABOVE_LISTENED, Device, IFF_PROMISC, IFF_UP, kind};
use crate::policy::{PROMISCUOUS_NAMES_EXCEPTED, PolicyRecord};
use crate::text::Text;

/// Which device has which name and index, and what lies above what.
pub const UNSETTLED_LINKS: u32 = 1;
/// Which flags the devices have.
pub const UNSETTLED_FLAGS: u32 = 2;
/// Which devices are open, which addresses they have besides their own, and what the
/// ports of bridges do.
pub const UNSETTLED_OPEN: u32 = 4;

/// [`LinkRequest::leaves`]: for another master (`do_set_master`).
pub const LEAVES_OPEN: u8 = 1;
/// [`LinkRequest::leaves`]: for good, or for another network namespace. It is closed
/// before (`unregister_netdevice_many`, `__dev_change_net_namespace`).
pub const LEAVES_CLOSED: u8 = 2;

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
    /// `ifi_flags` of the second device of a pair (`VETH_INFO_PEER`).
    pub peer_flags: u32,
    /// `ifi_change` of the second device of a pair.
    pub peer_change: u32,
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
    /// `IFLA_ADDRESS` is there.
    pub has_address: u8,
    /// The second device of a pair has an `IFLA_IFNAME`.
    pub has_peer_name: u8,
    /// `IFLA_INFO_SLAVE_DATA` is there.
    pub has_port_data: u8,
    /// A port of a bridge is to learn or to flood (`BR_AUTO_MASK`).
    pub floods: u8,
    /// `IFLA_BR_VLAN_FILTERING` is there, and 0.
    pub ends_vlan_filtering: u8,
    /// A message of `PF_BRIDGE`.
    pub of_bridge: u8,
    /// `IFLA_BOND_MODE`.
    pub bond_mode: u8,
    /// `ndm_flags` of an `RTM_NEWNEIGH`.
    pub neighbour_flags: u8,
    /// Whether it is no more than the leaving that another request brings along:
    /// [`LEAVES_OPEN`] or [`LEAVES_CLOSED`] (see [`LinkRequest::leave`]).
    pub leaves: u8,
    /// Explicit padding, always zero.
    pub reserved: [u8; 3],
    /// `IFLA_IFNAME`.
    pub name: Text,
    /// `IFLA_IFNAME` of the second device of a pair.
    pub peer_name: Text,
    /// `IFLA_INFO_KIND`, cut at 16 bytes.
    pub kind: Text,
    /// Which attributes are there (see [`attribute_bit`]).
    pub attributes: Attributes,
}

impl LinkRequest {
    /// Turns a request by which a device leaves the master that it has, besides what
    /// else that does, into one that does just this, as `nomaster` would. False, and
    /// nothing done, if none leaves.
    ///
    /// (So the master left and the one joined are judged one after the other: a view
    /// has room for one, and the kernel's stack none for two.)
    #[inline(always)]
    pub fn leave(&mut self) -> bool {
        let closed = self.deletes() || self.other_namespace != 0;
        if !closed && (self.has_master == 0 || self.master == 0) {
            return false;
        }
        *self = Self {
            message_type: if self.deletes() {
                u32::from(RTM_SETLINK)
            } else {
                self.message_type
            },
            message_flags: self.message_flags,
            index: self.index,
            has_name: self.has_name,
            has_alternative_name: self.has_alternative_name,
            has_group: self.has_group,
            name: self.name,
            has_master: 1,
            leaves: if closed { LEAVES_CLOSED } else { LEAVES_OPEN },
            ..Self::default()
        };
        true
    }

    /// Notes that an attribute is there.
    #[inline(always)]
    pub(super) fn note(&mut self, attribute: u16) {
        self.attributes |= attribute_bit(attribute);
    }

    #[inline(always)]
    pub(super) fn forget_data(&mut self) {
        self.has_data = 0;
        self.has_macvlan_flags = 0;
        self.ends_vlan_filtering = 0;
        self.forget_first();
    }

    /// Forgets what the attribute with number 1 of `IFLA_INFO_DATA` said.
    #[inline(always)]
    pub(super) fn forget_first(&mut self) {
        self.has_macvlan_mode = 0;
        self.bond_mode = 0;
        self.peer_flags = 0;
        self.peer_change = 0;
        self.has_peer_name = 0;
    }

    /// Whether it is an `RTM_DELLINK`.
    #[inline(always)]
    pub fn deletes(&self) -> bool {
        self.message_type == u32::from(RTM_DELLINK)
    }

    /// Whether the device is named by its index.
    #[inline(always)]
    pub fn by_index(&self) -> bool {
        self.index.cast_signed() > 0
    }

    /// Whether it may make another port of the device's bond the active one, as a number:
    /// by an option of the port, or by giving it the name of the primary one
    /// (`bond_slave_netdev_event`).
    #[inline(always)]
    pub(super) fn may_change_active_port(&self) -> u64 {
        let renames = nonzero(u64::from(self.has_name)) & self.goes_by_index();
        nonzero(u64::from(self.has_port_data)) | renames
    }

    /// Whether it means one device, whichever way that is named.
    #[inline(always)]
    pub(super) fn names_one(&self) -> bool {
        self.by_index() || self.has_name != 0 || self.has_alternative_name != 0
    }

    /// Which flags the request is about (`rtnl_dev_combine_flags`, and the
    /// condition under which `do_setlink` calls it).
    #[inline(always)]
    pub(super) fn mask(&self) -> u32 {
        if self.change == 0 && self.flags != 0 {
            u32::MAX
        } else {
            self.change
        }
    }

    /// The flags that will be set on the second device of a pair.
    #[inline(always)]
    pub(super) fn flags_of_peer(&self) -> u32 {
        match (self.kind == kind::CAN, self.peer_change) {
            (true, _) => 0,
            (false, 0) => self.peer_flags,
            (false, change) => self.peer_flags & change,
        }
    }

    /// Whether `flag` will be set (`rtnl_dev_combine_flags`, and the condition
    /// under which `do_setlink` calls it).
    #[inline(always)]
    pub(super) fn sets(&self, flag: u32) -> bool {
        sets(self.flags, self.change, flag)
    }

    /// Whether `flag` will be set on the second device of a pair
    /// (`veth_newlink`). The first attribute of a CAN device is a timing.
    #[inline(always)]
    fn sets_on_peer(&self, flag: u32) -> bool {
        sets(self.peer_flags, self.peer_change, flag) && self.kind != kind::CAN
    }

    /// Whether `flag` will be cleared.
    #[inline(always)]
    fn clears(&self, flag: u32) -> bool {
        let all = self.change == 0 && self.flags != 0;
        self.flags & flag == 0 && (all || self.change & flag != 0)
    }

    /// Whether it makes a device if there is none.
    #[inline(always)]
    pub(super) fn creates(&self) -> bool {
        self.message_type == u32::from(RTM_NEWLINK)
            && self.message_flags & u32::from(NLM_F_CREATE) != 0
    }

    /// Whether it leaves a device alone that is there already (`EEXIST` and
    /// `EOPNOTSUPP` in `__rtnl_newlink`).
    #[inline(always)]
    pub(super) fn only_creates(&self) -> bool {
        self.creates() && self.message_flags & u32::from(NLM_F_EXCL | NLM_F_REPLACE) != 0
    }

    /// [`Self::only_creates`], as a number.
    #[inline(always)]
    fn creates_alone(&self) -> u64 {
        let of_new = not(nonzero(u64::from(
            self.message_type ^ u32::from(RTM_NEWLINK),
        )));
        let creates = nonzero(u64::from(self.message_flags & u32::from(NLM_F_CREATE)));
        let alone = u32::from(NLM_F_EXCL | NLM_F_REPLACE);
        of_new & creates & nonzero(u64::from(self.message_flags & alone))
    }

    /// [`Self::by_index`], as a number.
    #[inline(always)]
    fn goes_by_index(&self) -> u64 {
        nonzero(u64::from(self.index)) & not(u64::from(self.index >> 31))
    }

    /// Whether `IFF_UP` will be set, as a number ([`Self::sets`]).
    #[inline(always)]
    pub(super) fn sets_up(&self) -> u64 {
        let masked = u64::from(self.change & IFF_UP) | not(nonzero(u64::from(self.change)));
        u64::from(self.flags & IFF_UP) & masked
    }

    /// What precedes the number in the name of a device that is given none.
    #[inline(always)]
    fn numbered_name(&self) -> Text {
        if self.kind == kind::NETKIT {
            Text::new(b"nk")
        } else {
            self.kind
        }
    }

    /// Which part of what was known of the links before may no longer hold, after
    /// this message, for the rest of the datagram: `UNSETTLED_*` bits.
    #[inline(always)]
    pub fn unsettles(&self) -> u32 {
        // Of a bond, the next message may make ports.
        let links = self.has_master != 0
            || self.deletes()
            // By index it is a new name, else it selects.
            || (self.has_name != 0 && self.by_index())
            || self.other_namespace != 0
            || self.message_flags & u32::from(NLM_F_CREATE) != 0;
        let flags = self.clears(IFF_PROMISC)
            || self.clears(IFF_UP)
            || self.sets(IFF_PROMISC)
            // A vlan may then have an address of its own.
            || self.has_address != 0;
        // In numbers: the verifier follows each way through a branch.
        let entry = not(nonzero(u64::from(
            self.message_type ^ u32::from(RTM_NEWNEIGH),
        ))) & nonzero(u64::from(self.neighbour_flags & NTF_SELF));
        let of_port = nonzero(u64::from(self.of_bridge | self.has_port_data));
        let of_bridge = nonzero(u64::from(self.has_data)) & self.kind.is(&kind::BRIDGE);
        let open = self.sets_up() | entry | of_port | of_bridge;
        (u32::from(links) * UNSETTLED_LINKS)
            | (u32::from(flags) * UNSETTLED_FLAGS)
            | (open as u32 * UNSETTLED_OPEN)
    }
}

#[inline(always)]
fn sets(flags: u32, change: u32, flag: u32) -> bool {
    flags & flag != 0 && (change == 0 || change & flag != 0)
}

/// The devices that a request is about, as they are when it is sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkView {
    /// The device that it changes; index 0 if there is none.
    pub device: Device,
    /// Its master to be; index 0 if there is none of that index. If the request
    /// names none, the master that it has.
    pub master: Device,
    /// The device below: the existing one's, or `IFLA_LINK` of a new one;
    /// index 0 if there is none.
    pub lower: Device,
    /// Which parts of the view an earlier message of the datagram made
    /// unreliable, or a search that ended without an answer: [`UNSETTLED_LINKS`] and
    /// [`UNSETTLED_FLAGS`] bits.
    pub unstable: u32,
    /// How many nodes were looked at to find the devices, in the whole call.
    pub searched: u32,
    /// Whether some port of the bridge that the device is, or is a port of, is not
    /// promiscuous: 0 or 1.
    pub quiet_ports: u32,
    /// Whether it would make something promiscuous that some port of the vrf that the
    /// device is is closed and opened; or that some port of the bond or team that the
    /// device or its master is gets another address: 0 or 1.
    pub restless_ports: u32,
    /// Whether some port of the bond or team that the device is filters no addresses: 0
    /// or 1.
    pub unfiltered_ports: u32,
    /// Whether an earlier message of the datagram may have opened a device, given one an
    /// address, or changed what a port of a bridge does: 0 or 1.
    pub stirred: u32,
}

impl LinkView {
    /// Takes note of what earlier messages of the datagram have made unreliable:
    /// `UNSETTLED_*` bits.
    #[inline(always)]
    pub fn follow(&mut self, unsettled: u32) {
        self.unstable = unsettled & (UNSETTLED_LINKS | UNSETTLED_FLAGS);
        self.stirred = u32::from(unsettled & UNSETTLED_OPEN != 0);
    }

    /// Whether an earlier message may have changed which device is which.
    #[inline(always)]
    pub(super) fn links_unsettled(&self) -> bool {
        self.unstable & UNSETTLED_LINKS != 0
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
    let [flag, master] = direct_effects(request, view);
    [flag, master, stacking_operation(request, view)]
}

/// The part of [`effects`] that needs no look at what lies above and below.
#[inline(always)]
pub fn direct_effects(request: &LinkRequest, view: &LinkView) -> [Option<OperationKind>; 2] {
    [
        flag_operation(request, view),
        master_operation(request, view),
    ]
}

/// The part of [`judge`] that says whether the policy excepts the devices. A new
/// device is judged by its kind: a name that is excepted it may not take.
#[inline(always)]
pub fn excepted(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    let device = |device: &Device| policy.excepts(device);
    excepted_by(request, view, device, |kind| policy.excepts_kind(kind))
}

/// The same, where `device` says whether the policy excepts one, and `kind` whether all
/// of a kind. (The kernel's verifier then checks these apart, and once.)
#[inline(always)]
pub fn excepted_by(
    request: &LinkRequest,
    view: &LinkView,
    device: impl Fn(&Device) -> bool,
    kind: impl Fn(&Text) -> bool,
) -> bool {
    if request.other_namespace != 0 || view.unstable != 0 || reaches_others(request, view) {
        return false;
    }
    // Of a taller stack, or of several devices below, not all are seen.
    let lowest = (view.lower.index != 0) & (view.lower.stacked == 0);
    let (excepted, stacked) = if view.device.index != 0 {
        (device(&view.device), view.device.stacked != 0)
    } else {
        // The kind that a request gives says nothing of a device that is there, and
        // nothing of the ports of an HSR ring.
        let made = request.creates() && changes_unseen(request, view) == 0;
        let ring = request.kind == kind::HSR;
        (made && !ring && kind(&request.kind), request.lower != 0)
    };
    excepted && (!stacked || lowest && device(&view.lower))
}

/// Whether others may rise than the device and those below it, of which the policy need
/// not except any: a master, its other ports, or the ports of the device.
#[inline(always)]
fn reaches_others(request: &LinkRequest, view: &LinkView) -> bool {
    // In numbers: the verifier follows each way through a branch.
    let is_there = |flag: u8| nonzero(u64::from(flag));
    let master = &view.master;
    let has_master = is_there(request.has_master);
    let deletes = not(nonzero(u64::from(
        request.message_type ^ u32::from(RTM_DELLINK),
    )));
    let leaves = deletes | has_master & not(nonzero(u64::from(request.master)));
    let changes_port = request.may_change_active_port() & master.kind.is(&kind::BOND);
    // Of its ports none is there yet.
    let balances =
        request.kind.is(&kind::BOND) & not(nonzero(u64::from(request.bond_mode ^ BOND_MODE_ALB)));
    // ipvlan_set_port_mode sets the flags of all on the device.
    let has_data = is_there(request.has_data);
    let shifts = has_data & nonzero(u64::from(view.lower.above & ABOVE_LISTENED));
    let of_bridge = request.floods | request.ends_vlan_filtering | request.of_bridge;
    let wakes = (has_master | is_there(of_bridge)) & nonzero(u64::from(view.quiet_ports));
    let readdresses = has_master | is_there(request.has_address);
    let of_ports = (readdresses | has_data) & nonzero(u64::from(view.restless_ports));
    let of_master = readdresses
        & nonzero(u64::from(master.index))
        & nonzero(u64::from(master.above & ABOVE_FIXED));
    leaves | changes_port | balances | shifts | wakes | of_ports | of_master != 0
}

#[inline(always)]
fn flag_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    if request.sets_on_peer(IFF_PROMISC) {
        return Some(OperationKind::PromiscuousFlag);
    }
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
    if view.master.index == 0 || view.links_unsettled() || request.other_namespace != 0 {
        Some(OperationKind::PromiscuousUnjudged)
    } else if *master == kind::BRIDGE {
        // br_add_if, br_manage_promisc.
        Some(OperationKind::PromiscuousBridgePort)
    } else if *master == kind::VRF {
        None
    } else if *master == kind::BOND || *master == kind::TEAM {
        // bond_enslave and team_port_add hand the master's promiscuity down.
        let promiscuous = view.master.flags & IFF_PROMISC != 0 || view.unstable != 0;
        promiscuous.then_some(OperationKind::PromiscuousStacked)
    } else {
        Some(OperationKind::PromiscuousUnjudged)
    }
}

/// Whether it may change a device that the view does not show: one of an
/// alternative name, the members of a group, or, after messages that made the
/// view unreliable, any.
#[inline(always)]
pub(super) fn changes_unseen(request: &LinkRequest, view: &LinkView) -> u64 {
    let named = request.has_name | request.has_alternative_name | request.has_group;
    let found = nonzero(u64::from(view.device.index));
    let not_found = not(found) & not(request.goes_by_index()) & nonzero(u64::from(named));
    let unsettled = u64::from(view.unstable & UNSETTLED_LINKS);
    (not_found | unsettled) & not(request.creates_alone())
}

/// Whether devices of this kind are made with a second one.
#[inline(always)]
fn is_pair(text: &Text) -> bool {
    *text == kind::VETH || *text == kind::VXCAN || *text == kind::NETKIT
}

/// The part of [`judge`] that says whether a name is taken that the policy
/// excepts: by creation, by renaming, or in another namespace.
#[inline(always)]
pub fn takes_excepted_name(request: &LinkRequest, view: &LinkView, policy: &PolicyRecord) -> bool {
    if policy.promiscuous.flags & PROMISCUOUS_NAMES_EXCEPTED == 0 || request.deletes() {
        return false;
    }
    let exists = (view.device.index != 0) & !view.links_unsettled();
    let selects = exists && !request.by_index() && request.other_namespace == 0;
    if request.has_name != 0 && !selects && policy.excepts_name(&request.name) {
        return true;
    }
    if request.has_peer_name != 0 && policy.excepts_name(&request.peer_name) {
        return true;
    }
    let named = (request.has_name != 0) & (request.has_peer_name != 0 || !is_pair(&request.kind));
    request.creates() && !exists && !named && policy.excepts_numbered(&request.numbered_name())
}
