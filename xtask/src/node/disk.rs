//! The node's disk: Debian's systemd and containerd, unpacked, as ext4.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt::Suite;
use crate::need::MKE2FS;
use crate::paths::Cache;
use crate::tools::is_library;
use crate::{command, progress};

/// The suite of the other guests' tools.
const SUITE: &str = "trixie";

const PACKAGES: &[&str] = &[
    "base-files",
    "busybox-static",
    "containerd",
    "mount",
    "runc",
    "systemd",
    "systemd-sysv",
];

/// For people; a third of what the packages hold.
const LEFT_OUT: &[&str] = &["bash-completion", "doc", "info", "locale", "man", "zsh"];

/// Units that take an emulated boot seconds and serve nobody here.
const MASKED: &[&str] = &[
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "ldconfig.service",
    "modprobe@.service",
    "proc-sys-fs-binfmt_misc.automount",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "systemd-binfmt.service",
    "systemd-firstboot.service",
    "systemd-hibernate-clear.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind.service",
    "systemd-modules-load.service",
    "systemd-random-seed.service",
    "systemd-sysusers.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-done.service",
];

/// What there is to boot into, and the shell for a person who looks around.
const LINKS: &[(&str, &str)] = &[
    (
        "etc/systemd/system/default.target",
        "/usr/lib/systemd/system/multi-user.target",
    ),
    (
        "etc/systemd/system/multi-user.target.wants/netadmin-job.service",
        "../netadmin-job.service",
    ),
    ("usr/bin/kill", "busybox"),
    ("usr/bin/mkdir", "busybox"),
    ("usr/bin/sh", "busybox"),
];

const TEXTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    ),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hostname", "node\n"),
    // Without it systemd takes each boot for the first one.
    ("etc/machine-id", "6e657461646d696e2d6167656e742d31\n"),
];

/// Room for the packages, the image and its containers.
const SIZE: &str = "512M";

/// The disk, from the cache if the suite has not moved on.
pub fn image(cache: &Cache) -> Result<PathBuf> {
    let _lock = cache.lock()?;
    let suite = Suite::open(cache, SUITE)?;
    let path = cache
        .directory("guest")?
        .join(format!("node-{}.ext4", choice()));
    suite.cached(&path, "the node's disk", |draft| build(&suite, draft))
}

/// A name that changes when the choice of packages does, or the way they are packed.
fn choice() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    include_str!("disk.rs").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn build(suite: &Suite, path: &Path) -> Result<()> {
    progress::step("downloading the node's packages");
    let mut packages = suite.closure(PACKAGES)?;
    packages.retain(|name| PACKAGES.contains(&name.as_str()) || is_library(name));
    let root = tempfile::tempdir().context("make a directory")?;
    suite.unpack(&packages, root.path())?;
    arrange(root.path())?;
    format(root.path(), path)
}

/// Does what the packages' installation would have done, as far as it matters.
fn arrange(root: &Path) -> Result<()> {
    for name in LEFT_OUT {
        // Not every release of every package has it.
        let _ = fs::remove_dir_all(root.join("usr/share").join(name));
    }
    for (path, text) in TEXTS {
        let path = root.join(path);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let masks = MASKED
        .iter()
        .map(|unit| (format!("etc/systemd/system/{unit}"), "/dev/null"));
    let links = LINKS
        .iter()
        .map(|&(link, target)| (link.to_owned(), target));
    for (link, target) in masks.chain(links) {
        let link = root.join(link);
        let directory = link.parent().context("a link needs a directory")?;
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        symlink(target, &link).with_context(|| format!("create {}", link.display()))?;
    }
    Ok(())
}

/// mke2fs takes the files' owners as they are: root's, if need be by a user
/// namespace in which we are root.
fn format(root: &Path, path: &Path) -> Result<()> {
    progress::step("making the node's disk");
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new(MKE2FS)
    } else {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", MKE2FS]);
        command
    };
    command.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"]);
    command::quiet(command.arg(root).arg(path).arg(SIZE))
}
