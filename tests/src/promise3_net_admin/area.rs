//! The areas of the catalogue for which Debian has a tool.

/// A part of the capability, and what people do with it.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Its name, and that of its policy.
    pub name: &'static str,
    /// What its policy allows.
    pub allow: &'static [&'static str],
    /// Fails, from outside, on a kernel that has it not.
    pub probe: &'static str,
    /// Made before, from outside.
    pub set_up: &'static str,
    /// Command lines that need the area and nothing else. In this order each
    /// works under its policy; under any other each is refused.
    pub lines: &'static [&'static str],
}

impl Area {
    /// Whether the operation is of this area.
    pub fn has(&self, operation: &str) -> bool {
        self.allow.iter().any(|pattern| names(pattern, operation))
    }
}

/// Whether an entry of a list names the operation.
pub fn names(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => operation.starts_with(beginning),
        None => operation == pattern,
    }
}

/// Made for every area: `dev0`, a dummy that is up, and `quiet0`, one that is down.
pub const BASE: &str = "ip link add dev0 type dummy && ip link set dev0 up \
    && ip link add quiet0 type dummy && ip addr add 203.0.113.1/24 dev dev0";

/// All of them.
pub const AREAS: &[Area] = &[
    Area {
        name: "addresses",
        allow: &["addr.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip addr add 192.0.2.1/24 dev dev0",
            "ip -6 addr add 2001:db8::1/64 dev dev0 nodad",
            "ip addr change 192.0.2.1/24 dev dev0 preferred_lft 100",
            "ip addr del 192.0.2.1/24 dev dev0",
            "ip addrlabel add prefix 2001:db8::/32 label 9",
            "ifconfig dev0 192.0.2.5",
            "ifconfig dev0 netmask 255.255.255.0",
        ],
    },
    Area {
        name: "links",
        allow: &["link.*"],
        probe: "true",
        set_up: "ip link add old0 type dummy && ip link add old1 type bridge \
            && ip link add old2 type dummy && ip link add old3 type dummy",
        lines: &[
            "ip link set quiet0 up",
            "ip link set dev0 mtu 1400",
            "ip link set dev0 address 02:00:00:00:00:07",
            "ip link set dev0 multicast on",
            "ip link set dev0 allmulticast on",
            "ip link set dev0 arp on",
            "ip link set dev0 promisc on",
            "ip link set dev0 txqueuelen 77",
            "ip link set dev0 alias x",
            "ip link set dev0 group 9",
            "ip link set dev0 addrgenmode none",
            "ip maddr add 33:33:00:00:00:07 dev dev0",
            "ip link property add dev dev0 altname long-name-of-dev0",
            "ip link add name new0 type dummy",
            "ip link add link dev0 name new1 type vlan id 9",
            "ip link add name new2 type bridge",
            "ip link add name new3 type veth peer name new4",
            "ip link add name new5 type vxlan id 5 dstport 4789",
            "ip link set quiet0 master old1",
            "ip link set old1 type bridge stp_state 1",
            "ip link set old0 name new9",
            "ip link set old3 netns $$",
            "ip link del old2",
            "ifconfig dev0 mtu 1300",
            "ifconfig dev0 down",
            "ifconfig dev0 hw ether 02:00:00:00:00:09",
            "brctl addbr new6",
            "brctl delbr new6",
        ],
    },
    Area {
        name: "routes",
        allow: &["route.*", "nexthop.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip route add 198.51.100.0/24 dev dev0",
            "ip route replace 198.51.100.0/24 dev dev0 metric 7",
            "ip route del 198.51.100.0/24 dev dev0",
            "ip -6 route add 2001:db8:9::/48 dev dev0",
            "ip nexthop add id 7 dev dev0",
            "ip nexthop del id 7",
            "route add -net 198.51.101.0 netmask 255.255.255.0 dev dev0",
            "route del -net 198.51.101.0 netmask 255.255.255.0 dev dev0",
        ],
    },
    Area {
        name: "rules",
        allow: &["rule.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip rule add from 192.0.2.9 table 9",
            "ip rule del from 192.0.2.9 table 9",
            "ip -6 rule add from 2001:db8::9 table 9",
        ],
    },
    Area {
        name: "neighbours",
        allow: &["neigh.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip neigh add 203.0.113.7 lladdr 02:00:00:00:00:01 dev dev0",
            "ip neigh replace 203.0.113.7 lladdr 02:00:00:00:00:02 dev dev0",
            "ip neigh del 203.0.113.7 dev dev0",
            "ip ntable change name arp_cache dev dev0 queue 7",
            "arp -s 203.0.113.8 02:00:00:00:00:03 -i dev0",
            "arp -d 203.0.113.8 -i dev0",
        ],
    },
    Area {
        name: "bridging",
        allow: &["fdb.*", "mdb.*", "bridge.*", "vxlan.*"],
        probe: "true",
        set_up: "ip link add br0 type bridge mcast_snooping 1 && ip link set br0 up \
            && ip link add p0 type dummy && ip link set p0 up && ip link set p0 master br0 \
            && ip link add vx0 type vxlan dstport 4790 external vnifilter",
        lines: &[
            "bridge fdb add 02:00:00:00:00:05 dev p0 master static",
            "bridge fdb del 02:00:00:00:00:05 dev p0 master",
            "bridge mdb add dev br0 port p0 grp 239.1.1.1 permanent",
            "bridge mdb del dev br0 port p0 grp 239.1.1.1 permanent",
            "bridge vlan add dev p0 vid 7",
            "bridge vlan set dev p0 vid 7 state blocking",
            "bridge vni add vni 7 dev vx0",
            "bridge link set dev p0 cost 9",
        ],
    },
    Area {
        name: "traffic_control",
        allow: &["tc.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "tc qdisc add dev dev0 root handle 1: htb",
            "tc class add dev dev0 parent 1: classid 1:1 htb rate 1mbit",
            "tc qdisc add dev dev0 ingress",
            "tc filter add dev dev0 ingress matchall action mirred egress redirect dev quiet0",
            "tc actions add action mirred egress redirect dev quiet0 index 7",
            "tc actions del action mirred index 7",
            "tc filter del dev dev0 ingress",
            "tc qdisc del dev dev0 root",
        ],
    },
    Area {
        name: "ipsec",
        allow: &["xfrm.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip xfrm policy add src 192.0.2.0/24 dst 198.51.100.0/24 dir out action block",
            "ip xfrm policy",
            "ip xfrm policy del src 192.0.2.0/24 dst 198.51.100.0/24 dir out",
            "ip xfrm state allocspi src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel reqid 7",
            "ip xfrm state flush",
            "ip xfrm state list",
        ],
    },
    Area {
        name: "ethtool",
        allow: &["genl.ethtool", "ioctl.ethtool.*"],
        probe: "true",
        set_up: "true",
        lines: &["ethtool -K dev0 tx off"],
    },
    Area {
        name: "tuntap",
        allow: &["tun.*"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip tuntap add name tun7 mode tun",
            "ip tuntap del name tun7 mode tun",
        ],
    },
    Area {
        name: "tunnels_by_ioctl",
        allow: &["ioctl.private"],
        probe: "modprobe ipip",
        set_up: "modprobe ipip",
        lines: &[
            "ip tunnel add tun8 mode ipip remote 203.0.113.8",
            "ip tunnel change tun8 mode ipip remote 203.0.113.9",
            "ip tunnel del tun8",
        ],
    },
    Area {
        name: "vconfig",
        allow: &["ioctl.vlan"],
        probe: "true",
        set_up: "ip link add link dev0 name dev0.9 type vlan id 9",
        lines: &["vconfig add dev0 8", "vconfig rem dev0.9"],
    },
    Area {
        name: "l2tp",
        allow: &["genl.l2tp"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip l2tp add tunnel tunnel_id 7 peer_tunnel_id 8 encap udp local 203.0.113.1 remote 203.0.113.2 udp_sport 5000 udp_dport 5001",
            "ip l2tp del tunnel tunnel_id 7",
        ],
    },
    Area {
        name: "macsec",
        allow: &["genl.macsec"],
        probe: "true",
        set_up: "ip link add link dev0 name sec0 type macsec",
        lines: &[
            "ip macsec add sec0 rx port 11 address 02:00:00:00:00:11",
            "ip macsec del sec0 rx port 11 address 02:00:00:00:00:11",
        ],
    },
    Area {
        name: "tcp_metrics",
        allow: &["genl.tcp_metrics"],
        probe: "true",
        set_up: "true",
        lines: &["ip tcp_metrics flush"],
    },
    Area {
        name: "multipath_tcp",
        allow: &["genl.mptcp"],
        probe: "true",
        set_up: "true",
        lines: &[
            "ip mptcp limits set subflow 3",
            "ip mptcp endpoint add 203.0.113.1 subflow",
        ],
    },
    Area {
        name: "socket_destroy",
        allow: &["sock_diag.destroy"],
        probe: "true",
        set_up: "timeout 30 nc -l -p 5555 > /dev/null 2>&1 & sleep 1",
        lines: &["ss -K -tl sport = :5555 > /dev/null"],
    },
    Area {
        name: "segment_routing",
        allow: &["genl.segment_routing"],
        probe: "ip sr tunsrc set 2001:db8::1",
        set_up: "true",
        lines: &["ip sr tunsrc set 2001:db8::7"],
    },
    Area {
        name: "foo_over_udp",
        allow: &["genl.fou"],
        probe: "modprobe fou",
        set_up: "true",
        lines: &["ip fou add port 5555 ipproto 47", "ip fou del port 5555"],
    },
    Area {
        name: "team",
        allow: &["genl.team"],
        probe: "ip link add team7 type team",
        set_up: "ip link add team7 type team",
        lines: &[
            "teamnl team7 setoption notify_peers_count 3",
            "teamnl team7 getoption notify_peers_count",
        ],
    },
    Area {
        name: "tipc",
        allow: &["genl.tipc"],
        probe: "modprobe tipc",
        set_up: "true",
        lines: &["tipc node set netid 4712"],
    },
    Area {
        name: "devlink",
        allow: &["genl.devlink"],
        probe: "devlink dev",
        set_up: "true",
        // The guest has no such device. The kernel asks before it looks for one.
        lines: &[
            "devlink dev reload pci/0000:ff:1f.7 2>&1 | tee /dev/stderr | \
             grep -q 'No such device'",
        ],
    },
    Area {
        name: "data_center_bridging",
        allow: &["dcb.*"],
        probe: "true",
        set_up: "true",
        // As above: a dummy has no priority groups.
        lines: &["dcb app add dev dev0 dscp-prio 1:1 2>&1 | tee /dev/stderr | grep -q 'not supp'"],
    },
    Area {
        name: "statistics",
        allow: &["stats.*"],
        probe: "true",
        set_up: "true",
        lines: &["ip stats set dev dev0 l3_stats on"],
    },
    Area {
        name: "wireguard",
        allow: &["genl.wireguard"],
        probe: "ip link add wg0 type wireguard",
        set_up: "ip link add wg0 type wireguard",
        lines: &[
            "wg set wg0 listen-port 51820",
            "wg set wg0 peer xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= allowed-ips 192.0.2.0/24",
            "wg show wg0",
        ],
    },
    Area {
        name: "nftables",
        allow: NFTABLES,
        probe: "nft list ruleset",
        set_up: "true",
        lines: &[
            "nft add table inet t",
            "nft 'add chain inet t c { type filter hook input priority 0; }'",
            "nft add rule inet t c tcp dport 22 counter drop",
            "nft list ruleset",
            "nft flush ruleset",
        ],
    },
    Area {
        name: "iptables_nft",
        allow: NFTABLES,
        probe: "iptables -S",
        set_up: "true",
        lines: &[
            "iptables -A INPUT -p tcp --dport 80 -j DROP",
            "iptables -S",
            "iptables -F",
        ],
    },
    Area {
        name: "iptables_legacy",
        allow: &["iptables.*"],
        probe: "[ -e /proc/net/ip_tables_names ]",
        set_up: "true",
        lines: &[
            "iptables-legacy -A INPUT -p tcp --dport 80 -j DROP",
            "iptables-legacy -S",
            "iptables-legacy -F",
        ],
    },
    Area {
        name: "arptables_legacy",
        allow: &["ebtables.*"],
        probe: "modprobe arptable_filter && arptables-legacy -L -n",
        set_up: "true",
        lines: &[
            "arptables-legacy -A INPUT -s 192.0.2.7 -j DROP",
            "arptables-legacy -L -n",
            "arptables-legacy -F",
        ],
    },
    Area {
        name: "ebtables_legacy",
        allow: &["ebtables.*"],
        probe: "modprobe ebtable_filter && ebtables-legacy -L",
        set_up: "true",
        lines: &[
            "ebtables-legacy -A INPUT -s 02:00:00:00:00:01 -j DROP",
            "ebtables-legacy -L",
            "ebtables-legacy -F",
        ],
    },
    Area {
        name: "ipvs",
        allow: &["genl.ipvs", "ipvs.*"],
        probe: "modprobe -a ip_vs ip_vs_rr && ipvsadm -L",
        set_up: "true",
        lines: &[
            "ipvsadm -A -t 192.0.2.1:80 -s rr",
            "ipvsadm -a -t 192.0.2.1:80 -r 192.0.2.2:80 -m",
            "ipvsadm -L -n",
            "ipvsadm -C",
        ],
    },
    Area {
        name: "accounting",
        allow: &["netfilter.*"],
        probe: "modprobe nfnetlink_acct",
        set_up: "true",
        lines: &["nfacct add x", "nfacct list", "nfacct delete x"],
    },
    Area {
        name: "conntrack",
        allow: &["conntrack.*"],
        probe: "conntrack -L",
        set_up: "true",
        lines: &[
            "conntrack -I -s 192.0.2.1 -d 192.0.2.2 -p tcp --sport 1000 --dport 80 \
             --state ESTABLISHED -t 100",
            "conntrack -L",
            "conntrack -D -s 192.0.2.1",
            "conntrack -F",
        ],
    },
    Area {
        name: "namespace_ids",
        allow: &["netns.id"],
        probe: "true",
        // (A namespace has its name where it is mounted, which every process sees else.)
        set_up: "mkdir -p /run/netns && ln -sfn /proc/self/ns/net /run/netns/own",
        lines: &["ip netns set own 7"],
    },
    Area {
        name: "conntrack_timeouts",
        allow: &["conntrack.*"],
        probe: "modprobe nfnetlink_cttimeout",
        set_up: "true",
        lines: &[
            "nfct add timeout long inet tcp established 100",
            "nfct list timeout",
            "nfct delete timeout long",
        ],
    },
    Area {
        name: "conntrack_helpers",
        allow: &["conntrack.*"],
        probe: "modprobe nfnetlink_cthelper",
        set_up: "true",
        lines: &["nfct list helper", "nfct flush helper"],
    },
    Area {
        name: "ipset",
        allow: &["ipset.*"],
        probe: "ipset create s hash:ip",
        set_up: "true",
        lines: &[
            "ipset create s hash:ip",
            "ipset add s 192.0.2.1",
            "ipset list s",
            "ipset destroy s",
        ],
    },
];

/// nft asks for buffers beyond the limit, if it may have them.
const NFTABLES: &[&str] = &[
    "nftables.*",
    "setsockopt.SO_SNDBUFFORCE",
    "setsockopt.SO_RCVBUFFORCE",
];
