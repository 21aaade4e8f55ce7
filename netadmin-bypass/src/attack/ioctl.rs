//! Attempts through `ioctl(2)` on a socket.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::IFNAMSIZ;
use super::sockopt::open_socket;

const SIOCGIFFLAGS: libc::c_ulong = 0x8913;
const SIOCSIFFLAGS: libc::c_ulong = 0x8914;
const SIOCSIFNAME: libc::c_ulong = 0x8923;
const SIOCBONDENSLAVE: libc::c_ulong = 0x8990;
const SIOCBRADDBR: libc::c_ulong = 0x89a0;
const SIOCBRADDIF: libc::c_ulong = 0x89a2;
const SIOCDEVPRIVATE: libc::c_ulong = 0x89f0;
/// linux/if_tunnel.h.
const SIOCADDTUNNEL: libc::c_ulong = SIOCDEVPRIVATE + 1;
/// Add a port, in the old bridge interface (linux/if_bridge.h).
const BRCTL_ADD_IF: libc::c_ulong = 4;

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

/// `SIOCGIFFLAGS`: what the kernel shows, where `IFF_PROMISC` is that of `gflags`.
pub fn flags(name: &str) -> io::Result<u32> {
    let mut request = request_for(name)?;
    call(&Family::Inet.socket()?, SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS fills in ifru_flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(u32::from(flags.cast_unsigned()))
}

/// `SIOCSIFFLAGS` with exactly these flags.
pub fn set_flags(family: Family, name: &str, flags: u32) -> io::Result<()> {
    let mut request = request_for(name)?;
    let low_half = u16::try_from(flags).map_err(io::Error::other)?;
    request.ifr_ifru.ifru_flags = low_half.cast_signed();
    call(&family.socket()?, SIOCSIFFLAGS, &mut request)
}

/// `SIOCSIFFLAGS` by a number of the system call of choice.
pub fn set_flags_by_number(number: libc::c_long, name: &str, flags: u32) -> io::Result<()> {
    let mut request = request_for(name)?;
    let low_half = u16::try_from(flags).map_err(io::Error::other)?;
    request.ifr_ifru.ifru_flags = low_half.cast_signed();
    let socket = Family::Inet.socket()?;
    // SAFETY: the call reads and writes one ifreq, which outlives it.
    let status =
        unsafe { libc::syscall(number, socket.as_raw_fd(), SIOCSIFFLAGS, &raw mut request) };
    answer(libc::c_int::try_from(status).map_err(io::Error::other)?)
}

/// `SIOCSIFFLAGS` with what the device has, `set` added and `clear` taken away:
/// what `ifconfig` does.
pub fn change_flags(family: Family, name: &str, set: u32, clear: u32) -> io::Result<()> {
    set_flags(family, name, (flags(name)? | set) & !clear)
}

/// `SIOCSIFNAME`.
pub fn rename(name: &str, new_name: &str) -> io::Result<()> {
    let mut request = request_for(name)?;
    request.ifr_ifru.ifru_newname = name_field(new_name)?;
    call(&Family::Inet.socket()?, SIOCSIFNAME, &mut request)
}

/// `SIOCBRADDBR`: makes a bridge, as `brctl addbr` does.
pub fn add_bridge(name: &str) -> io::Result<()> {
    let field = name_field(name)?;
    let socket = Family::Inet.socket()?;
    // SAFETY: SIOCBRADDBR reads a name of IFNAMSIZ bytes.
    answer(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCBRADDBR, field.as_ptr()) })
}

/// `SIOCADDTUNNEL`: makes an IPv4-in-IPv4 tunnel, as `ip tunnel add` does.
pub fn add_tunnel(name: &str) -> io::Result<()> {
    let mut parameters = [0u8; IP_TUNNEL_PARM_LEN];
    let field = parameters[..IFNAMSIZ - 1].iter_mut();
    field.zip(name.bytes()).for_each(|(to, from)| *to = from);
    let header = &mut parameters[IP_TUNNEL_PARM_LEN - IPHDR_LEN..];
    // ip_tunnel_check_parm: version 4, five words, protocol 4.
    header[0] = 0x45;
    header[9] = 4;
    // A remote end, lest the tunnel be the module's own tunl0.
    header[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let mut request = request_for("tunl0")?;
    request.ifr_ifru.ifru_data = parameters.as_mut_ptr().cast();
    call(&Family::Inet.socket()?, SIOCADDTUNNEL, &mut request)
}

/// `SIOCBRADDIF`: makes a device the port of a bridge, as `brctl addif` does.
pub fn bridge_add_port(bridge: &str, port_index: u32) -> io::Result<()> {
    let mut request = request_for(bridge)?;
    request.ifr_ifru.ifru_ifindex = port_index.cast_signed();
    call(&Family::Inet.socket()?, SIOCBRADDIF, &mut request)
}

/// `SIOCDEVPRIVATE` with `BRCTL_ADD_IF`: the same in the bridge's old interface.
pub fn bridge_add_port_private(bridge: &str, port_index: u32) -> io::Result<()> {
    let mut arguments: [libc::c_ulong; 4] = [BRCTL_ADD_IF, port_index.into(), 0, 0];
    let mut request = request_for(bridge)?;
    request.ifr_ifru.ifru_data = arguments.as_mut_ptr().cast();
    call(&Family::Inet.socket()?, SIOCDEVPRIVATE, &mut request)
}

/// `SIOCBONDENSLAVE`: makes a device a member of a bond, as `ifenslave` does.
pub fn bond_enslave(bond: &str, member: &str) -> io::Result<()> {
    let mut request = request_for(bond)?;
    request.ifr_ifru.ifru_newname = name_field(member)?;
    call(&Family::Inet.socket()?, SIOCBONDENSLAVE, &mut request)
}

fn request_for(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = name_field(name)?;
    Ok(request)
}

fn name_field(name: &str) -> io::Result<[libc::c_char; IFNAMSIZ]> {
    if name.len() >= IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    let mut field = [0; IFNAMSIZ];
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    Ok(field)
}

fn call(socket: &OwnedFd, command: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: each of these commands reads and writes one ifreq, and what it
    // points to; both outlive the call.
    answer(unsafe { libc::ioctl(socket.as_raw_fd(), command, request) })
}

fn answer(status: libc::c_int) -> io::Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
