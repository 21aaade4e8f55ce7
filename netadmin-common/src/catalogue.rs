//! The catalogue of operations: one table, from which policies, events,
//! `explain`, `netadmin-agent operations` and docs/OPERATIONS.md all come.

/// Defines [`OperationKind`] with its number, its dotted name, how the kernel
/// names it, and its meaning, so that nothing that tells of operations can
/// disagree.
macro_rules! operation_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $kernel:literal;)+) => {
        /// What kind of operation it is.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum OperationKind {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl OperationKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The dotted name that policies, events and `explain` share.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// How the kernel names what comes to it.
            pub fn kernel(self) -> &'static str {
                match self { $(Self::$variant => $kernel),+ }
            }

            /// One line that says what the operation is.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// The kind with this number, from an event record.
            pub fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// From this number on, operations are pieces of `CAP_NET_ADMIN`.
pub const FIRST_PIECE: u16 = 32;

// Numbers are never used again (225 was all of ethtool's ioctl). Those of `link.*` lie within one word of a
// `PieceSet`, so that what a link message asks for is one mask.
operation_kinds! {
    /// IFF_PROMISC asked for by flag on a device that has it not.
    PromiscuousFlag = 1, "promiscuous.flag", "IFF_PROMISC";
    /// A request that carries IFF_PROMISC to a device that has it.
    PromiscuousKeep = 2, "promiscuous.keep", "IFF_PROMISC";
    /// A packet socket's PACKET_MR_PROMISC membership.
    PromiscuousMembership = 3, "promiscuous.membership", "PACKET_ADD_MEMBERSHIP";
    /// A device becoming the port of a bridge.
    PromiscuousBridgePort = 4, "promiscuous.bridge_port", "br_manage_promisc";
    /// A macvlan or macvtap in passthru mode.
    PromiscuousPassthru = 5, "promiscuous.passthru", "MACVLAN_MODE_PASSTHRU";
    /// A promiscuous device brought up, or enslaved, over a lower device.
    PromiscuousStacked = 6, "promiscuous.stacked", "dev_set_promiscuity";
    /// A second unicast address on a device that cannot filter them.
    PromiscuousUnicastFilter = 7, "promiscuous.unicast_filter", "__dev_set_rx_mode";
    /// A request whose effect on promiscuity cannot be judged.
    PromiscuousUnjudged = 8, "promiscuous.unjudged", "";
    /// Creating, renaming or moving a device into a name that a policy excepts.
    PromiscuousExceptedName = 9, "promiscuous.excepted_name", "dev_change_name";

    /// SO_DEBUG set on a socket.
    SetDebug = 32, "setsockopt.SO_DEBUG", "SO_DEBUG";
    /// SO_PRIORITY set on a socket.
    SetPriority = 33, "setsockopt.SO_PRIORITY", "SO_PRIORITY";
    /// SO_SNDBUFFORCE set on a socket.
    SetSndBufForce = 34, "setsockopt.SO_SNDBUFFORCE", "SO_SNDBUFFORCE";
    /// SO_RCVBUFFORCE set on a socket.
    SetRcvBufForce = 35, "setsockopt.SO_RCVBUFFORCE", "SO_RCVBUFFORCE";
    /// SO_MARK set on a socket.
    SetMark = 36, "setsockopt.SO_MARK", "SO_MARK";
    /// Busy polling longer, preferred, or with a higher budget.
    SetBusyPoll = 37, "setsockopt.SO_BUSY_POLL", "SO_BUSY_POLL, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET";
    /// Send times by another clock than CLOCK_MONOTONIC.
    SetTxTime = 38, "setsockopt.SO_TXTIME", "SO_TXTIME";
    /// A classic filter on a TCP socket.
    SetAttachFilter = 39, "setsockopt.SO_ATTACH_FILTER", "SO_ATTACH_FILTER";
    /// A transparent proxy's socket.
    SetTransparent = 40, "setsockopt.IP_TRANSPARENT", "IP_TRANSPARENT, IPV6_TRANSPARENT";
    /// An IPsec policy on a socket.
    SetXfrmPolicy = 41, "setsockopt.IP_XFRM_POLICY", "IP_XFRM_POLICY, IP_IPSEC_POLICY, IPV6_XFRM_POLICY, IPV6_IPSEC_POLICY";
    /// Multicast routing.
    SetMulticastRouting = 42, "setsockopt.MRT", "MRT_*, MRT6_*";
    /// A TCP connection taken apart and restored.
    SetTcpRepair = 43, "setsockopt.TCP_REPAIR", "TCP_REPAIR";
    /// A restricted congestion control, or one whose module is to be loaded.
    SetTcpCongestion = 44, "setsockopt.TCP_CONGESTION", "TCP_CONGESTION";
    /// An upper layer protocol whose module is to be loaded.
    SetTcpUlp = 45, "setsockopt.TCP_ULP", "TCP_ULP";
    /// A flow label that lives long or is not one's own.
    SetFlowLabel = 46, "setsockopt.IPV6_FLOWLABEL_MGR", "IPV6_FLOWLABEL_MGR";
    /// An anycast address joined.
    SetAnycast = 47, "setsockopt.IPV6_JOIN_ANYCAST", "IPV6_JOIN_ANYCAST";
    /// Any other socket option, set or read.
    SetOther = 49, "setsockopt.other", "setsockopt, getsockopt";

    /// A device brought up.
    LinkUp = 64, "link.up", "IFF_UP";
    /// A device brought down.
    LinkDown = 65, "link.down", "IFF_UP";
    /// IFF_PROMISC set or cleared; `promiscuous` rules on raising it, too.
    LinkPromisc = 66, "link.promisc", "IFF_PROMISC";
    /// IFF_ALLMULTI set or cleared.
    LinkAllMulti = 67, "link.allmulti", "IFF_ALLMULTI";
    /// IFF_MULTICAST set or cleared.
    LinkMulticast = 68, "link.multicast", "IFF_MULTICAST";
    /// IFF_NOARP set or cleared.
    LinkArp = 69, "link.arp", "IFF_NOARP";
    /// Any other flag set or cleared.
    LinkFlags = 70, "link.flags", "IFF_DEBUG, IFF_DYNAMIC, ...";
    /// A device renamed.
    LinkRename = 71, "link.rename", "IFLA_IFNAME, SIOCSIFNAME";
    /// Alternative names added or removed.
    LinkAltname = 72, "link.altname", "RTM_NEWLINKPROP, RTM_DELLINKPROP";
    /// The MTU.
    LinkMtu = 73, "link.mtu", "IFLA_MTU, SIOCSIFMTU";
    /// The hardware or broadcast address.
    LinkAddress = 74, "link.address", "IFLA_ADDRESS, IFLA_BROADCAST, SIOCSIFHWADDR, SIOCSIFHWBROADCAST";
    /// A device enslaved to a bridge, a bond, ..., or released.
    LinkMaster = 75, "link.master", "IFLA_MASTER, SIOCBRADDIF, SIOCBRDELIF, SIOCBONDENSLAVE, SIOCBONDRELEASE";
    /// A device moved to another network namespace, or changed in one.
    LinkNamespace = 76, "link.namespace", "IFLA_NET_NS_PID, IFLA_NET_NS_FD, IFLA_TARGET_NETNSID, IFLA_LINK_NETNSID";
    /// SR-IOV: virtual functions and their ports.
    LinkVf = 77, "link.vf", "IFLA_VFINFO_LIST, IFLA_VF_PORTS, IFLA_PORT_SELF";
    /// An XDP program attached by netlink.
    LinkXdp = 78, "link.xdp", "IFLA_XDP";
    /// Queue lengths and segmentation limits.
    LinkQueues = 79, "link.queues", "IFLA_TXQLEN, IFLA_GSO_*, IFLA_GRO_*, IFLA_TSO_*, SIOCSIFTXQLEN";
    /// The alias, for people to read.
    LinkAlias = 80, "link.alias", "IFLA_IFALIAS";
    /// The group.
    LinkGroup = 81, "link.group", "IFLA_GROUP";
    /// Carrier, operational state, link mode.
    LinkState = 82, "link.state", "IFLA_CARRIER, IFLA_OPERSTATE, IFLA_LINKMODE, IFLA_PROTO_DOWN";
    /// What an address family keeps with a device.
    LinkFamily = 83, "link.family", "IFLA_AF_SPEC";
    /// What is particular to the kind of an existing device, or of its master.
    LinkKind = 84, "link.kind", "IFLA_LINKINFO";
    /// Any other attribute of a link.
    LinkOther = 85, "link.other", "IFLA_*, SIOCSIFMAP, SIOCSIFSLAVE, SIOCSIFMETRIC";
    /// A device removed.
    LinkDelete = 86, "link.delete", "RTM_DELLINK, SIOCBRDELBR";
    /// A multicast hardware address added or removed.
    LinkMulticastAddress = 87, "link.multicast_address", "SIOCADDMULTI, SIOCDELMULTI";
    /// A dummy made.
    LinkCreateDummy = 96, "link.create.dummy", "dummy";
    /// A bridge made.
    LinkCreateBridge = 97, "link.create.bridge", "bridge, SIOCBRADDBR";
    /// A bond made.
    LinkCreateBond = 98, "link.create.bond", "bond";
    /// A team made.
    LinkCreateTeam = 99, "link.create.team", "team";
    /// A pair of veths made.
    LinkCreateVeth = 100, "link.create.veth", "veth";
    /// A vlan made.
    LinkCreateVlan = 101, "link.create.vlan", "vlan";
    /// A vxlan made.
    LinkCreateVxlan = 102, "link.create.vxlan", "vxlan";
    /// A geneve made.
    LinkCreateGeneve = 103, "link.create.geneve", "geneve";
    /// A macvlan made.
    LinkCreateMacvlan = 104, "link.create.macvlan", "macvlan";
    /// A macvtap made.
    LinkCreateMacvtap = 105, "link.create.macvtap", "macvtap";
    /// An ipvlan made.
    LinkCreateIpvlan = 106, "link.create.ipvlan", "ipvlan";
    /// An ipvtap made.
    LinkCreateIpvtap = 107, "link.create.ipvtap", "ipvtap";
    /// A vrf made.
    LinkCreateVrf = 108, "link.create.vrf", "vrf";
    /// A wireguard made.
    LinkCreateWireguard = 109, "link.create.wireguard", "wireguard";
    /// A macsec made.
    LinkCreateMacsec = 110, "link.create.macsec", "macsec";
    /// An xfrm interface made.
    LinkCreateXfrm = 111, "link.create.xfrm", "xfrm";
    /// An ifb made.
    LinkCreateIfb = 112, "link.create.ifb", "ifb";
    /// A netkit pair made.
    LinkCreateNetkit = 113, "link.create.netkit", "netkit";
    /// An IP tunnel made.
    LinkCreateTunnel = 114, "link.create.tunnel", "ipip, sit, gre, gretap, ip6tnl, ip6gre, ip6gretap, erspan, ip6erspan, vti, vti6";
    /// A link of any other kind made.
    LinkCreateOther = 115, "link.create.other", "IFLA_INFO_KIND";

    /// An address added.
    AddrAdd = 128, "addr.add", "RTM_NEWADDR";
    /// An address removed.
    AddrDelete = 129, "addr.delete", "RTM_DELADDR, SIOCDIFADDR, SIOCSIFFLAGS (a label)";
    /// An address set by ioctl, which adds, replaces or removes.
    AddrSet = 130, "addr.set", "SIOCSIFADDR, SIOCSIFBRDADDR, SIOCSIFDSTADDR, SIOCSIFNETMASK";
    /// Labels for the choice of a source address.
    AddrLabel = 131, "addr.label", "RTM_NEWADDRLABEL, RTM_DELADDRLABEL";
    /// A route added or replaced, with what it wraps packets in.
    RouteAdd = 132, "route.add", "RTM_NEWROUTE, SIOCADDRT";
    /// A route removed.
    RouteDelete = 133, "route.delete", "RTM_DELROUTE, SIOCDELRT";
    /// A next hop added or replaced, with what it wraps packets in.
    NexthopAdd = 134, "nexthop.add", "RTM_NEWNEXTHOP";
    /// A next hop removed.
    NexthopDelete = 135, "nexthop.delete", "RTM_DELNEXTHOP";
    /// A routing rule added.
    RuleAdd = 136, "rule.add", "RTM_NEWRULE";
    /// A routing rule removed.
    RuleDelete = 137, "rule.delete", "RTM_DELRULE";
    /// A neighbour added or replaced.
    NeighAdd = 138, "neigh.add", "RTM_NEWNEIGH, SIOCSARP";
    /// A neighbour removed.
    NeighDelete = 139, "neigh.delete", "RTM_DELNEIGH, SIOCDARP";
    /// The parameters of a neighbour table.
    NeighTable = 140, "neigh.table", "RTM_SETNEIGHTBL";
    /// A forwarding entry of a bridge or a vxlan added.
    FdbAdd = 141, "fdb.add", "RTM_NEWNEIGH (PF_BRIDGE)";
    /// A forwarding entry removed.
    FdbDelete = 142, "fdb.delete", "RTM_DELNEIGH (PF_BRIDGE)";
    /// A multicast entry of a bridge or a vxlan added.
    MdbAdd = 143, "mdb.add", "RTM_NEWMDB";
    /// A multicast entry removed.
    MdbDelete = 144, "mdb.delete", "RTM_DELMDB";
    /// Vlans and port settings of a bridge.
    BridgePort = 145, "bridge.port", "RTM_SETLINK and RTM_DELLINK (PF_BRIDGE)";
    /// Options of a bridge's vlans.
    BridgeVlan = 146, "bridge.vlan", "RTM_NEWVLAN, RTM_DELVLAN";
    /// The networks of a vxlan device.
    VxlanVni = 147, "vxlan.vni", "RTM_NEWTUNNEL, RTM_DELTUNNEL";
    /// A queueing discipline.
    TcQdisc = 148, "tc.qdisc", "RTM_NEWQDISC, RTM_DELQDISC";
    /// A traffic class.
    TcClass = 149, "tc.class", "RTM_NEWTCLASS, RTM_DELTCLASS";
    /// A traffic filter with its actions, or a chain of them.
    TcFilter = 150, "tc.filter", "RTM_NEWTFILTER, RTM_DELTFILTER, RTM_NEWCHAIN, RTM_DELCHAIN";
    /// An action of traffic filters.
    TcAction = 151, "tc.action", "RTM_NEWACTION, RTM_DELACTION";
    /// Data center bridging.
    Dcb = 152, "dcb.set", "RTM_SETDCB";
    /// An id given to another network namespace.
    NetnsId = 153, "netns.id", "RTM_NEWNSID";
    /// Statistics of hardware switched on or off.
    StatsSet = 154, "stats.set", "RTM_SETSTATS";
    /// An rtnetlink message of any other type.
    RtnetlinkOther = 155, "rtnetlink.other", "NETLINK_ROUTE";
    /// Joining a netlink group that needs it.
    NetlinkGroups = 156, "netlink.groups", "bind, NETLINK_ADD_MEMBERSHIP";

    /// The nftables rule set read.
    NftablesRead = 160, "nftables.read", "NFNL_SUBSYS_NFTABLES, NFNL_SUBSYS_NFT_COMPAT, NFNL_SUBSYS_HOOK";
    /// The nftables rule set changed.
    NftablesWrite = 161, "nftables.write", "NFNL_SUBSYS_NFTABLES";
    /// The connection table and its expectations read.
    ConntrackRead = 162, "conntrack.read", "NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_CTNETLINK_EXP";
    /// The connection table and its expectations changed.
    ConntrackWrite = 163, "conntrack.write", "NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_CTNETLINK_EXP";
    /// Timeouts and helpers of the connection table.
    ConntrackPolicy = 164, "conntrack.policy", "NFNL_SUBSYS_CTNETLINK_TIMEOUT, NFNL_SUBSYS_CTHELPER";
    /// Packets judged in user space.
    Nfqueue = 165, "nfqueue.use", "NFNL_SUBSYS_QUEUE";
    /// Packets logged to user space.
    Nflog = 166, "nflog.use", "NFNL_SUBSYS_ULOG";
    /// IP sets read.
    IpsetRead = 167, "ipset.read", "NFNL_SUBSYS_IPSET, SO_IP_SET";
    /// IP sets changed.
    IpsetWrite = 168, "ipset.write", "NFNL_SUBSYS_IPSET";
    /// Accounting objects and fingerprints.
    NetfilterOther = 169, "netfilter.other", "NFNL_SUBSYS_ACCT, NFNL_SUBSYS_OSF";
    /// iptables and ip6tables rules read by the legacy interface.
    IptablesRead = 170, "iptables.read", "IPT_SO_GET_*, IP6T_SO_GET_*";
    /// iptables and ip6tables rules replaced by the legacy interface.
    IptablesWrite = 171, "iptables.write", "IPT_SO_SET_*, IP6T_SO_SET_*";
    /// arptables and ebtables rules by the legacy interface.
    EbtablesUse = 172, "ebtables.use", "ARPT_SO_*, EBT_SO_*";
    /// IP virtual servers by the legacy interface.
    IpvsUse = 173, "ipvs.use", "IP_VS_SO_*";
    /// IPsec states and policies read.
    XfrmRead = 174, "xfrm.read", "XFRM_MSG_GET*";
    /// IPsec states changed.
    XfrmState = 175, "xfrm.state", "XFRM_MSG_NEWSA, XFRM_MSG_DELSA, ...";
    /// IPsec policies changed.
    XfrmPolicy = 176, "xfrm.policy", "XFRM_MSG_NEWPOLICY, XFRM_MSG_DELPOLICY, ...";
    /// A socket whose making asks for the capability, such as PF_KEY.
    SocketCreate = 177, "socket.create", "socket (PF_KEY)";
    /// Somebody's socket destroyed.
    SockDiagDestroy = 178, "sock_diag.destroy", "SOCK_DESTROY";
    /// What dumps and files show to the capability alone.
    ReadDetails = 179, "read.details", "netlink_dump, read";
    /// The process connector.
    ConnectorUse = 180, "connector.use", "NETLINK_CONNECTOR";
    /// RDMA devices.
    RdmaUse = 181, "rdma.use", "NETLINK_RDMA";
    /// The kernel's cryptographic algorithms.
    CryptoUse = 182, "crypto.use", "NETLINK_CRYPTO";
    /// A job of the CAN gateway made or removed.
    CanGateway = 183, "can.gateway", "RTM_NEWROUTE and RTM_DELROUTE (PF_CAN)";
    /// IPsec policies and their states moved to other addresses.
    XfrmMigrate = 189, "xfrm.migrate", "XFRM_MSG_MIGRATE";

    /// WireGuard's keys and peers.
    GenlWireguard = 192, "genl.wireguard", "wireguard";
    /// Device settings by ethtool's netlink interface.
    GenlEthtool = 193, "genl.ethtool", "ethtool";
    /// Devlink.
    GenlDevlink = 194, "genl.devlink", "devlink";
    /// Open vSwitch.
    GenlOpenvswitch = 195, "genl.openvswitch", "ovs_*";
    /// Wireless.
    GenlNl80211 = 196, "genl.nl80211", "nl80211";
    /// MACsec's keys and channels.
    GenlMacsec = 197, "genl.macsec", "macsec";
    /// L2TP tunnels and sessions.
    GenlL2tp = 198, "genl.l2tp", "l2tp";
    /// Options and ports of team devices.
    GenlTeam = 199, "genl.team", "team";
    /// Multipath TCP's path manager.
    GenlMptcp = 200, "genl.mptcp", "mptcp_pm";
    /// The metrics that TCP remembers.
    GenlTcpMetrics = 201, "genl.tcp_metrics", "tcp_metrics";
    /// IP virtual servers.
    GenlIpvs = 202, "genl.ipvs", "IPVS";
    /// Foo over UDP.
    GenlFou = 203, "genl.fou", "fou";
    /// Segment routing and in-situ OAM.
    GenlSegmentRouting = 204, "genl.segment_routing", "SEG6, IOAM6, ila";
    /// GTP tunnels.
    GenlGtp = 205, "genl.gtp", "gtp";
    /// Queues of devices, and shapers.
    GenlNetdev = 206, "genl.netdev", "netdev, net-shaper";
    /// TIPC.
    GenlTipc = 207, "genl.tipc", "TIPCv2, TIPC";
    /// A family that has no name here.
    GenlOther = 208, "genl.other", "NETLINK_GENERIC";

    /// Speed, duplex and negotiation, by ethtool's ioctl.
    EthtoolLink = 209, "ioctl.ethtool.link", "ETHTOOL_SSET, ETHTOOL_SLINKSETTINGS, ETHTOOL_NWAY_RST";
    /// Wake-on-LAN read or set, with its password.
    EthtoolWol = 210, "ioctl.ethtool.wol", "ETHTOOL_GWOL, ETHTOOL_SWOL";
    /// Interrupt coalescing, of a device or of its queues.
    EthtoolCoalesce = 211, "ioctl.ethtool.coalesce", "ETHTOOL_SCOALESCE, ETHTOOL_PERQUEUE";
    /// The sizes of rings.
    EthtoolRing = 212, "ioctl.ethtool.ring", "ETHTOOL_SRINGPARAM";
    /// Pause frames.
    EthtoolPause = 213, "ioctl.ethtool.pause", "ETHTOOL_SPAUSEPARAM";
    /// Offloads and other features.
    EthtoolFeatures = 214, "ioctl.ethtool.features", "ETHTOOL_SFEATURES, ETHTOOL_SFLAGS, ETHTOOL_S*CSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_SUFO";
    /// How many queues there are.
    EthtoolChannels = 215, "ioctl.ethtool.channels", "ETHTOOL_SCHANNELS";
    /// How received packets are spread over queues.
    EthtoolRss = 216, "ioctl.ethtool.rss", "ETHTOOL_SRXFHINDIR, ETHTOOL_SRSSH";
    /// Rules that steer received packets, and what is hashed of them.
    EthtoolRules = 217, "ioctl.ethtool.rules", "ETHTOOL_SRXCLSRLINS, ETHTOOL_SRXCLSRLDEL, ETHTOOL_SRXFH";
    /// Forward error correction.
    EthtoolFec = 218, "ioctl.ethtool.fec", "ETHTOOL_SFECPARAM";
    /// Energy-efficient Ethernet.
    EthtoolEee = 219, "ioctl.ethtool.eee", "ETHTOOL_SEEE";
    /// The device's EEPROM read or written.
    EthtoolEeprom = 220, "ioctl.ethtool.eeprom", "ETHTOOL_GEEPROM, ETHTOOL_SEEPROM";
    /// A plugged-in module's EEPROM read.
    EthtoolModule = 221, "ioctl.ethtool.module", "ETHTOOL_GMODULEINFO, ETHTOOL_GMODULEEEPROM";
    /// Firmware written to the device.
    EthtoolFlash = 222, "ioctl.ethtool.flash", "ETHTOOL_FLASHDEV";
    /// The device's registers and firmware dumps read.
    EthtoolDump = 223, "ioctl.ethtool.dump", "ETHTOOL_GREGS, ETHTOOL_SET_DUMP, ETHTOOL_GET_DUMP_FLAG, ETHTOOL_GET_DUMP_DATA";

    /// A tun or tap device made or attached to.
    TunAttach = 224, "tun.attach", "TUNSETIFF";
    /// Registers of a PHY.
    IoctlMii = 226, "ioctl.mii", "SIOCGMIIPHY, SIOCGMIIREG, SIOCSMIIREG";
    /// Hardware time stamps.
    IoctlHwtstamp = 227, "ioctl.hwtstamp", "SIOCSHWTSTAMP";
    /// The active port and the address of a bond.
    IoctlBond = 228, "ioctl.bond", "SIOCBONDSETHWADDR, SIOCBONDCHANGEACTIVE";
    /// Bridges by the oldest interface.
    IoctlBridge = 229, "ioctl.bridge", "SIOCGIFBR, SIOCSIFBR";
    /// Vlans by the old interface, made, changed or removed.
    IoctlVlan = 230, "ioctl.vlan", "SIOCSIFVLAN, SIOCGIFVLAN";
    /// What is the device's own: tunnels, old bridges and bonds, drivers.
    IoctlPrivate = 231, "ioctl.private", "SIOCDEVPRIVATE to SIOCDEVPRIVATE+15";
    /// Wireless extensions.
    IoctlWireless = 232, "ioctl.wireless", "SIOCSIW*, SIOCGIW*";
    /// A descriptor of the network namespace of a socket or a tun device.
    IoctlNamespace = 233, "ioctl.namespace", "SIOCGSKNS, TUNGETDEVNETNS";
    /// A write to a file of sysfs.
    SysfsWrite = 234, "sysfs.write", "netdev_store, brport_store, ...";
    /// A write to a file of /proc/sys/net.
    SysctlWrite = 235, "sysctl.write", "net.*";
    /// A BPF program loaded or attached where CAP_NET_ADMIN is asked for.
    BpfUse = 236, "bpf.use", "bpf";
    /// Flags of the driver's own.
    EthtoolPrivateFlags = 237, "ioctl.ethtool.private_flags", "ETHTOOL_SPFLAGS";
    /// Tunables of the device or its PHY.
    EthtoolTunable = 238, "ioctl.ethtool.tunable", "ETHTOOL_STUNABLE, ETHTOOL_PHY_STUNABLE";
    /// What the driver writes to the kernel's log.
    EthtoolMsgLevel = 239, "ioctl.ethtool.msglvl", "ETHTOOL_SMSGLVL";
    /// The device's self-test.
    EthtoolTest = 240, "ioctl.ethtool.test", "ETHTOOL_TEST";
    /// Parts of the device reset.
    EthtoolReset = 241, "ioctl.ethtool.reset", "ETHTOOL_RESET";
    /// The device made to blink.
    EthtoolIdentify = 242, "ioctl.ethtool.identify", "ETHTOOL_PHYS_ID";
    /// Any other sub-command of ethtool's ioctl.
    EthtoolOther = 243, "ioctl.ethtool.other", "SIOCETHTOOL";
    /// PPP: its device opened, an interface made or attached to.
    PppUse = 248, "ppp.use", "/dev/ppp, PPPIOCNEWUNIT, PPPIOCATTACH, PPPIOCATTCHAN";
    /// What asks for CAP_NET_ADMIN and is none of the above.
    Unclassified = 255, "unclassified", "capable";
}

impl OperationKind {
    /// Whether it is a piece of `CAP_NET_ADMIN`, which `[policy.net_admin]`
    /// rules on.
    #[inline(always)]
    pub fn is_piece(self) -> bool {
        self as u16 >= FIRST_PIECE
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
