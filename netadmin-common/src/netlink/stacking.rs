//! What a request would do by side effect: to the device below, to the ports of
//! a master, or because a device cannot filter the addresses that it gets.

use super::link::{LEAVES_CLOSED, LinkRequest, LinkView, UNSETTLED_LINKS, changes_unseen};
use super::pieces::attribute_bit;
use super::walk::IFLA_LINK_NETNSID;
use super::{RTM_NEWLINK, RTM_NEWNEIGH};
use crate::bits::{nonzero, not};
use crate::catalogue::OperationKind::{
    self, PromiscuousBridgePort, PromiscuousPassthru, PromiscuousStacked, PromiscuousUnicastFilter,
    PromiscuousUnjudged,
};
use crate::device::{
    ABOVE_FIXED, ABOVE_LISTENED, ABOVE_MISSED, ABOVE_MISSED_IF_MOVED, ABOVE_OPENED, IFF_PROMISC,
    IFF_UNICAST_FLT, IFF_UP, kind,
};

const MACVLAN_MODE_PASSTHRU: u32 = 8;
const MACVLAN_FLAG_NOPROMISC: u32 = 1;
/// Balancing of what is received: makes the active port promiscuous when a port
/// leaves (`rlb_teach_disabled_mac_on_primary`).
pub(super) const BOND_MODE_ALB: u8 = 6;
/// linux/neighbour.h.
pub(super) const NTF_SELF: u8 = 0x02;

/// The device is there, as far as is known.
const EXISTS: u32 = 1;
/// It may be another device than the view shows.
const UNSEEN: u32 = 2;
/// It is opened.
const OPENS: u32 = 4;
/// Its address changes.
const READDRESSED: u32 = 8;
/// It becomes a member of a bond or a team.
const JOINS: u32 = 16;
/// It is closed and opened with the flags that it shows.
const CYCLES: u32 = 32;
/// It leaves its master.
const LEAVES: u32 = 64;

/// What a request comes to, besides its flags and its master: bits for the
/// pieces below.
#[inline(always)]
pub fn change_of(request: &LinkRequest, view: &LinkView) -> u32 {
    let of_link = !request.deletes() && request.message_type != u32::from(RTM_NEWNEIGH);
    if request.of_bridge != 0 || !of_link {
        return 0;
    }
    // In numbers of 0 and 1, without a branch: the verifier follows each way through
    // branches on what it knows, and of ten such there are a thousand.
    let unsettled = u64::from(view.unstable & UNSETTLED_LINKS);
    let unstable = nonzero(u64::from(view.unstable));
    let exists = nonzero(u64::from(view.device.index)) & not(unsettled);
    let up = u64::from(view.device.flags & IFF_UP);
    // Who moves is closed before (__dev_change_net_namespace).
    let stays = not(nonzero(u64::from(request.other_namespace)));
    let was_up = exists & up & stays & not(unstable);
    let names_master = nonzero(u64::from(request.has_master));
    let to_vrf = view.master.kind.is(&kind::VRF);
    let groups = not(to_vrf) & not(view.master.kind.is(&kind::BRIDGE));
    let names_another = names_master & nonzero(u64::from(request.master));
    // bond_enslave and team_port_add open what they take, and change its
    // address; who leaves gets its own back.
    let joins = names_another & groups;
    let leaves = names_master & not(names_another) & not(to_vrf);
    let stays_open = nonzero(u64::from(request.leaves ^ LEAVES_CLOSED));
    let of_group = names_master & nonzero(u64::from(view.master.index)) & groups;
    // Who joins or leaves a vrf is closed and opened, if it is open (cycle_netdev).
    let may_be_up = up | unstable | u64::from(view.stirred);
    let cycles = names_master & to_vrf & exists & may_be_up & stays_open;
    let opens = (request.sets_up() | joins) & not(was_up) | cycles;
    let readdressed = nonzero(u64::from(request.has_address)) | joins | of_group & stays_open;
    let cycles = cycles | shifts_ipvlan(request, view);
    let bits = exists
        | changes_unseen(request, view) << 1
        | opens << 2
        | readdressed << 3
        | joins << 4
        | cycles << 5
        | leaves << 6;
    bits as u32
}

// As they are put together above.
const _: () = assert!(EXISTS == 1 && UNSEEN == 1 << 1 && OPENS == 1 << 2);
const _: () = assert!(READDRESSED == 1 << 3 && JOINS == 1 << 4 && CYCLES == 1 << 5);
const _: () = assert!(LEAVES == 1 << 6);
const _: () = assert!(UNSETTLED_LINKS == 1 && IFF_UP == 1);

/// A change of an ipvlan's mode sets the flags of every ipvlan on the same
/// device anew (`ipvlan_set_port_mode`).
#[inline(always)]
fn shifts_ipvlan(request: &LinkRequest, view: &LinkView) -> u64 {
    let kind = &view.device.kind;
    (kind.is(&kind::IPVLAN) | kind.is(&kind::IPVTAP)) & nonzero(u64::from(request.has_data))
}

/// Whether somebody listens on one of them. One that is made sets the mode for all, too
/// (`ipvlan_link_new`).
#[inline(always)]
fn shifts_listened(request: &LinkRequest, view: &LinkView, change: u32) -> bool {
    let made = request.creates() & (change & EXISTS == 0) && kind::is_ipvlan(&request.kind);
    let elsewhere = request.attributes & attribute_bit(IFLA_LINK_NETNSID) != 0;
    let listened = view.lower.above & ABOVE_LISTENED != 0;
    made && (listened | elsewhere) || listened && shifts_ipvlan(request, view) != 0
}

/// The side effect of a request, if it has one: the first piece that finds one
/// names it. (The kernel's verifier checks each piece apart, which is why they
/// share nothing but bits.)
#[inline(always)]
pub(super) fn stacking_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    let change = change_of(request, view);
    port_operation(request, view)
        .or_else(|| created_operation(request, view, change))
        .or_else(|| lower_operation(request, view, change))
        .or_else(|| bond_operation(request, view, change))
        .or_else(|| address_operation(request, view, change))
}

/// Entries and ports of a bridge.
#[inline(always)]
pub fn port_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    if request.message_type == u32::from(RTM_NEWNEIGH) {
        return neighbour_operation(request, view);
    }
    if request.deletes() {
        return deletion_operation(request, view);
    }
    if request.other_namespace != 0 && view.device.above & ABOVE_MISSED_IF_MOVED != 0 {
        return Some(PromiscuousStacked);
    }
    let may = request.floods | request.ends_vlan_filtering != 0;
    (may && wakes_ports(request, view)).then_some(PromiscuousBridgePort)
}

/// What the data of a link type brings, whether a device is made or changed;
/// and what cannot be judged.
#[inline(always)]
pub fn created_operation(
    request: &LinkRequest,
    view: &LinkView,
    change: u32,
) -> Option<OperationKind> {
    if change & CYCLES != 0 && view.device.is_promiscuous_for_others()
        || shifts_listened(request, view, change)
    {
        return Some(PromiscuousStacked);
    }
    let macvlan = kind::is_macvlan(&request.kind) && request.has_data != 0;
    if macvlan && raises_passthru(request, view, change & UNSEEN != 0) {
        return Some(PromiscuousPassthru);
    }
    if request.kind == kind::HSR && request.creates() && change & EXISTS == 0 {
        // hsr_portdev_setup: both ports, which IFLA_INFO_DATA names.
        return Some(PromiscuousBridgePort);
    }
    if request.kind == kind::BOND && request.has_data != 0 && request.bond_mode == BOND_MODE_ALB {
        return Some(PromiscuousStacked);
    }
    // What was looked for by its name and not found is ENODEV.
    let absent = (request.has_name != 0) & !view.links_unsettled();
    let shifts = kind::is_ipvlan(&request.kind) && request.has_data != 0;
    let acts = (change & (OPENS | READDRESSED | LEAVES) != 0) | shifts;
    let unjudged = (change & UNSEEN != 0) & !absent & acts;
    unjudged.then_some(PromiscuousUnjudged)
}

/// What the device hands to the one below it.
#[inline(always)]
pub fn lower_operation(
    request: &LinkRequest,
    view: &LinkView,
    change: u32,
) -> Option<OperationKind> {
    if change & (OPENS | READDRESSED) == 0 {
        return None;
    }
    if change & EXISTS == 0 {
        return lower_operation_of_new(request, view, change);
    }
    let device = &view.device;
    let vlan = device.kind == kind::VLAN;
    let macvlan = kind::is_macvlan(&device.kind);
    // After a message that changed an address, a vlan may have its own.
    let adds = device.adds_address() | vlan & (view.unstable != 0);
    let opened = (change & OPENS != 0) & adds;
    if opened & !vlan & (device.flags & IFF_PROMISC != 0) {
        // macvlan_open hands it down; a vlan did when the flag was set.
        return Some(PromiscuousStacked);
    }
    // Only a passthru device has the address of the one below
    // (eth_hw_addr_inherit); any other of that address is not opened
    // (macvlan_addr_busy).
    let passthru = macvlan & (device.inherits_address != 0);
    if opened & passthru {
        return Some(PromiscuousPassthru);
    }
    // A passthru device gives its address to the one below
    // (macvlan_set_mac_address), which may have vlans.
    let hands_down = (change & READDRESSED != 0) & (vlan | passthru);
    // dev_uc_add on the lower device; __dev_set_rx_mode.
    ((opened | hands_down) && !lower_filters(request, view)).then_some(PromiscuousUnicastFilter)
}

/// A device that is made open, or with an address: only what is below it can
/// rise.
#[inline(always)]
fn lower_operation_of_new(
    request: &LinkRequest,
    view: &LinkView,
    change: u32,
) -> Option<OperationKind> {
    let passthru =
        (request.has_macvlan_mode != 0) & (request.macvlan_mode == MACVLAN_MODE_PASSTHRU);
    let opened = (change & OPENS != 0) & kind::adds_address(&request.kind) & !passthru;
    let adds = opened | (change & READDRESSED != 0) & (request.kind == kind::VLAN);
    (adds && !lower_filters(request, view)).then_some(PromiscuousUnicastFilter)
}

#[inline(always)]
fn lower_filters(request: &LinkRequest, view: &LinkView) -> bool {
    request.other_namespace == 0 && !view.links_unsettled() && view.lower.filters_unicast()
}

/// Options of a bond, or of a port of it, may make another port the active one,
/// which gets what the bond has (`bond_hw_addr_swap`), and the bond's address or the
/// other's (`bond_do_fail_over_mac`). So may who joins, of which the rest is judged
/// elsewhere.
#[inline(always)]
pub fn bond_operation(
    request: &LinkRequest,
    view: &LinkView,
    change: u32,
) -> Option<OperationKind> {
    let exists = change & EXISTS != 0;
    let joins = change & JOINS != 0;
    let optioned = exists & (view.device.kind == kind::BOND) & (request.has_data != 0);
    let may_change = request.may_change_active_port() | nonzero(u64::from(request.has_master)) != 0;
    let of_port = (view.master.kind == kind::BOND) & (joins | exists & may_change);
    if of_port & joins & !optioned {
        return (view.restless_ports != 0).then_some(PromiscuousUnicastFilter);
    }
    let bond = if optioned {
        &view.device
    } else if of_port {
        &view.master
    } else {
        return None;
    };
    if (bond.flags & IFF_PROMISC != 0) | (view.unstable != 0) {
        return Some(PromiscuousStacked);
    }
    let readdresses = (bond.above & ABOVE_FIXED != 0) | (view.restless_ports != 0);
    ((bond.has_addresses != 0) | readdresses).then_some(PromiscuousUnicastFilter)
}

/// Whether the device, its master or a port gets an address that is not
/// filtered.
#[inline(always)]
pub fn address_operation(
    request: &LinkRequest,
    view: &LinkView,
    change: u32,
) -> Option<OperationKind> {
    let (device, master) = (&view.device, &view.master);
    let opens = change & OPENS != 0;
    // What a bond or a team hands to who joins.
    let handed = (change & JOINS != 0)
        & ((master.has_addresses | view.stirred != 0) | (master.above & ABOVE_FIXED != 0));
    if change & EXISTS == 0 {
        // (What is made filters nothing, as far as is known.)
        return handed.then_some(PromiscuousUnicastFilter);
    }
    // br_del_if, __bond_release_one: the master may take the address of another port.
    let leaves = change & LEAVES != 0;
    let readdressed = (change & READDRESSED != 0) & (request.has_master | request.has_address != 0);
    // vlan_device_event.
    let for_itself = opens & (device.above & ABOVE_OPENED != 0)
        | readdressed & (device.above & ABOVE_FIXED != 0)
        | handed;
    // bond_set_dev_addr, br_stp_recalculate_bridge_id: the master's address may
    // follow.
    let for_master =
        (readdressed | leaves) & (master.index != 0) & (master.above & ABOVE_FIXED != 0);
    // bond_set_mac_address, team_set_mac_address.
    let for_ports = readdressed & device.has_members() & (view.restless_ports != 0);
    let raises = opens & uploads_addresses(request, view)
        | for_itself & !device.filters_unicast()
        | for_master & !master.filters_unicast()
        | for_ports;
    raises.then_some(PromiscuousUnicastFilter)
}

/// Whether opening the device uploads addresses, to itself or to those below it, which
/// cannot filter them (`__dev_open`).
#[inline(always)]
fn uploads_addresses(request: &LinkRequest, view: &LinkView) -> bool {
    let device = &view.device;
    let below = (device.stacked != 0)
        & if device.has_members() {
            view.unfiltered_ports != 0
        } else {
            !lower_filters(request, view)
        };
    (device.has_addresses != 0)
        & (device.promiscuous_for_addresses == 0)
        & ((device.priv_flags & IFF_UNICAST_FLT == 0) | below)
}

/// A port that learns or floods makes others promiscuous, and without vlan
/// filtering all are (`br_manage_promisc`).
#[inline(always)]
fn wakes_ports(request: &LinkRequest, view: &LinkView) -> bool {
    let bridge = view.device.kind == kind::BRIDGE || view.master.kind == kind::BRIDGE;
    let wakes = bridge && view.quiet_ports != 0;
    if request.of_bridge != 0 {
        return wakes || view.device.index == 0 || view.unstable | view.stirred != 0;
    }
    // do_setlink reads no IFLA_LINKINFO; and of another kind than a bridge's, the
    // attribute that ends vlan filtering is something else.
    if request.message_type != u32::from(RTM_NEWLINK)
        || request.floods == 0 && request.kind != kind::BRIDGE
    {
        return false;
    }
    wakes || view.unstable | view.stirred != 0 && !request.only_creates()
}

/// `rtnl_fdb_add`, `ndo_dflt_fdb_add`: an address for the device itself. One for
/// its bridge raises nothing: a port that is not promiscuous has the addresses of
/// the bridge and its ports already (`br_fdb_sync_static`).
#[inline(always)]
fn neighbour_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    let device = &view.device;
    // vxlan_fdb_add keeps it for itself; a bridge gives it to its ports.
    let own = (device.kind == kind::VXLAN) | (device.kind == kind::BRIDGE);
    if request.neighbour_flags & NTF_SELF == 0 || own && view.unstable == 0 {
        return None;
    }
    if view.unstable != 0 {
        return Some(PromiscuousUnjudged);
    }
    (!device.filters_unicast()).then_some(PromiscuousUnicastFilter)
}

/// `vrf_dellink`: who leaves is closed and opened (`cycle_netdev`). A vrf that is not
/// seen may have such ports. What lies above a device goes with it, and may be the
/// port of a master.
#[inline(always)]
fn deletion_operation(request: &LinkRequest, view: &LinkView) -> Option<OperationKind> {
    let elsewhere = request.other_namespace != 0;
    // (An earlier message may have given the name to another.)
    let sure = request.by_index() || !view.links_unsettled();
    if view.device.index != 0 && !elsewhere && sure {
        let of_ports = view.device.kind == kind::VRF && view.restless_ports != 0;
        let raises = of_ports | (view.device.above & ABOVE_MISSED != 0);
        return raises.then_some(PromiscuousStacked);
    }
    // What was looked for by index or name and not found is ENODEV.
    let absent = (request.by_index() | (request.has_name != 0)) & !view.links_unsettled();
    (elsewhere || !absent).then_some(PromiscuousUnjudged)
}

/// `macvlan_common_newlink`, `macvlan_changelink`: the lower device rises when
/// a passthru device is opened, or when its `NOPROMISC` is taken away. The mode
/// of a device that is there cannot be changed to or from passthru.
#[inline(always)]
fn raises_passthru(request: &LinkRequest, view: &LinkView, unseen: bool) -> bool {
    let may_be_passthru = if request.has_macvlan_mode != 0 {
        request.macvlan_mode == MACVLAN_MODE_PASSTHRU
    } else {
        request.has_macvlan_flags != 0 && (unseen || view.device.index != 0)
    };
    let quiet =
        request.has_macvlan_flags != 0 && request.macvlan_flags & MACVLAN_FLAG_NOPROMISC != 0;
    may_be_passthru && !quiet
}
