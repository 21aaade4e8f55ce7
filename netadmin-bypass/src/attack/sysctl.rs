//! Attempts through the files of `/proc/sys/net`.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd as _;

/// Writes one file, by its path below `/proc/sys/net`.
pub fn write(file: &str, text: &str) -> io::Result<()> {
    let path = format!("/proc/sys/net/{file}");
    let file = OpenOptions::new().write(true).open(path)?;
    super::call::put(file.as_fd(), text.as_bytes())
}
