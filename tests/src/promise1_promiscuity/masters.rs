//! A port that leaves its master otherwise than by `nomaster`: for another master, for
//! another network namespace, by an ioctl, or because it is deleted, itself or the
//! device that it stands on.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use anyhow::{Result, ensure};
use nix::sched::{CloneFlags, setns, unshare};

use super::VICTIM;
use super::addresses::{Act, prepared};
use crate::attack::ioctl::{
    Family, VlanCommand, bridge_remove_port, change_flags, rename, vlan, vlan_by_question,
};
use crate::attack::link::{self, RTM_DELLINK, RTM_SETLINK, change};
use crate::attack::{IFF_UP, Membership, Target, index_of, packet};
use crate::rig::{Attack, Expected, Stage, Trials, USUAL_POLICY, Watch, errno_of};

/// A bridge that has the address of its port d1, and so has a vlan above it.
const BRIDGE: &str = "ip link add br0 type bridge && ip link set br0 up \
    && ip link add d1 address 02:00:00:00:00:01 type dummy && ip link set d1 master br0 \
    && ip link add d2 address 02:00:00:00:00:02 type dummy && ip link set d2 master br0 \
    && ip link add link br0 name v0 address 02:00:00:00:00:01 type vlan id 7 \
    && ip link set v0 up && ip link add r0 type vrf table 9";

/// A promiscuous bond with its active port d1, a vlan.
const BOND: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add d0 type dummy && ip link set d0 up \
    && ip link add link d0 name d1 type vlan id 7 && ip link add victim0 type dummy \
    && ip link set d1 master b0 && ip link set victim0 master b0 \
    && ip link set b0 promisc on && ip link add r0 type vrf table 9";

/// The same, where the port is what goes when the device below it moves.
const VXLAN: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add d0 type dummy && ip link set d0 mtu 2000 up \
    && ip link add d1 type vxlan id 7 dev d0 dstport 4789 && ip link add victim0 type dummy \
    && ip link set d1 master b0 && ip link set victim0 master b0 && ip link set b0 promisc on";

/// A promiscuous bond whose primary port has had another name since, and is the active one.
/// (With dummies for ports, 7.3 waits for a lock of its own: `netdev_lock_ops`.)
const PRIMARY: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && for port in d1 victim0; do ip link add $port type veth peer name p$port \
        && ip link set p$port up && ip link set $port master b0 || exit 1; done \
    && ip link set b0 type bond primary d1 && ip link set b0 promisc on \
    && ip link set d1 down && ip link set d1 name d2 && ip link set victim0 down";

/// A port with the address of its bond, and so has a vlan above it, which stays open when
/// the port is closed.
const DELETED: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add d1 address 02:00:00:00:00:01 type dummy && ip link set d1 master b0 \
    && ip link add d2 address 02:00:00:00:00:02 type dummy && ip link set d2 master b0 \
    && ip link add link d2 name v2 type vlan id 7 loose_binding on \
    && ip link set v2 address $(cat /sys/class/net/b0/address) && ip link set v2 up";

pub fn add(trials: &mut Trials) {
    let ways: [(&str, &str, Act); 4] = [
        ("moved_to_a_vrf", "RTM_SETLINK", || {
            link::request(change(RTM_SETLINK, Target::Name("d1")).master(index_of("r0")?))
        }),
        ("moved_to_a_namespace", "RTM_SETLINK", || {
            move_to_a_namespace("d1")
        }),
        ("deleted", "rtnetlink", || link::delete("d1")),
        ("deleted_by_index", "rtnetlink", || {
            link::request(change(RTM_DELLINK, Target::Index(index_of("d1")?)))
        }),
    ];
    for (how, via, act) in ways {
        let name = format!("port_of_a_promiscuous_bond_{how}");
        let stacked = Expected::of("promiscuous.stacked", via);
        Attack::new(name, VICTIM, stacked, act)
            .needs(&["bond", "vlan", "vrf"])
            .on(prepared(BOND))
            .with_all_capabilities()
            .twins(trials);
        let name = format!("port_whose_address_a_bridge_has_{how}");
        loses_its_address(trials, &name, via, act);
    }
    loses_its_address(
        trials,
        "siocbrdelif_of_the_port_whose_address_a_bridge_has",
        "SIOCBRDELIF",
        || bridge_remove_port("br0", index_of("d1")?),
    );
    Attack::new(
        "dummy_below_the_port_of_a_promiscuous_bond_deleted",
        VICTIM,
        Expected::of("promiscuous.stacked", "rtnetlink"),
        || link::delete("d0"),
    )
    .needs(&["bond", "vlan", "vrf"])
    .on(prepared(BOND))
    .twins(trials);
    Attack::new(
        "siocsifvlan_removes_the_port_of_a_promiscuous_bond",
        VICTIM,
        Expected::of("promiscuous.stacked", "SIOCSIFVLAN"),
        || vlan(VlanCommand::Delete, "d1", 0),
    )
    .needs(&["bond", "vlan", "vrf"])
    .on(prepared(BOND))
    .twins(trials);
    Attack::new(
        "siocgifvlan_removes_the_port_of_a_promiscuous_bond",
        VICTIM,
        Expected::of("promiscuous.stacked", "SIOCSIFVLAN"),
        || vlan_by_question(VlanCommand::Delete, "d1", 0),
    )
    .needs(&["bond", "vlan", "vrf"])
    .on(prepared(BOND))
    .twins(trials);
    Attack::new(
        "dummy_below_a_vxlan_port_moved_to_a_namespace",
        VICTIM,
        Expected::of("promiscuous.stacked", "RTM_SETLINK"),
        || move_to_a_namespace("d0"),
    )
    .needs(&["bond", "vxlan"])
    .on(prepared(VXLAN))
    .with_all_capabilities()
    .twins(trials);
    renamed(trials);
    leaves_a_vrf(trials);
    trials.guarded(
        USUAL_POLICY,
        "bond_deleted_over_the_port_below_a_vlan_passes",
        deleted,
    );
    trials.guarded(
        USUAL_POLICY,
        "siocgifvlan_that_asks_beside_a_port_that_would_be_missed_passes",
        |stage| {
            let container = stage.guarded()?;
            container.set_up(prepared(BOND))?;
            let watch = Watch::begin(stage)?;
            container.run(|| vlan_by_question(VlanCommand::Id, "d1", 0))?;
            watch.saw_no_rise()?;
            watch.saw_no_event()
        },
    );
    trials.guarded(
        USUAL_POLICY,
        "ports_that_leave_quiet_masters_pass",
        quiet_masters,
    );
}

fn loses_its_address(trials: &mut Trials, name: &str, via: &'static str, act: Act) {
    let address = Expected::of("promiscuous.unicast_filter", via);
    Attack::new(name, "br0", address, act)
        .needs(&["bridge", "vlan", "vrf"])
        .on(prepared(BRIDGE))
        .with_all_capabilities()
        .twins(trials);
}

/// A port that gets the name of the primary one becomes the active one
/// (`bond_slave_netdev_event`).
fn renamed(trials: &mut Trials) {
    let ways: [(&str, Act); 2] = [
        ("RTM_SETLINK", || {
            link::request(change(RTM_SETLINK, Target::Index(index_of(VICTIM)?)).name("d1"))
        }),
        ("SIOCSIFNAME", || rename(VICTIM, "d1")),
    ];
    for (via, act) in ways {
        let name = format!("{}_into_that_of_the_primary_port", via.to_lowercase());
        Attack::new(name, VICTIM, Expected::of("promiscuous.stacked", via), act)
            .needs(&["bond"])
            .on(prepared(PRIMARY))
            .renaming_to("d1")
            .twins(trials);
    }
}

fn move_to_a_namespace(name: &str) -> io::Result<()> {
    let here = File::open("/proc/self/ns/net")?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let far = File::open("/proc/self/ns/net")?;
    setns(&here, CloneFlags::CLONE_NEWNET)?;
    let message = change(RTM_SETLINK, Target::Name(name));
    link::request(message.namespace(far.as_raw_fd()))
}

/// `do_set_master`: the vrf has let go of it, closed and opened it, when the team finds
/// that it takes none that is open.
fn leaves_a_vrf(trials: &mut Trials) {
    Attack::new(
        "port_of_a_vrf_that_somebody_listens_on_moved",
        VICTIM,
        Expected::of("promiscuous.stacked", "RTM_SETLINK"),
        || {
            let message = change(RTM_SETLINK, Target::Name(VICTIM));
            match link::request(message.master(index_of("t0")?)) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(()),
                other => other,
            }
        },
    )
    .needs(&["vrf", "team"])
    .on(|| {
        prepared(
            "ip link add r0 type vrf table 9 && ip link add t0 type team \
             && ip link add victim0 type dummy && ip link set victim0 up \
             && ip link set victim0 master r0",
        )()?;
        packet::join(index_of(VICTIM)?, Membership::Promiscuous)
    })
    .twins(trials);
}

/// `__bond_release_one` closes a port before it gives its address back (and so does
/// `team_port_del`): the vlan's is put on it then, and raises it when it is brought up,
/// which is refused.
fn deleted(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(prepared(DELETED))?;
    let watch = Watch::begin(stage)?;
    let addresses = container.run(|| {
        let before = std::fs::read_to_string("/sys/class/net/d2/address")?;
        link::delete("b0")?;
        Ok([
            before,
            std::fs::read_to_string("/sys/class/net/d2/address")?,
        ])
    })?;
    let [before, after] = addresses.each_ref().map(|address| address.trim());
    ensure!(
        before != after && after == "02:00:00:00:00:02",
        "{before} then {after}"
    );
    watch.saw_no_rise()?;
    watch.saw_no_event()?;
    let up = container.run(|| Ok(errno_of(&change_flags(Family::Inet, "d2", IFF_UP, 0))))?;
    ensure!(up == libc::EPERM, "brought up: errno {up}");
    watch.saw_no_rise()
}

/// The other side of each line.
fn quiet_masters(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.with_all_capabilities();
    let _listener = container.set_up_and_hold(|| {
        prepared(
            "ip link add r0 type vrf table 9 && ip link add br0 type bridge && ip link set br0 up \
             && for port in d1 d2 d3 d4 d5; do ip link add $port type dummy \
                 && ip link set $port master br0 || exit 1; done \
             && ip link add link br0 name v0 type vlan id 7 && ip link set v0 up \
             && ip link add b0 type bond mode active-backup && ip link set b0 up \
             && ip link add c0 type bond && ip link set c0 up \
             && ip link add link c0 name c1 type vlan id 7 && ip link set c1 master b0 \
             && ip link add l0 type dummy && ip link set l0 up && ip link set l0 master r0 \
             && ip link add l1 type dummy && ip link set l1 up && ip link set l1 master r0",
        )()?;
        Ok((
            packet::join(index_of("l0")?, Membership::Promiscuous)?,
            packet::join(index_of("l1")?, Membership::Promiscuous)?,
        ))
    })?;
    let watch = Watch::begin(stage)?;
    container.run(|| {
        bridge_remove_port("br0", index_of("d1")?)?;
        move_to_a_namespace("d1")?;
        link::delete("l0")?;
        prepared(
            "ip link set d2 master r0 && ip link del d2 && ip link del d3 \
             && ip link set d4 nomaster && ip link set d4 down && ip link set d4 master b0 \
             && ip link add c2 type dummy && ip link set c2 master b0 \
             && ip link set c2 down && ip link set c2 name c3 && ip link set c3 name c2 \
             && ip link set d4 master r0 && ip link del c2 && ip link del c0 && ip link del b0 \
             && ip link del v0 && ip link del br0 && ip link del d5",
        )()
    })?;
    watch.saw_no_rise()?;
    watch.saw_no_event()
}
