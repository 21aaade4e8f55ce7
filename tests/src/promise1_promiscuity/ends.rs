//! A port that goes because something else does: the other end of its pair, what it
//! stands on two floors below, or the device that it is, by ways on which no program
//! sees which that is.

use std::io;

use anyhow::Result;

use super::VICTIM;
use super::addresses::{Act, permitted, prepared};
use crate::attack::ioctl::{delete_bridge, delete_bridge_of_old};
use crate::attack::link;
use crate::rig::{Attack, Expected, Stage, Trials, USUAL_POLICY, Watch};

/// Makes d1 the active port of a promiscuous bond, whose other is victim0.
macro_rules! bond_of {
    ($first:literal) => {
        concat!(
            $first,
            " && ip link add b0 type bond mode active-backup && ip link set b0 up \
             && ip link add victim0 type dummy && ip link set d1 master b0 \
             && ip link set victim0 master b0 && ip link set b0 promisc on"
        )
    };
}

const PAIR: &str = bond_of!("ip link add d1 type veth peer name e1 && ip link set e1 up");
/// As a pod's: its end in a namespace of its own.
const FAR_PAIR: &str = bond_of!(
    "{ unshare -n sleep 30 >/dev/null 2>&1 & } && pod=$! && echo $pod > /tmp/pod \
     && until [ $(readlink /proc/$pod/ns/net) != $(readlink /proc/self/ns/net) ]; do \
          sleep 0.05; done \
     && ip link add d1 type veth peer name e1 && ip link set e1 netns $pod \
     && nsenter -t $pod -n ip link set e1 up"
);
/// The port is a vlan on the other end.
const ABOVE_THE_PAIR: &str = bond_of!(
    "ip link add o1 type veth peer name e1 && ip link set e1 up && ip link set o1 up \
     && ip link add link o1 name d1 type vlan id 7"
);
const TWO_BELOW: &str = bond_of!(
    "ip link add e1 type dummy && ip link set e1 up \
     && ip link add link e1 name m1 type vlan id 7 && ip link set m1 up \
     && ip link add link m1 name d1 type vlan id 8"
);
const BRIDGE: &str = concat!(
    bond_of!("ip link add d1 type bridge"),
    " && ip link set d1 down"
);
const SESSION: &str = bond_of!(
    "ip link set lo up && ip l2tp add tunnel tunnel_id 7 peer_tunnel_id 8 encap udp \
       local 127.0.0.1 remote 127.0.0.1 udp_sport 5000 udp_dport 5001 \
     && ip l2tp add session name d1 tunnel_id 7 session_id 1 peer_session_id 1"
);
/// A bond of tunnels, the first of which gives it its type.
const TUNNELS: &str = "ip tunnel add d1 mode ipip local 203.0.113.1 remote 203.0.113.2 \
    && ip tunnel add victim0 mode ipip local 203.0.113.1 remote 203.0.113.3 \
    && ip link add b0 type bond mode active-backup fail_over_mac active \
    && ip link set b0 up && ip link set d1 master b0 && ip link set victim0 master b0 \
    && ip link set b0 promisc on";

/// Nothing of it is missed.
const QUIET: &str = "ip link add b0 type bond mode active-backup && ip link set b0 up \
    && ip link add d1 type veth peer name e1 && ip link set e1 up && ip link set d1 master b0 \
    && ip link add e2 type dummy && ip link set e2 up \
    && ip link add link e2 name m2 type vlan id 7 && ip link set m2 up && ip link add link m2 name n2 type vlan id 8 \
    && ip link set n2 master b0 && ip link add r1 type bridge \
    && ip tunnel add t1 mode ipip local 203.0.113.1 remote 203.0.113.2";

pub fn add(trials: &mut Trials) {
    let by_netlink: [(&str, &'static str, Act); 4] = [
        ("the_other_end_of_a_port_deleted", PAIR, delete_e1),
        ("the_far_end_of_a_port_deleted", FAR_PAIR, || {
            permitted("nsenter -t $(cat /tmp/pod) -n ip link del e1")
        }),
        (
            "the_other_end_below_a_port_deleted",
            ABOVE_THE_PAIR,
            delete_e1,
        ),
        ("a_dummy_two_below_a_port_deleted", TWO_BELOW, delete_e1),
    ];
    for (name, set_up, act) in by_netlink {
        goes(trials, name, "rtnetlink", set_up, act);
    }
    let by_ioctl: [(&str, &str, &'static str, Act); 3] = [
        ("siocbrdelbr_of_a_port", "SIOCBRDELBR", BRIDGE, || {
            delete_bridge("d1")
        }),
        (
            "siocsifbr_that_deletes_a_port",
            "SIOCBRDELBR",
            BRIDGE,
            || delete_bridge_of_old("d1"),
        ),
        ("siocdeltunnel_of_a_port", "SIOCDELTUNNEL", TUNNELS, || {
            permitted("ip tunnel del d1")
        }),
    ];
    for (name, via, set_up, act) in by_ioctl {
        goes(trials, name, via, set_up, act);
    }
    goes(
        trials,
        "l2tp_session_of_a_port_deleted",
        "netlink",
        SESSION,
        || permitted("ip l2tp del session tunnel_id 7 session_id 1"),
    );
    trials.guarded(
        USUAL_POLICY,
        "ends_that_nobody_misses_pass",
        ends_that_nobody_misses,
    );
}

fn delete_e1() -> io::Result<()> {
    link::delete("e1")
}

fn goes(trials: &mut Trials, name: &str, via: &'static str, set_up: &'static str, act: Act) {
    Attack::new(name, VICTIM, Expected::of("promiscuous.stacked", via), act)
        .needs(&["bond", "vlan", "bridge"])
        .on(prepared(set_up))
        .with_all_capabilities()
        .twins(trials);
}

/// The other side of each line.
fn ends_that_nobody_misses(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.with_all_capabilities();
    container.set_up(prepared(QUIET))?;
    let watch = Watch::begin(stage)?;
    container.run(|| {
        delete_e1()?;
        delete_bridge("r1")?;
        prepared("ip tunnel del t1 && ip link del e2")()
    })?;
    watch.saw_no_rise()?;
    watch.saw_no_event()
}
