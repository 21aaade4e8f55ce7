//! Devices of `/dev/ppp`, which live as long as their descriptor.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

/// linux/ppp-ioctl.h.
const PPPIOCNEWUNIT: u32 = 0xc004_743e;

/// Opens it.
pub fn open() -> io::Result<OwnedFd> {
    let file = OpenOptions::new().read(true).write(true).open("/dev/ppp")?;
    Ok(file.into())
}

/// Makes an interface, of any number, on a file that has none.
pub fn new_unit(file: OwnedFd) -> io::Result<OwnedFd> {
    super::call::ioctl(file.as_fd(), PPPIOCNEWUNIT, &mut (-1i32).to_ne_bytes())?;
    Ok(file)
}
