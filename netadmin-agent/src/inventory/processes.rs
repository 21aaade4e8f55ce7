//! Processes and the network namespaces that they are in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::namespace::Namespace;
use crate::cgroups::Tree;

/// Some processes, by number, as the caller's `/proc` has them.
#[derive(Clone, Debug, Default)]
pub struct Processes(Vec<u32>);

impl Processes {
    /// Those in these cgroups.
    pub fn of_cgroups<'a>(tree: &Tree, paths: impl Iterator<Item = &'a str>) -> Self {
        let mut pids: Vec<u32> = paths
            .flat_map(|path| pids_in(&tree.folder(Path::new(path))))
            .collect();
        pids.sort_unstable();
        // Those that this pid namespace does not see are all 0.
        pids.dedup_by(|one, other| one == other && *one != 0);
        Self(pids)
    }

    /// All that can be seen.
    pub fn all() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Self(entries.filter_map(pid).collect())
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Their network namespaces; and of how many processes it cannot be had, and why.
    pub fn namespaces(&self) -> (Vec<Namespace>, Option<(usize, io::Error)>) {
        let mut found: BTreeMap<u64, Namespace> = BTreeMap::new();
        let mut hidden: Option<(usize, io::Error)> = None;
        for &pid in &self.0 {
            match namespace_of(pid) {
                Ok(Some((number, file))) => found
                    .entry(number)
                    .or_insert_with(|| Namespace::new(number, file))
                    .pids
                    .push(pid),
                Ok(None) => {}
                Err(error) => {
                    let count = hidden.as_ref().map_or(0, |(count, _)| *count);
                    hidden = Some((count + 1, error));
                }
            }
        }
        (found.into_values().collect(), hidden)
    }
}

/// A threaded cgroup has no list of processes, but one of threads.
fn pids_in(cgroup: &Path) -> Vec<u32> {
    let read = |name| fs::read_to_string(cgroup.join(name));
    let text = read("cgroup.procs").or_else(|_| read("cgroup.threads"));
    let text = text.unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// `None` for a process that has ended, and for one of the kernel's, which has none of
/// its own.
fn namespace_of(pid: u32) -> io::Result<Option<(u64, File)>> {
    if pid == 0 {
        return Err(io::Error::other("they are in another pid namespace"));
    }
    match File::open(format!("/proc/{pid}/ns/net")) {
        Ok(file) => Ok(Some((file.metadata()?.ino(), file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}
