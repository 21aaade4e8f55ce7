//! The cgroup v2 file system: paths and ids.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

/// `FILEID_KERNFS` (include/linux/exportfs.h): a handle that is the node's id.
const FILEID_KERNFS: i32 = 0xfe;

/// Why the cgroups cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is no cgroup v2 here.
    #[error("no cgroup2 file system is mounted: mount one at /sys/fs/cgroup")]
    NotMounted,
    /// Its root cannot be opened.
    #[error("cannot open the cgroup2 file system at {path}: {error}")]
    Open {
        /// Where it is mounted.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The mounted cgroup v2 hierarchy.
pub struct Tree {
    mount: PathBuf,
    root: File,
}

/// `struct file_handle` with an id in it.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: u64,
}

impl Tree {
    /// The hierarchy mounted at `mount`.
    pub fn open(mount: PathBuf) -> Result<Self, TreeError> {
        match File::open(&mount) {
            Ok(root) => Ok(Self { mount, root }),
            Err(error) => Err(TreeError::Open { path: mount, error }),
        }
    }

    /// The folder of the cgroup at `path`.
    pub fn folder(&self, path: &Path) -> PathBuf {
        self.mount.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The id of the cgroup at `path`: on 64-bit kernels the number of its
    /// folder (`cgroup_ino`).
    pub fn id(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(self.folder(path)).map(|metadata| metadata.ino())
    }

    /// The path of the cgroup with this id; an error if it is gone, or if it is
    /// too long (`PATH_MAX`).
    pub fn path(&self, id: u64) -> io::Result<PathBuf> {
        let target = fs::read_link(link_to(&self.open_id(id)?))?;
        let below = target
            .strip_prefix(&self.mount)
            .map_err(|_| io::ErrorKind::NotFound)?;
        Ok(Path::new("/").join(below))
    }

    /// The id of the cgroup above the one with this id.
    pub fn above(&self, id: u64) -> io::Result<u64> {
        let folder = self.open_id(id)?;
        fs::metadata(format!("{}/..", link_to(&folder))).map(|above| above.ino())
    }

    /// The ids of the cgroups right below the one with this id.
    pub fn below(&self, id: u64) -> io::Result<Vec<u64>> {
        let mut below = Vec::new();
        for entry in fs::read_dir(link_to(&self.open_id(id)?))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                below.push(entry.ino());
            }
        }
        Ok(below)
    }

    /// The folder of the cgroup with this id, wherever it is.
    fn open_id(&self, id: u64) -> io::Result<OwnedFd> {
        let handle = Handle {
            bytes: 8,
            kind: FILEID_KERNFS,
            id,
        };
        // SAFETY: `handle` is a file_handle whose length says 8 bytes, which
        // are there; the descriptor is open.
        let fd = unsafe {
            libc::open_by_handle_at(
                self.root.as_raw_fd(),
                (&raw const handle).cast_mut().cast(),
                libc::O_PATH | libc::O_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just opened it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The paths of the cgroups right below the one at `path`.
    pub fn children(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut children = Vec::new();
        for entry in fs::read_dir(self.folder(path))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                children.push(path.join(entry.file_name()));
            }
        }
        children.sort_unstable();
        Ok(children)
    }
}

/// Where an open folder can be read.
fn link_to(folder: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", folder.as_raw_fd())
}

/// Whether `path` is the root of a cgroup2 file system (by its magic number).
pub fn is_cgroup2(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: any bytes are a statfs.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a terminated path, and room for the answer.
    let status = unsafe { libc::statfs(path.as_ptr(), &raw mut found) };
    status == 0 && found.f_type == libc::CGROUP2_SUPER_MAGIC
}

/// Where cgroup2 is mounted: alone, or beside v1 hierarchies (hybrid).
pub fn mount_point() -> Result<PathBuf, TreeError> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| is_cgroup2(path))
        .ok_or(TreeError::NotMounted)
}

/// The caller's own cgroup of version 2, as a path in the mounted tree.
pub fn own_cgroup() -> io::Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    // A cgroup outside the mounted tree (of another cgroup namespace) begins so.
    let own = text.lines().find_map(|line| line.strip_prefix("0::"));
    match own.filter(|path| !path.starts_with("/..")) {
        Some(path) => Ok(path.into()),
        None => Err(io::Error::other(
            "this process is in no cgroup of the mounted cgroup2 tree",
        )),
    }
}
