//! Devices of `/dev/net/tun`, which live as long as their descriptor.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use super::IFNAMSIZ;

const TUNSETIFF: u32 = 0x4004_54ca;
const TUNSETPERSIST: libc::Ioctl = 0x4004_54cb;
const IFF_TAP: u16 = 0x2;
const IFF_NO_PI: u16 = 0x1000;

/// Makes a tap device.
pub fn tap(name: &str) -> io::Result<OwnedFd> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = [0u8; IFNAMSIZ + 24];
    let field = request[..IFNAMSIZ - 1].iter_mut();
    field.zip(name.bytes()).for_each(|(to, from)| *to = from);
    request[IFNAMSIZ..IFNAMSIZ + 2].copy_from_slice(&(IFF_TAP | IFF_NO_PI).to_ne_bytes());
    super::call::ioctl(file.as_fd(), TUNSETIFF, &mut request)?;
    Ok(file.into())
}

/// Makes a tap device that outlives its descriptor, as `ip tuntap add` does.
pub fn persistent_tap(name: &str) -> io::Result<()> {
    let tap = tap(name)?;
    // SAFETY: TUNSETPERSIST takes a number.
    match unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETPERSIST, 1) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
