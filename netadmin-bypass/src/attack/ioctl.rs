//! Attempts through `ioctl(2)` on a socket.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use super::IFNAMSIZ;
use super::abi::{Low, narrow};
use super::call;
use super::route::Route;
use super::sockopt::open_socket;

const SIOCGIFFLAGS: u32 = 0x8913;
const SIOCSIFFLAGS: u32 = 0x8914;
const SIOCSIFDSTADDR: u32 = 0x8918;
const SIOCSIFMTU: u32 = 0x8922;
const SIOCSIFNAME: u32 = 0x8923;
const SIOCSIFHWADDR: u32 = 0x8924;
const SIOCGIFVLAN: u32 = 0x8982;
const SIOCSIFVLAN: u32 = 0x8983;
const SIOCBONDENSLAVE: u32 = 0x8990;
const SIOCBONDRELEASE: u32 = 0x8991;
const SIOCBONDSETHWADDR: u32 = 0x8992;
const SIOCBONDCHANGEACTIVE: u32 = 0x8995;
const SIOCBRADDBR: u32 = 0x89a0;
const SIOCBRDELBR: u32 = 0x89a1;
const SIOCBRADDIF: u32 = 0x89a2;
const SIOCBRDELIF: u32 = 0x89a3;
const SIOCSIFBR: u32 = 0x8941;
const SIOCSIWCOMMIT: u32 = 0x8b00;
const SIOCDEVPRIVATE: u32 = 0x89f0;
/// linux/if_tunnel.h.
const SIOCADDTUNNEL: u32 = SIOCDEVPRIVATE + 1;
/// linux/if_bonding.h: what `SIOCBOND*` does, by the numbers of before.
const BOND_RELEASE_OLD: u32 = SIOCDEVPRIVATE + 1;
const BOND_CHANGE_ACTIVE_OLD: u32 = SIOCDEVPRIVATE + 13;
/// Make a bridge, and add a port, in the old bridge interface
/// (linux/if_bridge.h).
const BRCTL_ADD_BRIDGE: usize = 2;
const BRCTL_DEL_BRIDGE: usize = 3;
const BRCTL_ADD_IF: usize = 4;

/// `sizeof(struct iphdr)`, and of `struct ip_tunnel_parm`, which ends with one;
/// in bytes (linux/ip.h, linux/if_tunnel.h).
const IPHDR_LEN: usize = 20;
const IP_TUNNEL_PARM_LEN: usize = IFNAMSIZ + 16 + IPHDR_LEN;

/// The family of the socket on which an ioctl is made.
///
/// `AF_INET` (and `AF_PACKET`, which passes on to it) reaches `devinet_ioctl`,
/// the others reach `dev_ioctl` directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `AF_INET`.
    Inet,
    /// `AF_INET6`.
    Inet6,
    /// `AF_PACKET`.
    Packet,
    /// `AF_UNIX`.
    Unix,
    /// `AF_NETLINK`.
    Netlink,
}

impl Family {
    /// All families, each with the name that tests use.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Inet, "af_inet"),
        (Self::Inet6, "af_inet6"),
        (Self::Packet, "af_packet"),
        (Self::Unix, "af_unix"),
        (Self::Netlink, "af_netlink"),
    ];

    /// A datagram socket of this family.
    pub fn socket(self) -> io::Result<OwnedFd> {
        let (domain, kind) = match self {
            Self::Inet => (libc::AF_INET, libc::SOCK_DGRAM),
            Self::Inet6 => (libc::AF_INET6, libc::SOCK_DGRAM),
            Self::Packet => (libc::AF_PACKET, libc::SOCK_RAW),
            Self::Unix => (libc::AF_UNIX, libc::SOCK_DGRAM),
            Self::Netlink => (libc::AF_NETLINK, libc::SOCK_RAW),
        };
        open_socket(domain, kind, 0)
    }
}

/// `struct ifreq`: a name, and a union of which the largest member begins with
/// what is set here. 64-bit code has the longest.
#[derive(Clone, Debug)]
pub struct Request([u8; 40]);

impl Request {
    /// A request about a device.
    pub fn about(name: &str) -> io::Result<Self> {
        let mut request = Self([0; 40]);
        request.0[..IFNAMSIZ].copy_from_slice(&name_field(name)?);
        Ok(request)
    }

    /// The same with the beginning of the union.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.0[IFNAMSIZ..IFNAMSIZ + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The bytes that the kernel reads.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes it on a socket of this family.
    pub fn make(&mut self, family: Family, command: u32) -> io::Result<()> {
        call::ioctl(family.socket()?.as_fd(), command, &mut self.0)
    }
}

/// `SIOCGIFFLAGS`: what the kernel shows, where `IFF_PROMISC` is that of `gflags`.
pub fn flags(name: &str) -> io::Result<u32> {
    let mut request = Request::about(name)?;
    request.make(Family::Inet, SIOCGIFFLAGS)?;
    let [low, high] = [request.0[IFNAMSIZ], request.0[IFNAMSIZ + 1]];
    Ok(u32::from(u16::from_ne_bytes([low, high])))
}

/// `SIOCSIFFLAGS` with exactly these flags.
pub fn set_flags(family: Family, name: &str, flags: u32) -> io::Result<()> {
    set_flags_on(family.socket()?.as_fd(), name, flags)
}

/// The same on a socket that is there already.
pub fn set_flags_on(socket: BorrowedFd<'_>, name: &str, flags: u32) -> io::Result<()> {
    let low_half = u16::try_from(flags).map_err(io::Error::other)?;
    let mut request = Request::about(name)?.with(&low_half.to_ne_bytes());
    call::ioctl(socket, SIOCSIFFLAGS, &mut request.0)
}

/// `SIOCSIFFLAGS` by a number of the system call of choice.
pub fn set_flags_by_number(number: libc::c_long, name: &str, flags: u32) -> io::Result<()> {
    let low_half = u16::try_from(flags).map_err(io::Error::other)?;
    let mut request = Request::about(name)?.with(&low_half.to_ne_bytes());
    let socket = Family::Inet.socket()?;
    let request = request.0.as_mut_ptr();
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which outlives the call.
    match unsafe { libc::syscall(number, socket.as_raw_fd(), SIOCSIFFLAGS, request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `SIOCSIFFLAGS` with what the device has, `set` added and `clear` taken away:
/// what `ifconfig` does.
pub fn change_flags(family: Family, name: &str, set: u32, clear: u32) -> io::Result<()> {
    set_flags(family, name, (flags(name)? | set) & !clear)
}

/// `SIOCSIFHWADDR`: a new MAC address, of an Ethernet device.
pub fn set_address(name: &str, address: [u8; 6]) -> io::Result<()> {
    with_address(name, address)?.make(Family::Inet, SIOCSIFHWADDR)
}

/// The same on the file of a tun or tap device.
pub fn set_address_on(file: BorrowedFd<'_>, address: [u8; 6]) -> io::Result<()> {
    call::ioctl(file, SIOCSIFHWADDR, &mut with_address("", address)?.0)
}

fn with_address(name: &str, address: [u8; 6]) -> io::Result<Request> {
    let mut value = libc::ARPHRD_ETHER.to_ne_bytes().to_vec();
    value.extend(address);
    Ok(Request::about(name)?.with(&value))
}

/// `SIOCBONDSETHWADDR`: a bond takes the address of another device.
pub fn bond_take_address(bond: &str, other: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(other)?);
    request.make(Family::Inet, SIOCBONDSETHWADDR)
}

/// `SIOCBONDRELEASE`: a member leaves a bond.
pub fn bond_release(bond: &str, member: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(member)?);
    request.make(Family::Inet, SIOCBONDRELEASE)
}

/// `SIOCSIFMTU`, in bytes.
pub fn set_mtu(name: &str, mtu: u32) -> io::Result<()> {
    let mut request = Request::about(name)?.with(&mtu.to_ne_bytes());
    request.make(Family::Inet, SIOCSIFMTU)
}

/// `SIOCSIWCOMMIT`, of the wireless extensions.
pub fn wireless_commit(name: &str) -> io::Result<()> {
    Request::about(name)?.make(Family::Inet, SIOCSIWCOMMIT)
}

/// `SIOCSIFNAME`.
pub fn rename(name: &str, new_name: &str) -> io::Result<()> {
    let mut request = Request::about(name)?.with(&name_field(new_name)?);
    request.make(Family::Inet, SIOCSIFNAME)
}

/// `SIOCBRADDBR`: makes a bridge, as `brctl addbr` does.
pub fn add_bridge(name: &str) -> io::Result<()> {
    let socket = Family::Inet.socket()?;
    call::ioctl(socket.as_fd(), SIOCBRADDBR, &mut name_field(name)?)
}

/// `SIOCBRDELBR`: removes a bridge that is down, as `brctl delbr` does.
pub fn delete_bridge(name: &str) -> io::Result<()> {
    let socket = Family::Inet.socket()?;
    call::ioctl(socket.as_fd(), SIOCBRDELBR, &mut name_field(name)?)
}

/// `SIOCSIFBR` with `BRCTL_ADD_BRIDGE`: the same in the bridge's oldest interface.
pub fn add_bridge_of_old(name: &str) -> io::Result<()> {
    bridge_of_old(BRCTL_ADD_BRIDGE, name)
}

/// `SIOCSIFBR` with `BRCTL_DEL_BRIDGE`: [`delete_bridge`], likewise.
pub fn delete_bridge_of_old(name: &str) -> io::Result<()> {
    bridge_of_old(BRCTL_DEL_BRIDGE, name)
}

fn bridge_of_old(command: usize, name: &str) -> io::Result<()> {
    let name = name_field(name)?;
    let words = [command, name.as_ptr().addr(), 0];
    let socket = Family::Inet.socket()?;
    call::ioctl(
        socket.as_fd(),
        SIOCSIFBR,
        &mut words.map(usize::to_ne_bytes).concat(),
    )
}

/// What `SIOCSIFVLAN` is to do (`enum vlan_ioctl_cmds`, linux/if_vlan.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum VlanCommand {
    /// Makes a vlan with this id over the device.
    Add = 0,
    /// Removes the vlan.
    Delete = 1,
    /// Maps a priority of what comes in.
    Ingress = 2,
    /// Maps a priority of what goes out.
    Egress = 3,
    /// How new vlans are called, in all network namespaces.
    NameType = 6,
    /// Switches flags of the vlan on.
    Flag = 7,
    /// Asks for the vlan's id.
    Id = 9,
}

/// `SIOCSIFVLAN`, as `vconfig` does: a command, a device, and a number.
pub fn vlan(command: VlanCommand, device: &str, number: u32) -> io::Result<()> {
    vlan_by(SIOCSIFVLAN, command, device, number)
}

/// The same by `SIOCGIFVLAN`, which the kernel takes for the other.
pub fn vlan_by_question(command: VlanCommand, device: &str, number: u32) -> io::Result<()> {
    vlan_by(SIOCGIFVLAN, command, device, number)
}

fn vlan_by(request: u32, command: VlanCommand, device: &str, number: u32) -> io::Result<()> {
    /// `struct vlan_ioctl_args`: a command, two names of 24 bytes (the second one
    /// shared with the number), and a short.
    const LEN: usize = 56;
    let mut arguments = [0u8; LEN];
    arguments[..4].copy_from_slice(&(command as u32).to_ne_bytes());
    arguments[4..4 + IFNAMSIZ].copy_from_slice(&name_field(device)?);
    arguments[28..32].copy_from_slice(&number.to_ne_bytes());
    if command == VlanCommand::Flag {
        arguments[52..54].copy_from_slice(&1u16.to_ne_bytes());
    }
    call::ioctl(Family::Inet.socket()?.as_fd(), request, &mut arguments)
}

/// `SIOCADDTUNNEL`: makes an IPv4-in-IPv4 tunnel, as `ip tunnel add` does.
pub fn add_tunnel(name: &str) -> io::Result<()> {
    let mut parameters = [0u8; IP_TUNNEL_PARM_LEN];
    parameters[..IFNAMSIZ].copy_from_slice(&name_field(name)?);
    let header = &mut parameters[IP_TUNNEL_PARM_LEN - IPHDR_LEN..];
    // ip_tunnel_check_parm: version 4, five words, protocol 4.
    header[0] = 0x45;
    header[9] = 4;
    // A remote end, lest the tunnel be the module's own tunl0.
    header[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let parameters = Low::of(&parameters)?;
    let mut request = Request::about("tunl0")?.with(&parameters.address().to_ne_bytes());
    request.make(Family::Inet, SIOCADDTUNNEL)
}

/// `SIOCSIFDSTADDR` on an `AF_INET6` socket: makes a tunnel beside `sit0`, and
/// brings it up (`addrconf_set_dstaddr`).
pub fn add_tunnel_by_destination(remote: [u8; 4]) -> io::Result<()> {
    // struct in6_ifreq: an address that is compatible with IPv4's, a prefix, an index.
    let mut request = [0u8; 24];
    request[12..16].copy_from_slice(&remote);
    request[20..].copy_from_slice(&super::index_of("sit0")?.to_ne_bytes());
    call::ioctl(
        Family::Inet6.socket()?.as_fd(),
        SIOCSIFDSTADDR,
        &mut request,
    )
}

/// `SIOCBRADDIF`: makes a device the port of a bridge, as `brctl addif` does.
pub fn bridge_add_port(bridge: &str, port_index: u32) -> io::Result<()> {
    let mut request = Request::about(bridge)?.with(&port_index.to_ne_bytes());
    request.make(Family::Inet, SIOCBRADDIF)
}

/// `SIOCBRDELIF`: takes a port from a bridge, as `brctl delif` does.
pub fn bridge_remove_port(bridge: &str, port_index: u32) -> io::Result<()> {
    let mut request = Request::about(bridge)?.with(&port_index.to_ne_bytes());
    request.make(Family::Inet, SIOCBRDELIF)
}

/// `SIOCDEVPRIVATE` with `BRCTL_ADD_IF`: the same in the bridge's old interface.
pub fn bridge_add_port_private(bridge: &str, port_index: u32) -> io::Result<()> {
    let words = [BRCTL_ADD_IF, port_index as usize, 0, 0];
    let arguments = if Route::current().abi.is_narrow() {
        Low::of(&narrow(&words))?
    } else {
        Low::of(&words.map(usize::to_ne_bytes).concat())?
    };
    let mut request = Request::about(bridge)?.with(&arguments.address().to_ne_bytes());
    request.make(Family::Inet, SIOCDEVPRIVATE)
}

/// `SIOCBONDCHANGEACTIVE`: chooses the active member of a bond.
pub fn bond_change_active(bond: &str, member: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(member)?);
    request.make(Family::Inet, SIOCBONDCHANGEACTIVE)
}

/// The same by its number of before.
pub fn bond_change_active_of_old(bond: &str, member: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(member)?);
    request.make(Family::Inet, BOND_CHANGE_ACTIVE_OLD)
}

/// `SIOCBONDRELEASE` by its number of before: a member leaves.
pub fn bond_release_of_old(bond: &str, member: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(member)?);
    request.make(Family::Inet, BOND_RELEASE_OLD)
}

/// `SIOCBONDENSLAVE`: makes a device a member of a bond, as `ifenslave` does.
pub fn bond_enslave(bond: &str, member: &str) -> io::Result<()> {
    let mut request = Request::about(bond)?.with(&name_field(member)?);
    request.make(Family::Inet, SIOCBONDENSLAVE)
}

fn name_field(name: &str) -> io::Result<[u8; IFNAMSIZ]> {
    if name.len() >= IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    let mut field = [0; IFNAMSIZ];
    field[..name.len()].copy_from_slice(name.as_bytes());
    Ok(field)
}
