//! Puts the guest's file system together: several archives, one after another.
//!
//! The tools and a kernel's modules change rarely and are cached; our own
//! programs and the command are added anew each time.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cpio::Archive;
use crate::kernels::Kernel;
use crate::paths::{Cache, write_whole};
use crate::vm::Guest;
use crate::{modules, progress, tools};

/// The name of the guest's PID 1 among the programs.
const INIT: &str = "netadmin-init";

/// What init copies onto a node's disk.
const NODE: &str = "/node";

/// The disk, as the node's kernel names it.
const DISK: &str = "/dev/nvme0n1";

/// What the guest shall do.
#[derive(Clone, Debug)]
pub struct Job {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// A person sits at the terminal.
    pub interactive: bool,
}

/// Writes the file system of one boot to `path`.
pub fn write(guest: &Guest<'_>, path: &Path) -> Result<()> {
    // A node has its tools on its disk.
    let tools = guest.node.is_none().then(|| tools::archive(guest.cache));
    let mut parts: Vec<_> = tools.transpose()?.into_iter().collect();
    parts.extend(module_archive(guest.cache, guest.kernel)?);
    let mut file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    for part in parts {
        let mut archive = File::open(&part).with_context(|| format!("open {}", part.display()))?;
        io::copy(&mut archive, &mut file).with_context(|| format!("copy {}", part.display()))?;
    }
    file.write_all(&payload(guest)?)
        .with_context(|| format!("write {}", path.display()))
}

/// The modules of a kernel, packed when it is used for the first time.
fn module_archive(cache: &Cache, kernel: &Kernel) -> Result<Option<PathBuf>> {
    let Some(directory) = &kernel.modules else {
        return Ok(None);
    };
    let _lock = cache.lock()?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("modules-{name}-{}.cpio", modules::choice());
    let path = cache.directory("guest")?.join(name);
    if !is_newer(&path, directory) {
        progress::step(format!("packing the modules of kernel {kernel}"));
        write_whole(&path, modules::pack(directory)?)?;
    }
    Ok(Some(path))
}

/// A kernel built by hand changes without changing its name.
fn is_newer(archive: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    time(archive).is_some() && time(archive) >= time(source)
}

fn payload(guest: &Guest<'_>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let own = if guest.node.is_some() { NODE } else { "" };
    for program in guest.programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let content = fs::read(program).with_context(|| format!("read {}", program.display()))?;
        if name == INIT {
            archive.program("/init", &content)?;
        }
        // On a disk /bin is a link.
        let bin = if own.is_empty() { "/bin" } else { "/usr/bin" };
        archive.program(&format!("{own}{bin}/{name}"), &content)?;
    }
    if !guest.programs.iter().any(|program| program.ends_with(INIT)) {
        bail!("{INIT} is not built: run `cargo xtask build`");
    }
    if let Some(node) = guest.node {
        archive.file("/etc/netadmin/disk", DISK.as_bytes())?;
        for (path, content) in &node.files {
            archive.file(&format!("{NODE}{path}"), content)?;
        }
    }
    add_job(&mut archive, own, &guest.job)?;
    archive.finish()
}

fn add_job(archive: &mut Archive, root: &str, job: &Job) -> Result<()> {
    let directory = format!("{root}/etc/netadmin");
    archive.file(
        &format!("{directory}/command"),
        &terminated(job.command.iter().cloned()),
    )?;
    let settings = job
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    archive.file(&format!("{directory}/environment"), &terminated(settings))?;
    if job.interactive {
        archive.file(&format!("{directory}/interactive"), b"")?;
    }
    Ok(())
}

fn terminated(words: impl Iterator<Item = String>) -> Vec<u8> {
    words.flat_map(|word| (word + "\0").into_bytes()).collect()
}
