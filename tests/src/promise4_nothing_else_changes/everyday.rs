//! What people do with `CAP_NET_ADMIN`, with the tools that they do it with.

use anyhow::{Result, ensure};

use crate::attack::process::shell;
use crate::rig::{Container, Event, Stage, Trials, USUAL_POLICY, Watch, make};

/// A name, and a command line that must succeed. `dev0` is a dummy that is up,
/// `quiet0` a promiscuous dummy that is down.
const EVERYDAY: [(&str, &str); 37] = [
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
        "ip_maddress_and_tunnel",
        "ip maddress add 01:00:5e:00:00:09 dev dev0 && ip tunnel add new0 mode ipip remote 192.0.2.1 local 192.0.2.2 && ip tunnel show new0",
    ),
    (
        "ip_route_replace_of_many_paths",
        "ip addr add 192.0.2.1/24 dev dev0 && ip route add 198.51.100.0/24 nexthop via 192.0.2.7 weight 1 nexthop via 192.0.2.8 weight 2 && ip route replace default via 192.0.2.9 && ip route show",
    ),
    (
        "tc_classes_filters_and_actions",
        "tc qdisc add dev dev0 root handle 9: htb default 1 && tc class add dev dev0 parent 9: classid 9:1 htb rate 1mbit && tc filter add dev dev0 parent 9: protocol ip u32 match ip dport 80 0xffff flowid 9:1 && tc class show dev dev0",
    ),
    (
        "iptables_legacy",
        "[ -e /proc/net/ip_tables_names ] || { echo this kernel has none; exit; }; iptables-legacy -A INPUT -p tcp --dport 80 -j DROP && iptables-legacy -N mine && iptables-legacy -S",
    ),
    (
        "iptables_legacy_of_500_rules",
        "[ -e /proc/net/ip_tables_names ] || { echo this kernel has none; exit; }; { echo '*filter'; i=0; while [ $i -lt 500 ]; do echo \"-A INPUT -p tcp --dport $i -j DROP\"; i=$((i+1)); done; echo COMMIT; } > /tmp/rules.$$; xtables-legacy-multi iptables-restore < /tmp/rules.$$ && rm /tmp/rules.$$ && iptables-legacy -S",
    ),
    (
        "wireguard",
        "ip link add new0 type wireguard && echo AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= > /tmp/key.$$ && wg set new0 private-key /tmp/key.$$ listen-port 51820 peer AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= allowed-ips 10.9.0.0/16 && rm /tmp/key.$$ && ip link set new0 up && wg showconf new0",
    ),
    (
        "tun_and_tap",
        "ip tuntap add dev new0 mode tun && ip tuntap add dev new1 mode tap && ip link set new0 up && ip link set new1 up && ip tuntap del dev new0 mode tun && ip tuntap del dev new1 mode tap",
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
    // It captures by a packet socket, without promiscuous mode. Nobody answers.
    (
        "dhcp_client",
        "ip link add a0 type veth peer name b0 && ip link set a0 up && ip link set b0 up && { udhcpc -i b0 -f -n -q -t 2 -T 1 -s /bin/true 2>&1 | grep -v started; ip -s link show a0 | grep -c RX; }",
    ),
    ("ping", "ping -c 1 127.0.0.1 > /dev/null"),
    (
        "tcpdump_without_promiscuous_mode",
        "tcpdump -p -Z root -nn -q -i lo -c 1 icmp > /dev/null 2>&1 & sleep 1; ping -c 3 127.0.0.1 > /dev/null; wait $!",
    ),
];

/// nft asks for buffers beyond the limit (`SO_SNDBUFFORCE`, `SO_RCVBUFFORCE`), and
/// goes on without where it is refused.
const FIREWALLS: [(&str, &str); 4] = [
    (
        "nft_ruleset",
        "nft 'add table inet t; add set inet t s { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }; add chain inet t c { type filter hook input priority 0; policy accept; }; add rule inet t c ip saddr @s tcp dport { 22, 80 } counter drop' && nft list ruleset",
    ),
    (
        "nft_nat_and_flush",
        "nft 'add table ip n; add chain ip n post { type nat hook postrouting priority 100; }; add rule ip n post oifname dev0 masquerade' && nft list table ip n && nft flush ruleset",
    ),
    (
        "nft_ruleset_of_2000_rules",
        "(echo 'add table ip t'; echo 'add chain ip t c'; i=0; while [ $i -lt 2000 ]; do echo \"add rule ip t c tcp dport $i drop\"; i=$((i+1)); done) > /tmp/rules.$$; nft -f /tmp/rules.$$ && rm /tmp/rules.$$ && nft list ruleset",
    ),
    (
        "iptables_nft",
        "iptables -A INPUT -p tcp --dport 80 -j DROP && iptables -N mine && iptables -S",
    ),
];

/// Does not rule on these two.
const BUFFERS_POLICY: &str = r#"version = 1
[[policy]]
name = "cnf"
match.cgroups = ["/netadmin-test/guarded/**"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_PRIORITY = { allow = ["0..=6"] }
SO_DEBUG = "deny"
SO_MARK = "deny"
"#;

pub fn add(trials: &mut Trials) {
    add_lines(trials, USUAL_POLICY, &EVERYDAY);
    add_lines(trials, BUFFERS_POLICY, &FIREWALLS);
    trials.guarded(
        USUAL_POLICY,
        "nft_does_the_same_without_the_buffers_that_it_asks_for",
        nft_without_buffers,
    );
}

fn nft_without_buffers(stage: &Stage<'_>) -> Result<()> {
    let (_, line) = FIREWALLS[0];
    let unguarded = succeeds(&stage.unguarded()?, line)?;
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let guarded = succeeds(&container, line)?;
    ensure!(guarded == unguarded, "{guarded}instead of\n{unguarded}");
    let events = watch.events()?;
    let is_of_buffers = |event: &Event| {
        let operation = event.operation.as_deref().unwrap_or_default();
        ["setsockopt.SO_SNDBUFFORCE", "setsockopt.SO_RCVBUFFORCE"].contains(&operation)
    };
    ensure!(
        !events.is_empty() && events.iter().all(is_of_buffers),
        "{events:#?}"
    );
    Ok(())
}

fn add_lines(trials: &mut Trials, policy: &'static str, lines: &[(&'static str, &'static str)]) {
    for (name, line) in lines.iter().copied() {
        trials.unguarded(
            policy,
            &format!("{name}_succeeds_unguarded"),
            move |stage| succeeds(&stage.unguarded()?, line).map(drop),
        );
        trials.guarded(
            policy,
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
