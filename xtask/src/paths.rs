//! Where things lie: the source tree, and the cache outside it.

use std::env;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::progress;

/// The workspace's root, which holds this crate's folder.
pub fn workspace() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir)
}

/// Compiler flags that keep this machine's paths out of what is built: the same
/// sources give the same program wherever they lie.
pub fn remapped() -> Vec<String> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from);
    let cargo_home = set("CARGO_HOME").or_else(|| Some(set("HOME")?.join(".cargo")));
    let places = [
        (cargo_home, "/cargo"),
        (Some(workspace().to_owned()), "/src"),
    ];
    let flag = |(from, to): (Option<PathBuf>, &str)| {
        Some(format!("--remap-path-prefix={}={to}", from?.display()))
    };
    places.into_iter().filter_map(flag).collect()
}

/// What downloads and generated archives are kept in.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$NETADMIN_CACHE`, or the user's cache directory, and in it `netadmin-agent`.
    pub fn locate() -> Result<Self> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let base = match (
            set("NETADMIN_CACHE").or_else(|| set("XDG_CACHE_HOME")),
            set("HOME"),
        ) {
            (Some(directory), _) => PathBuf::from(directory),
            (None, Some(home)) => Path::new(&home).join(".cache"),
            (None, None) => bail!("no cache directory: set NETADMIN_CACHE or HOME"),
        };
        let base = std::path::absolute(&base)
            .with_context(|| format!("find the cache directory {}", base.display()))?;
        Ok(Self {
            root: base.join("netadmin-agent"),
        })
    }

    /// Removes all of it.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.root.display()))
            }
            _ => Ok(()),
        }
    }

    /// A directory in the cache, made if need be.
    pub fn directory(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(path)
    }

    /// Keeps other runs from filling the same cache until the result is dropped.
    pub fn lock(&self) -> Result<File> {
        let path = self.directory("")?.join("lock");
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        if file.try_lock().is_err() {
            progress::note("waiting for another run that is filling the cache");
            file.lock()
                .with_context(|| format!("lock {}", path.display()))?;
        }
        Ok(file)
    }
}

/// Writes a file so that a reader, or a run after a crash, sees all of it or none.
pub fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    let directory = path.parent().context("a file needs a directory")?;
    let draft = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("create a file in {}", directory.display()))?;
    fs::write(draft.path(), content).with_context(|| format!("write {}", path.display()))?;
    draft
        .persist(path)
        .with_context(|| format!("move into place {}", path.display()))?;
    Ok(())
}
