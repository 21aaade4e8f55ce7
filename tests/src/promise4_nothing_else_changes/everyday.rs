//! What people do with `CAP_NET_ADMIN`, with the tools that they do it with.

use anyhow::{Result, ensure};

use crate::attack::process::shell;
use crate::rig::{Container, Stage, Trials, USUAL_POLICY, Watch, make};

/// A name, and a command line that must succeed. `dev0` is a dummy that is up,
/// `quiet0` a promiscuous dummy that is down.
const EVERYDAY: [(&str, &str); 29] = [
    (
        "ip_link_down_and_up",
        "ip link set dev0 down && ip link set dev0 up",
    ),
    (
        "ip_link_mtu",
        "ip link set dev0 mtu 1400 && ip -o link show dev0",
    ),
    (
        "ip_link_address",
        "ip link set dev0 address 02:00:00:00:00:07",
    ),
    ("ip_link_rename", "ip link set quiet0 name other0"),
    (
        "ip_link_alias_and_altname",
        "ip link set dev0 alias x && ip link property add dev dev0 altname long-name-of-dev0",
    ),
    (
        "ip_link_allmulticast",
        "ip link set dev0 allmulticast on && ip link set dev0 multicast off",
    ),
    (
        "ip_link_promisc_off",
        "ip link set quiet0 promisc off && ip link set dev0 promisc off",
    ),
    (
        "ip_link_up_of_a_promiscuous_device",
        "ip link set quiet0 up && ip link set quiet0 down",
    ),
    (
        "ip_link_group",
        "ip link set dev0 group 9 && ip link set group 9 down",
    ),
    (
        "ip_addr",
        "ip addr add 192.0.2.1/24 dev dev0 && ip -o addr show dev0 && ip addr flush dev dev0",
    ),
    (
        "ip_route",
        "ip route add 198.51.100.0/24 dev dev0 && ip route show && ip route del 198.51.100.0/24",
    ),
    (
        "ip_rule_and_neigh",
        "ip rule add from 192.0.2.9 table 9 && ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:01 dev dev0",
    ),
    (
        "ip_batch",
        "printf 'link set dev0 mtu 1300\\naddr add 192.0.2.3/32 dev dev0\\n' | ip -batch -",
    ),
    (
        "ip_link_add_dummy",
        "ip link add new0 type dummy && ip link set new0 up && ip link del new0",
    ),
    (
        "ip_link_add_bridge",
        "ip link add new0 type bridge && ip link set new0 up",
    ),
    (
        "ip_link_add_veth",
        "ip link add new0 type veth peer name new1 && ip link set new0 up && ip link set new1 up",
    ),
    (
        "ip_link_add_vlan",
        "ip link add link dev0 name new0 type vlan id 9 && ip link set new0 up",
    ),
    (
        "ip_link_add_vxlan",
        "ip link add new0 type vxlan id 9 dev dev0 dstport 4789 && ip link set new0 up",
    ),
    (
        "ip_link_add_ipvlan",
        "ip link add link dev0 name new0 type ipvlan mode l2 && ip link set new0 up",
    ),
    (
        "ip_link_add_macvlan_and_leave_it_down",
        "ip link add link dev0 name new0 type macvlan mode bridge",
    ),
    (
        "ip_link_add_macvlan_over_a_device_that_filters",
        "ip link add f0 type bond && ip link set f0 up && ip link add link f0 name new0 type macvlan mode bridge && ip link set new0 up",
    ),
    (
        "ip_link_add_vrf_and_master",
        "ip link add new0 type vrf table 9 && ip link set new0 up && ip link set dev0 master new0 && ip link set dev0 nomaster",
    ),
    (
        "ip_link_add_bond_and_master",
        "ip link add new0 type bond && ip link set quiet0 promisc off && ip link set quiet0 master new0",
    ),
    (
        "tc_qdisc",
        "tc qdisc add dev dev0 root handle 9: pfifo limit 9 && tc qdisc show dev dev0",
    ),
    (
        "ethtool",
        "ethtool -K dev0 tx off && ethtool -k dev0 | head -3",
    ),
    (
        "ifconfig",
        "ifconfig dev0 192.0.2.5 netmask 255.255.255.0 up && ifconfig dev0:1 192.0.2.6 up && ifconfig dev0 mtu 1200",
    ),
    (
        "brctl",
        "brctl addbr new0 && ip link show new0 > /dev/null && brctl delbr new0",
    ),
    ("ping", "ping -c 1 127.0.0.1 > /dev/null"),
    (
        "tcpdump_without_promiscuous_mode",
        "tcpdump -p -Z root -nn -q -i lo -c 1 icmp > /dev/null 2>&1 & sleep 1; ping -c 3 127.0.0.1 > /dev/null; wait $!",
    ),
];

pub fn add(trials: &mut Trials) {
    for (name, line) in EVERYDAY {
        trials.unguarded(
            USUAL_POLICY,
            &format!("{name}_succeeds_unguarded"),
            move |stage| succeeds(&stage.unguarded()?, line).map(drop),
        );
        trials.guarded(
            USUAL_POLICY,
            &format!("{name}_does_the_same_guarded"),
            move |stage| does_the_same(stage, line),
        );
    }
}

/// Runs the line, and tells what it printed.
fn succeeds(container: &Container, line: &str) -> Result<String> {
    container.set_up(|| {
        make::dummy("dev0")?;
        make::down("quiet0", "dummy")?;
        make::promiscuous("quiet0")
    })?;
    let ran = container.run(|| shell(line))?;
    ensure!(ran.status == 0, "`{line}`: {ran:#?}");
    Ok(ran.stdout)
}

fn does_the_same(stage: &Stage<'_>, line: &str) -> Result<()> {
    let unguarded = succeeds(&stage.unguarded()?, line)?;
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let guarded = succeeds(&container, line)?;
    let (guarded, unguarded) = (without_addresses(&guarded), without_addresses(&unguarded));
    ensure!(guarded == unguarded, "{guarded}instead of\n{unguarded}");
    watch.saw_no_event()
}

/// Random hardware addresses, and what is derived from them, differ.
fn without_addresses(text: &str) -> String {
    let is_address = |word: &&str| word.matches(':').count() >= 4 || word.contains("::");
    let words = text.split_whitespace().filter(|word| !is_address(word));
    words.map(|word| format!("{word}\n")).collect()
}
