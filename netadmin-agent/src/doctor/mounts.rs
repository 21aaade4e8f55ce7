//! What is mounted where (proc_pid_mountinfo(5)).

use super::root::Root;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The part of the file system that is mounted.
    pub root: String,
    /// Where it is mounted.
    pub point: String,
    /// Its type.
    pub kind: String,
}

/// What is mounted in this process's mount namespace; nothing if that cannot
/// be read.
pub fn mounts(root: &Root) -> Vec<Mount> {
    let text = root.read("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (place, source) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    Some(Mount {
        root: place.next()?.to_owned(),
        point: place.next()?.to_owned(),
        kind: source.split(' ').next()?.to_owned(),
    })
}
