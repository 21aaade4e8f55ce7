//! Puts the guest's file system together: several archives, one after another.
//!
//! The tools and a kernel's modules change rarely and are cached; our own
//! programs and the command are added anew each time.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::build::Programs;
use crate::cpio::Archive;
use crate::kernels::Kernel;
use crate::paths::{Cache, write_whole};
use crate::{modules, progress, tools};

/// The name of the guest's PID 1 among the programs.
const INIT: &str = "netadmin-init";

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
pub fn write(
    cache: &Cache,
    kernel: &Kernel,
    programs: &Programs,
    job: &Job,
    path: &Path,
) -> Result<()> {
    let mut parts = vec![tools::archive(cache)?];
    parts.extend(module_archive(cache, kernel)?);
    let mut file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    for part in parts {
        let mut archive = File::open(&part).with_context(|| format!("open {}", part.display()))?;
        io::copy(&mut archive, &mut file).with_context(|| format!("copy {}", part.display()))?;
    }
    file.write_all(&payload(programs, job)?)
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

fn payload(programs: &Programs, job: &Job) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let content = fs::read(program).with_context(|| format!("read {}", program.display()))?;
        let place = if name == INIT {
            "/init".to_owned()
        } else {
            format!("/bin/{name}")
        };
        archive.program(&place, &content)?;
    }
    if !programs.iter().any(|program| program.ends_with(INIT)) {
        bail!("{INIT} is not built: run `cargo xtask build`");
    }
    archive.file(
        "/etc/netadmin/command",
        &terminated(job.command.iter().cloned()),
    )?;
    let settings = job
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    archive.file("/etc/netadmin/environment", &terminated(settings))?;
    if job.interactive {
        archive.file("/etc/netadmin/interactive", b"")?;
    }
    archive.finish()
}

fn terminated(words: impl Iterator<Item = String>) -> Vec<u8> {
    words.flat_map(|word| (word + "\0").into_bytes()).collect()
}
