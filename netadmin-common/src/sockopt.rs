//! Which piece of the capability a socket option is.

use crate::catalogue::OperationKind as Op;

const SOL_IP: i32 = 0;
const SOL_SOCKET: i32 = 1;
const SOL_TCP: i32 = 6;
const SOL_IPV6: i32 = 41;
const SOL_NETLINK: i32 = 270;

/// The piece that setting (or, where that asks too, reading) an option is.
#[inline(always)]
pub fn sockopt_piece(level: i32, optname: i32, reads: bool) -> Op {
    match (level, optname) {
        (SOL_SOCKET, 1) => Op::SetDebug,
        (SOL_SOCKET, 12) => Op::SetPriority,
        (SOL_SOCKET, 26) => Op::SetAttachFilter,
        (SOL_SOCKET, 32) => Op::SetSndBufForce,
        (SOL_SOCKET, 33) => Op::SetRcvBufForce,
        (SOL_SOCKET, 36) => Op::SetMark,
        (SOL_SOCKET, 61) => Op::SetTxTime,
        (SOL_SOCKET, 46 | 69 | 70) => Op::SetBusyPoll,
        (SOL_IP, 16 | 17) | (SOL_IPV6, 34 | 35) => Op::SetXfrmPolicy,
        (SOL_IP, 19) | (SOL_IPV6, 75) => Op::SetTransparent,
        // IPT_BASE_CTL, IP6T_BASE_CTL; the revisions are questions.
        (SOL_IP | SOL_IPV6, 64..=69) if reads => Op::IptablesRead,
        (SOL_IP | SOL_IPV6, 64..=69) => Op::IptablesWrite,
        // SO_IP_SET.
        (SOL_IP, 83) => Op::IpsetRead,
        // ARPT_BASE_CTL, EBT_BASE_CTL.
        (SOL_IP, 96..=99 | 128..=131) => Op::EbtablesUse,
        // MRT_BASE, MRT6_BASE.
        (SOL_IP | SOL_IPV6, 200..=215) => Op::SetMulticastRouting,
        // IP_VS_BASE_CTL.
        (SOL_IP, 1152..=1220) => Op::IpvsUse,
        (SOL_IPV6, 27) => Op::SetAnycast,
        (SOL_IPV6, 32) => Op::SetFlowLabel,
        (SOL_TCP, 13) => Op::SetTcpCongestion,
        (SOL_TCP, 19) => Op::SetTcpRepair,
        (SOL_TCP, 31) => Op::SetTcpUlp,
        (SOL_NETLINK, 1) => Op::NetlinkGroups,
        _ => Op::SetOther,
    }
}
