//! One write to a file of sysfs, so that the programs learn where the kernel handles
//! them (`netadmin-ebpf/src/hooks/sysfs.rs`): /proc/kallsyms tells that only with
//! `CAP_SYSLOG`.

use std::fs::OpenOptions;
use std::io::Write as _;

/// A file that every network namespace has, and that takes numbers alone.
const FILE: &str = "/sys/class/net/lo/mtu";

/// Has `sysfs_kf_write` called, with what is no number, so that nothing is set. Where
/// sysfs is read-only, the first write by somebody else does it.
pub fn provoke() {
    if let Ok(mut file) = OpenOptions::new().write(true).open(FILE) {
        // EINVAL: the programs have seen it.
        let _ = file.write_all(b"none");
    }
}
