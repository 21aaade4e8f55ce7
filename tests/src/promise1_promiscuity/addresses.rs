//! Devices that cannot filter the addresses that they get, on whichever way, turn
//! promiscuous.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use anyhow::Result;
use nix::sched::{CloneFlags, setns, unshare};

use super::VICTIM;
use crate::attack::ioctl::{Family, bond_enslave, change_flags, set_address};
use crate::attack::link::{self, RTM_SETLINK, change};
use crate::attack::process::shell;
use crate::attack::{IFF_UP, Target, fdb, index_of};
use crate::rig::{Attack, Expected, Stage, Trials, USUAL_POLICY, Watch};

/// What an attacker does.
pub type Act = fn() -> io::Result<()>;

const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 7];

pub fn add(trials: &mut Trials) {
    entries(trials);
    vlans(trials);
    parents(trials);
    members(trials);
    bridges(trials);
    moved(trials);
    passes(trials);
}

/// Sets up by a command line, which must succeed.
pub fn prepared(line: &'static str) -> impl Fn() -> io::Result<()> + Send + Sync {
    move || {
        let ran = shell(line)?;
        if ran.status == 0 {
            Ok(())
        } else {
            Err(io::Error::other(format!("`{line}`: {ran:?}")))
        }
    }
}

/// Runs a command line; one that says that it is not permitted is refused.
pub fn permitted(line: &str) -> io::Result<()> {
    let ran = shell(line)?;
    match ran.status {
        0 => Ok(()),
        _ if ran.stderr.contains("Operation not permitted") => {
            Err(io::Error::from_raw_os_error(libc::EPERM))
        }
        _ => Err(io::Error::other(format!("`{line}`: {ran:?}"))),
    }
}

fn address(via: &'static str) -> Expected {
    Expected::of("promiscuous.unicast_filter", via)
}

fn up_by_ioctl(name: &'static str) -> io::Result<()> {
    change_flags(Family::Inet, name, IFF_UP, 0)
}

fn up_by_netlink(name: &'static str) -> io::Result<()> {
    link::request(change(RTM_SETLINK, Target::Name(name)).flags(IFF_UP, IFF_UP))
}

fn entries(trials: &mut Trials) {
    let set_up = "ip link add victim0 type dummy && ip link set victim0 up";
    Attack::new(
        "rtm_newneigh_for_a_dummy_itself",
        VICTIM,
        address("rtnetlink"),
        || fdb::add(index_of(VICTIM)?, fdb::NTF_SELF, OTHER),
    )
    .on(prepared(set_up))
    .twins(trials);
    let set_up =
        "ip link add victim0 type dummy && bridge fdb add 02:00:00:00:00:07 dev victim0 self";
    for (via, up) in [
        ("SIOCSIFFLAGS", up_by_ioctl as fn(&'static str) -> _),
        ("RTM_SETLINK", up_by_netlink),
    ] {
        let name = format!("dummy_with_an_address_brought_up_by_{via}").to_lowercase();
        Attack::new(name, VICTIM, address(via), move || up(VICTIM))
            .on(prepared(set_up))
            .twins(trials);
    }
}

fn vlans(trials: &mut Trials) {
    let over = "ip link add victim0 type dummy && ip link set victim0 up \
        && ip link add link victim0 name v0 type vlan id 7 && ip link set v0 up";
    let readdress: [(&str, &str, Act); 2] = [
        (
            "vlan_gets_an_address_by_siocsifhwaddr",
            "SIOCSIFHWADDR",
            || set_address("v0", OTHER),
        ),
        ("vlan_gets_an_address_by_rtm_setlink", "RTM_SETLINK", || {
            link::request(change(RTM_SETLINK, Target::Name("v0")).address(OTHER))
        }),
    ];
    for (name, via, act) in readdress {
        Attack::new(name, VICTIM, address(via), act)
            .needs(&["vlan"])
            .on(prepared(over))
            .twins(trials);
    }
    let own = "ip link add victim0 type dummy && ip link set victim0 up \
        && ip link add link victim0 name v0 address 02:00:00:00:00:07 type vlan id 7";
    for (via, up) in [
        ("SIOCSIFFLAGS", up_by_ioctl as fn(&'static str) -> _),
        ("RTM_SETLINK", up_by_netlink),
    ] {
        let name = format!("vlan_with_an_address_brought_up_by_{via}").to_lowercase();
        Attack::new(name, VICTIM, address(via), move || up("v0"))
            .needs(&["vlan"])
            .on(prepared(own))
            .twins(trials);
    }
}

/// What happens to a device reaches the vlans above it.
fn parents(trials: &mut Trials) {
    let down = "ip link add victim0 type dummy && ip link set victim0 up \
        && ip link add link victim0 name v0 address 02:00:00:00:00:07 type vlan id 7 \
        && ip link set v0 up && ip link set victim0 down";
    Attack::new(
        "dummy_below_a_vlan_with_an_address_brought_up",
        VICTIM,
        address("SIOCSIFFLAGS"),
        || up_by_ioctl(VICTIM),
    )
    .needs(&["vlan"])
    .on(prepared(down))
    // What it had before is taken back when it comes up.
    .seen_by_the_witness_alone()
    .twins(trials);
    let fixed = "ip link add victim0 address 02:00:00:00:00:09 type dummy \
        && ip link set victim0 up \
        && ip link add link victim0 name v0 address 02:00:00:00:00:09 type vlan id 7 \
        && ip link set v0 up";
    Attack::new(
        "dummy_below_a_vlan_of_its_address_gets_another_by_siocsifhwaddr",
        VICTIM,
        address("SIOCSIFHWADDR"),
        || set_address(VICTIM, OTHER),
    )
    .needs(&["vlan"])
    .on(prepared(fixed))
    .twins(trials);
}

/// A bridge has the lowest address of its ports. When that port leaves, it takes the
/// next one, and a vlan above it that has the first one for its own stays with it.
fn bridges(trials: &mut Trials) {
    let set_up = "ip link add br0 type bridge && ip link set br0 up \
        && ip link add d1 address 02:00:00:00:00:01 type dummy && ip link set d1 master br0 \
        && ip link add d2 address 02:00:00:00:00:02 type dummy && ip link set d2 master br0 \
        && ip link add link br0 name v0 address 02:00:00:00:00:01 type vlan id 7 \
        && ip link set v0 up";
    let name = "bridge_below_a_vlan_of_its_address_loses_the_port_of_that_address";
    Attack::new(name, "br0", address("RTM_SETLINK"), || {
        link::request(change(RTM_SETLINK, Target::Name("d1")).master(0))
    })
    .needs(&["bridge", "vlan"])
    .on(prepared(set_up))
    .twins(trials);
}

/// Who is moved to another network namespace is closed there
/// (`__dev_change_net_namespace`), and opened again if the message says so.
fn moved(trials: &mut Trials) {
    let set_up = "ip link add victim0 type veth peer name peer0 && ip link set victim0 up \
        && ip link add link victim0 name m0 type macvlan && ip link set m0 up";
    Attack::new(
        "macvlan_that_is_up_moved_and_brought_up",
        VICTIM,
        address("RTM_SETLINK"),
        || {
            let here = File::open("/proc/self/ns/net")?;
            unshare(CloneFlags::CLONE_NEWNET)?;
            let far = File::open("/proc/self/ns/net")?;
            setns(&here, CloneFlags::CLONE_NEWNET)?;
            let message = change(RTM_SETLINK, Target::Name("m0")).flags(IFF_UP, IFF_UP);
            link::request(message.namespace(far.as_raw_fd()))?;
            Ok(far)
        },
    )
    .needs(&["macvlan", "veth"])
    .on(prepared(set_up))
    .with_all_capabilities()
    .seen_by_the_witness_alone()
    .twins(trials);
}

fn members(trials: &mut Trials) {
    let bond = "ip link add b0 type bond mode active-backup && ip link set b0 up \
        && ip link add link b0 name v0 address 02:00:00:00:00:07 type vlan id 7 \
        && ip link set v0 up && ip link add victim0 type dummy";
    let enslave: [(&str, Act); 2] = [
        ("RTM_SETLINK", || {
            let message = change(RTM_SETLINK, Target::Name(VICTIM));
            link::request(message.master(index_of("b0")?))
        }),
        ("SIOCBONDENSLAVE", || bond_enslave("b0", VICTIM)),
    ];
    for (via, act) in enslave {
        let name = format!("bond_with_an_address_gets_a_port_by_{via}").to_lowercase();
        Attack::new(name, VICTIM, address(via), act)
            .needs(&["bond", "vlan"])
            .on(prepared(bond))
            .twins(trials);
    }
    let macvlan = "ip link add victim0 type dummy && ip link set victim0 up \
        && ip link add link victim0 name m0 type macvlan mode bridge \
        && ip link add b0 type bond mode active-backup && ip link set b0 up";
    Attack::new(
        "bond_opens_the_macvlan_that_it_takes",
        VICTIM,
        address("RTM_SETLINK"),
        || {
            let message = change(RTM_SETLINK, Target::Name("m0"));
            link::request(message.master(index_of("b0")?))
        },
    )
    .needs(&["bond", "macvlan"])
    .on(prepared(macvlan))
    .twins(trials);
    // On a veth the rise comes within the call on every kernel.
    let vrf = "ip link add victim0 type veth peer name p0 && ip link set victim0 up \
        && ip link add link victim0 name m0 type macvlan mode bridge && ip link set m0 up \
        && ip link add vrf0 type vrf table 9 && ip link set vrf0 up";
    Attack::new(
        "vrf_opens_the_macvlan_that_joins_anew",
        VICTIM,
        address("RTM_SETLINK"),
        || {
            let message = change(RTM_SETLINK, Target::Name("m0"));
            link::request(message.master(index_of("vrf0")?))
        },
    )
    .needs(&["vrf", "macvlan", "veth"])
    .on(prepared(vrf))
    .seen_by_the_witness_alone()
    .twins(trials);
}

/// The other side of the line: what adds no address that is not filtered.
const HARMLESS: [(&str, &str); 7] = [
    (
        "vlan_that_follows_its_parent_brought_up",
        "ip link add d0 type dummy && ip link set d0 up \
         && ip link add link d0 name v0 type vlan id 7 && ip link set v0 up",
    ),
    (
        "dummy_below_a_vlan_that_follows_it_brought_up_and_readdressed",
        "ip link add d0 type dummy && ip link set d0 up \
         && ip link add link d0 name v0 type vlan id 7 && ip link set v0 up \
         && ip link set d0 down && ip link set d0 up \
         && ip link set d0 address 02:00:00:00:00:07 && ifconfig d0 hw ether 02:00:00:00:00:08",
    ),
    (
        "entry_of_a_vxlan",
        "ip link add x0 type vxlan id 7 dstport 4789 local 127.0.0.1 \
         && bridge fdb add 00:00:00:00:00:00 dev x0 dst 192.0.2.1",
    ),
    (
        "bond_gets_a_port_and_an_option_and_loses_the_port",
        "ip link add b0 type bond mode active-backup && ip link set b0 up \
         && ip link add d0 type dummy && ip link set d0 master b0 \
         && ip link set b0 type bond active_slave d0 && ip link set d0 nomaster",
    ),
    (
        "dummy_joins_and_leaves_a_vrf",
        "ip link add d0 type dummy && ip link set d0 up && ip link add r0 type vrf table 9 \
         && ip link set r0 up && ip link set d0 master r0 && ip link set d0 nomaster",
    ),
    (
        "bridge_without_ports_filters_vlans_and_stops",
        "ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up \
         && ip link set br0 type bridge vlan_filtering 0 && ip link set br0 address 02:00:00:00:00:07",
    ),
    (
        "neighbour_of_ipv4",
        "ip link add d0 type dummy && ip link set d0 up \
         && ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:07 dev d0",
    ),
];

/// A port, made outside, leaves a bridge whose vlan has no address of its own.
fn port_leaves(stage: &Stage<'_>) -> Result<()> {
    let set_up = "ip link add br0 type bridge && ip link set br0 up \
        && ip link add d1 address 02:00:00:00:00:01 type dummy && ip link set d1 master br0 \
        && ip link add d2 address 02:00:00:00:00:02 type dummy && ip link set d2 master br0 \
        && ip link add link br0 name v0 type vlan id 7 && ip link set v0 up";
    let container = stage.guarded()?;
    container.set_up(prepared(set_up))?;
    let watch = Watch::begin(stage)?;
    container.run(prepared("ip link set d1 nomaster"))?;
    watch.saw_no_rise()?;
    watch.saw_no_event()
}

fn passes(trials: &mut Trials) {
    trials.guarded(
        USUAL_POLICY,
        "bridge_below_a_vlan_that_follows_it_loses_the_port_of_its_address_passes",
        port_leaves,
    );
    for (name, line) in HARMLESS {
        trials.guarded(USUAL_POLICY, &format!("{name}_passes"), move |stage| {
            let container = stage.guarded()?;
            let watch = Watch::begin(stage)?;
            container.run(prepared(line))?;
            watch.saw_no_rise()?;
            watch.saw_no_event()
        });
    }
}
