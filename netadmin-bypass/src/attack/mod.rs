//! What an attacker with `CAP_NET_ADMIN` and `CAP_NET_RAW` would do, one small
//! function for each way.
//!
//! Each function makes the system call itself and returns its error, so that
//! the errno is exact. Nothing here knows of cgroups, policies or the agent.

pub mod abi;
pub mod bind;
pub mod bpf;
mod call;
pub mod control;
pub mod ethtool;
pub mod fdb;
mod held;
pub mod inet;
pub mod ioctl;
pub mod kind;
pub mod link;
pub mod netlink;
pub mod nfnetlink;
pub mod openvswitch;
pub mod packet;
pub mod ppp;
pub mod process;
mod ring;
pub mod route;
pub mod sockopt;
pub mod sysctl;
pub mod sysfs;
pub mod tun;

pub use link::{Target, index_of};
pub use netlink::{Message, transact};
pub use packet::Membership;
pub use route::{Abi, Arrival, Route};
pub use sockopt::SocketOption;

/// `IFF_UP` (linux/if.h).
pub const IFF_UP: u32 = 0x1;
/// `IFF_PROMISC`: the device receives all packets.
pub const IFF_PROMISC: u32 = 0x100;
/// `IFF_ALLMULTI`: the device receives all multicast packets.
pub const IFF_ALLMULTI: u32 = 0x200;
/// Length of an interface name with its terminating zero, in bytes.
pub const IFNAMSIZ: usize = 16;
