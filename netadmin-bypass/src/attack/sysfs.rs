//! Attempts through the files of `/sys/class/net`.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd as _;

/// Writes to `/sys/class/net/NAME/flags`: the whole word, as `SIOCSIFFLAGS` does.
pub fn set_flags(name: &str, flags: u32) -> io::Result<()> {
    write(name, "flags", &format!("{flags:#x}"))
}

/// Writes one file of a device.
pub fn write(name: &str, file: &str, text: &str) -> io::Result<()> {
    let path = format!("/sys/class/net/{name}/{file}");
    let file = OpenOptions::new().write(true).open(path)?;
    super::call::put(file.as_fd(), text.as_bytes())
}
