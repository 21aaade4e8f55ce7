//! Which piece of the capability an ioctl is.

use crate::catalogue::OperationKind as Op;
use crate::ethtool::SIOCETHTOOL;

/// The piece that a command is (linux/sockios.h, linux/if_tun.h, linux/ppp-ioctl.h); `None` for
/// commands that ask for nothing, or are not known. Which of the flags
/// `SIOCSIFFLAGS` changes is seen elsewhere.
#[inline(always)]
pub fn ioctl_piece(command: u32) -> Option<Op> {
    Some(match command {
        // SIOCADDRT, SIOCDELRT.
        0x890b => Op::RouteAdd,
        0x890c => Op::RouteDelete,
        // SIOCSIFADDR, SIOCSIFDSTADDR, SIOCSIFBRDADDR, SIOCSIFNETMASK.
        0x8916 | 0x8918 | 0x891a | 0x891c => Op::AddrSet,
        // SIOCSIFMETRIC, SIOCSIFSLAVE, SIOCSIFMAP.
        0x891e | 0x8930 | 0x8971 => Op::LinkOther,
        // SIOCSIFMTU.
        0x8922 => Op::LinkMtu,
        // SIOCSIFNAME.
        0x8923 => Op::LinkRename,
        // SIOCSIFHWADDR, SIOCSIFHWBROADCAST.
        0x8924 | 0x8937 => Op::LinkAddress,
        // SIOCADDMULTI, SIOCDELMULTI.
        0x8931 | 0x8932 => Op::LinkMulticastAddress,
        // SIOCDIFADDR.
        0x8936 => Op::AddrDelete,
        // SIOCGIFBR, SIOCSIFBR.
        0x8940 | 0x8941 => Op::IoctlBridge,
        // SIOCSIFTXQLEN.
        0x8943 => Op::LinkQueues,
        // (Its sub-command says more: see ethtool.rs.)
        SIOCETHTOOL => Op::EthtoolOther,
        // SIOCGMIIPHY, SIOCGMIIREG, SIOCSMIIREG.
        0x8947..=0x8949 => Op::IoctlMii,
        // SIOCGSKNS, TUNGETDEVNETNS.
        0x894c | 0x54e3 => Op::IoctlNamespace,
        // SIOCDARP, SIOCSARP.
        0x8953 => Op::NeighDelete,
        0x8955 => Op::NeighAdd,
        // SIOCGIFVLAN, SIOCSIFVLAN.
        0x8982 | 0x8983 => Op::IoctlVlan,
        // SIOCBONDENSLAVE, SIOCBONDRELEASE, SIOCBRADDIF, SIOCBRDELIF.
        0x8990 | 0x8991 | 0x89a2 | 0x89a3 => Op::LinkMaster,
        // SIOCBONDSETHWADDR, SIOCBONDCHANGEACTIVE.
        0x8992 | 0x8995 => Op::IoctlBond,
        // SIOCBRADDBR, SIOCBRDELBR.
        0x89a0 => Op::LinkCreateBridge,
        0x89a1 => Op::LinkDelete,
        // SIOCSHWTSTAMP.
        0x89b0 => Op::IoctlHwtstamp,
        // SIOCDEVPRIVATE.
        0x89f0..=0x89ff => Op::IoctlPrivate,
        // SIOCIWFIRST to SIOCIWLAST.
        0x8b00..=0x8bff => Op::IoctlWireless,
        // PPPIOCATTCHAN, PPPIOCATTACH, PPPIOCNEWUNIT.
        0x4004_7438 | 0x4004_743d | 0xc004_743e => Op::PppUse,
        // TUNSETIFF.
        0x4004_54ca => Op::TunAttach,
        _ => return None,
    })
}

/// What a command may be besides. `SIOCSIFDSTADDR` on an `AF_INET6` socket makes
/// a tunnel and brings it up (`addrconf_set_dstaddr`), and its number is all that
/// is known.
#[inline(always)]
pub fn ioctl_piece_besides(command: u32) -> Option<Op> {
    (command == 0x8918).then_some(Op::LinkCreateTunnel)
}

/// Whether a command only asks so as to load a driver (`dev_load`) for a device
/// that is not there, and then does what it does for anyone.
#[inline(always)]
pub fn is_question(command: u32) -> bool {
    // SIOCGIFFLAGS, ADDR, DSTADDR, BRDADDR, NETMASK, METRIC, MTU, HWADDR,
    // SLAVE, INDEX, TXQLEN, MAP.
    matches!(
        command,
        0x8913
            | 0x8915
            | 0x8917
            | 0x8919
            | 0x891b
            | 0x891d
            | 0x8921
            | 0x8927
            | 0x8929
            | 0x8933
            | 0x8942
            | 0x8970
    )
}
