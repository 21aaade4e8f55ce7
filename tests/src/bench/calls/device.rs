//! `ioctl(2)`.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{DEVICE, Prepared, check};
use netadmin_bypass::attack::sockopt::udp_socket;
use netadmin_bypass::attack::{IFF_PROMISC, IFF_UP};

pub fn unread() -> io::Result<Prepared> {
    let socket = udp_socket()?;
    let mut number = 0i32;
    Ok(Box::new(move || {
        // SAFETY: FIONREAD writes an int.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut number) })
    }))
}

pub fn window_size() -> io::Result<Prepared> {
    let terminal = File::options().read(true).write(true).open("/dev/ptmx")?;
    let mut size = [0u16; 4];
    Ok(Box::new(move || {
        // SAFETY: TIOCGWINSZ writes four shorts.
        check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) })
    }))
}

pub fn get_flags() -> io::Result<Prepared> {
    let (socket, mut request) = (udp_socket()?, request(0)?);
    Ok(Box::new(move || {
        interface(&socket, libc::SIOCGIFFLAGS, &mut request)
    }))
}

/// What the device has already, and that is not IFF_PROMISC.
pub fn set_flags() -> io::Result<Prepared> {
    let socket = udp_socket()?;
    interface(&socket, libc::SIOCSIFFLAGS, &mut request(IFF_UP)?)?;
    let mut request = request(0)?;
    interface(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    Ok(Box::new(move || {
        interface(&socket, libc::SIOCSIFFLAGS, &mut request)
    }))
}

/// (Cleared first: to keep it would be allowed.)
pub fn promiscuous() -> io::Result<Prepared> {
    let socket = udp_socket()?;
    interface(&socket, libc::SIOCSIFFLAGS, &mut request(IFF_UP)?)?;
    let mut request = request(IFF_UP | IFF_PROMISC)?;
    Ok(Box::new(move || {
        interface(&socket, libc::SIOCSIFFLAGS, &mut request)
    }))
}

fn request(flags: u32) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(DEVICE.bytes()) {
        *to = from.cast_signed();
    }
    let flags = u16::try_from(flags).map_err(io::Error::other)?;
    request.ifr_ifru.ifru_flags = flags.cast_signed();
    Ok(request)
}

fn interface(
    socket: &OwnedFd,
    command: libc::c_ulong,
    request: &mut libc::ifreq,
) -> io::Result<()> {
    // SAFETY: these commands read and write one ifreq.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), command, request) })
}
