//! What is granted on some interfaces alone.

use anyhow::{Result, ensure};

use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::attack::process::{Ran, shell};
use crate::attack::{Message, index_of, transact};
use crate::rig::{Container, Stage, Trials, Watch, errno_of};

const POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.net_admin]
default = "deny"
allow = [
    "link.create.*",
    { op = "link.mtu", interface = "mine*" },
    { op = "link.*", kind = "bridge" },
    { op = "addr.*", interface = "mine0" },
    { op = "neigh.*", interface = "mine0" },
    { op = "tc.*", interface = "mine0" },
    { op = "link.address", interface = "mine*" },
    { op = "bridge.port", interface = "mine*" },
    { op = "fdb.*", interface = "mine*" },
]
"#;

const SET_UP: &str = "ip link add mine0 type dummy && ip link set mine0 up \
    && ip link add other0 type dummy && ip link set other0 up \
    && ip link add br0 type bridge && ip link add mine1 type dummy \
    && ip link add br1 type bridge vlan_filtering 1 \
    && ip link add mine4 type dummy && ip link set mine4 master br1 \
    && ip link add other1 type dummy && ip link set other1 master br1 \
    && ip link property add dev other0 altname mine8 \
    && tc qdisc add dev other0 ingress_block 22 ingress";

/// Command lines, and whether the policy lets them pass.
const LINES: &[(&str, bool)] = &[
    ("ip link set mine0 mtu 1400", true),
    ("ip link set other0 mtu 1400", false),
    ("ip link set br0 mtu 1400", true),
    ("ip link set br0 up", true),
    // A bridge hands its promiscuity to its ports.
    ("ip link set br0 promisc on", true),
    ("ip link set br1 promisc on", false),
    ("ip link set mine0 alias x", false),
    ("ifconfig br0 down", true),
    ("ifconfig mine0 allmulti", false),
    // Flags alone are seen with their device when they come by ioctl.
    ("ifconfig mine0 mtu 1300", false),
    ("ip addr add 192.0.2.1/24 dev mine0", true),
    ("ip addr add 192.0.2.2/24 dev other0", false),
    (
        "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev mine0",
        true,
    ),
    (
        "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:01 dev other0",
        false,
    ),
    ("tc qdisc add dev mine0 root handle 1: prio", true),
    ("tc qdisc add dev other0 root handle 1: prio", false),
    (
        "tc filter add dev mine0 parent 1: matchall classid 1:1",
        true,
    ),
    // Of a block of filters that interfaces share, none is the one.
    ("tc qdisc add dev mine0 ingress_block 22 ingress", true),
    ("tc filter add block 22 matchall classid 1:1", false),
    // What would bring another interface under a condition is not granted.
    ("ip link set mine8 mtu 1390", false),
    ("ip link set br0 name mine7", false),
    ("ip link set mine1 netns $$", false),
    (
        "ip link add mine2 type dummy && ip link set mine2 mtu 1300",
        true,
    ),
    ("ip link set mine1 address 02:00:00:00:00:06", true),
    ("ip link del mine1", false),
    // A macvlan in this mode hands its address to the device below.
    (
        "ip link add mine5 link other0 type macvlan mode passthru",
        true,
    ),
    ("ip link set mine5 address 02:00:00:00:00:05", false),
    // The port of a bridge, and what reaches another one through it.
    ("bridge vlan add dev mine4 vid 10", true),
    ("bridge vlan add dev other1 vid 10", false),
    (
        "bridge fdb add 02:00:00:00:00:07 dev mine4 master static",
        true,
    ),
    ("bridge fdb flush dev mine4 master brport other1", false),
];

pub fn add(trials: &mut Trials) {
    trials.unguarded(POLICY, "conditions_succeed_unguarded", |stage| {
        let container = prepared(stage.unguarded()?)?;
        // In this namespace all that is later refused is done.
        for ((line, _), ran) in LINES.iter().zip(run(&container)?) {
            ensure!(ran.status == 0, "`{line}`: {ran:#?}");
        }
        Ok(())
    });
    trials.guarded(
        POLICY,
        "a_condition_grants_on_the_interfaces_that_it_names_alone",
        grants,
    );
    trials.guarded(
        POLICY,
        "a_condition_is_not_believed_after_what_may_move_an_index",
        in_one_datagram,
    );
}

fn prepared(container: Container) -> Result<Container> {
    let ran = container.set_up(|| shell(SET_UP))?;
    ensure!(ran.status == 0, "{ran:#?}");
    Ok(container)
}

fn run(container: &Container) -> Result<Vec<Ran>> {
    container.run(|| LINES.iter().map(|(line, _)| shell(line)).collect())
}

fn grants(stage: &Stage<'_>) -> Result<()> {
    let container = prepared(stage.guarded()?)?;
    let watch = Watch::begin(stage)?;
    let all = run(&container)?;
    let events = watch.events()?;
    for ((line, granted), ran) in LINES.iter().zip(all) {
        let refused = ran.status != 0 && ran.stderr.contains("Operation not permitted");
        let right = if *granted { ran.status == 0 } else { refused };
        ensure!(right, "`{line}`: {ran:#?}, {events:#?}");
    }
    let by_default = |event: &crate::rig::Event| event.rule.as_deref() == Some("net_admin.default");
    ensure!(events.iter().all(by_default), "{events:#?}");
    Ok(())
}

fn in_one_datagram(stage: &Stage<'_>) -> Result<()> {
    let container = prepared(stage.guarded()?)?;
    let mtu =
        |index: u32| -> Message { link::change(RTM_SETLINK, Target::Index(index)).mtu(1_300) };
    let [granted, mixed, after_making, by_altname] = container.run(|| {
        let (mine, other) = (index_of("mine0")?, index_of("other0")?);
        let datagrams = [
            vec![mtu(mine), mtu(mine)],
            vec![mtu(mine), mtu(other)],
            vec![link::create("mine3", "dummy"), mtu(mine)],
            vec![link::change(RTM_SETLINK, Target::Name("mine8")).mtu(1_300)],
        ];
        Ok(datagrams.map(|messages| errno_of(&transact(&messages))))
    })?;
    let refused = [mixed, after_making, by_altname];
    ensure!(granted == 0, "{granted}");
    ensure!(refused == [libc::EPERM; 3], "{refused:?}");
    Ok(())
}
