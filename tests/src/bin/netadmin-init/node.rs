//! A node: init puts our files on its disk and gives the machine to systemd,
//! which starts this program again, as the service that runs the command.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot, execv};

use super::KERNEL_MOUNTS;

/// Holds what goes onto the disk.
const PAYLOAD: &str = "/node";

/// Where the disk is mounted before it becomes the root.
const ROOT: &str = "/root-to-be";

/// The disk of a node; `None` on any other machine.
pub fn disk() -> Result<Option<String>> {
    match fs::read_to_string("/etc/netadmin/disk") {
        Ok(name) => Ok(Some(name)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("read /etc/netadmin/disk"),
    }
}

/// Makes the disk the root and becomes systemd; returns only if that fails.
pub fn switch_to(disk: &str) -> Result<Errno> {
    fs::create_dir_all(ROOT).context("make a mount point")?;
    mount(
        Some(disk),
        ROOT,
        Some("ext4"),
        MsFlags::MS_NOATIME,
        None::<&str>,
    )
    .with_context(|| format!("mount {disk}"))?;
    copy(Path::new(PAYLOAD), Path::new(ROOT))?;
    for (_, target, _) in KERNEL_MOUNTS {
        move_mount(target, &format!("{ROOT}{target}"))?;
    }
    // As switch_root(8) does: no pivot_root leads out of an initramfs.
    chdir(ROOT).context("enter the disk")?;
    move_mount(".", "/")?;
    chroot(".").context("make the disk the root")?;
    chdir("/").context("enter the root")?;
    let systemd = CString::new("/usr/lib/systemd/systemd").context("a path")?;
    let Err(errno): Result<Infallible, _> = execv(&systemd, &[&systemd]);
    Ok(errno)
}

/// The command's exit status. A machine that is told to reboot ends this
/// process, and starts it again after the reboot.
pub fn job() -> Result<i32> {
    super::prepare_results_port()?;
    super::run_command()
}

fn move_mount(from: &str, to: &str) -> Result<()> {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_MOVE, none)
        .with_context(|| format!("move the mount {from} to {to}"))
}

/// Copies a tree over another one.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let problem = || format!("copy {} to {}", from.display(), to.display());
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).with_context(problem);
    }
    fs::create_dir_all(to).with_context(problem)?;
    for entry in fs::read_dir(from).with_context(problem)? {
        let name = entry.with_context(problem)?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
