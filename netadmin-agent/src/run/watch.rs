//! Noticing that the policy file, or a directory of them, is another one: written,
//! replaced, or swapped behind a symbolic link as Kubernetes does it with a ConfigMap.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use crate::output;
use crate::policy::sources::{Snapshot, snapshot};

/// Editors write in several steps: wait until they have done.
pub const SETTLE: Duration = Duration::from_millis(100);

struct Notices(Inotify);

impl AsRawFd for Notices {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Watches one policy file, or a directory of them.
pub struct PolicyWatch {
    path: PathBuf,
    seen: Snapshot,
    notices: Option<AsyncFd<Notices>>,
}

impl PolicyWatch {
    /// Watches the file that was just read. If the kernel cannot tell of changes,
    /// they are looked for now and then.
    pub fn new(path: &Path) -> Self {
        let notices = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map(Notices)
            .map_err(std::io::Error::from)
            .and_then(|notices| {
                // SAFETY: it owns its descriptor, and keeps it open until dropped.
                unsafe { AsyncFd::register(notices) }.map_err(std::io::Error::from)
            });
        if let Err(error) = &notices {
            output::complain(&format!(
                "netadmin-agent: warning: cannot watch the policy file ({error}): \
                 it is looked at every few seconds instead\n"
            ));
        }
        let watch = Self {
            path: path.to_owned(),
            seen: snapshot(path),
            notices: notices.ok(),
        };
        watch.watch_directories();
        watch
    }

    /// Whether the kernel cannot tell of changes.
    pub fn is_blind(&self) -> bool {
        self.notices.is_none()
    }

    /// The file, or the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its text is another one than when this was last asked.
    pub fn has_changed(&mut self) -> bool {
        self.watch_directories();
        let now = snapshot(&self.path);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }

    /// Waits until something changes near the file; without a watch, for ever.
    pub async fn noticed(watch: Option<&Self>) {
        let Some(notices) = watch.and_then(|watch| watch.notices.as_ref()) else {
            return std::future::pending().await;
        };
        if let Ok(mut ready) = notices.readable().await {
            ready.clear_ready();
            // What came is of no interest, only that something came.
            while notices.get_ref().0.read_events().is_ok() {}
        } else {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The directory of the file, and that of what it links to, because the names in
    /// them change; and the directory of files itself. Watching one again changes
    /// nothing.
    fn watch_directories(&self) {
        let Some(notices) = &self.notices else { return };
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE;
        let target = fs::canonicalize(&self.path).unwrap_or_default();
        if self.path.is_dir() {
            // One that is gone is looked at now and then all the same.
            let _ = notices.get_ref().0.add_watch(&self.path, changes);
        }
        for path in [self.path.as_path(), &target] {
            let directory = match path.parent() {
                Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
                Some(parent) => parent,
                None => continue,
            };
            // A directory that is gone is looked at now and then all the same.
            let _ = notices.get_ref().0.add_watch(directory, changes);
        }
    }
}
