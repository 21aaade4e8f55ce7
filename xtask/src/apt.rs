//! Debian packages of suites that this machine's apt does not list.
//!
//! Each suite gets an apt of its own in the cache (sources, lists, state), so
//! that nothing here needs root or changes what the machine installs. Only
//! the mirror and the keyring are taken from the machine.

mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::paths::{Cache, write_whole};
use crate::{command, progress};

pub use sources::Mirror;

/// An index older than this is fetched again.
const INDEX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// After a mirror failed to answer it is not asked again for so long.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// How long apt waits for a mirror that does not answer.
const TIMEOUT: &str = "Acquire::http::Timeout \"20\";\nAcquire::Retries \"1\";\n";

/// Debian's own keyring, for machines whose sources name none.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite's private apt.
#[derive(Debug)]
pub struct Suite {
    name: &'static str,
    directory: PathBuf,
}

impl Suite {
    /// Prepares the apt of a suite; nothing is fetched yet.
    pub fn open(cache: &Cache, name: &'static str) -> Result<Self> {
        let directory = cache.directory(Path::new("apt").join(name))?;
        for part in ["lists/partial", "cache/archives/partial"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        Ok(Self { name, directory })
    }

    /// The file that is as old as the index.
    fn stamp(&self) -> PathBuf {
        self.directory.join("updated")
    }

    /// Whether a file was made from the index as it is, and that is fresh.
    pub fn is_newer_than_index(&self, made: &Path) -> bool {
        let is_fresh = is_younger(&self.stamp(), INDEX_LIFETIME);
        is_fresh && modified(made) >= modified(&self.stamp())
    }

    /// Fetches the index unless it is fresh.
    pub fn update_if_old(&self) -> Result<()> {
        if is_younger(&self.stamp(), INDEX_LIFETIME) {
            return Ok(());
        }
        let unreachable = self.directory.join("unreachable");
        if is_younger(&unreachable, PAUSE) {
            bail!("the mirror did not answer a few minutes ago; offline?");
        }
        progress::step(format!("fetching the index of Debian {}", self.name));
        self.configure()?;
        let mut update = self.apt("apt-get");
        update.args(["update", "-q", "--error-on=any"]);
        if let Err(error) = command::quiet(&mut update) {
            write_whole(&unreachable, "")?;
            return Err(error.context(format!("fetch the package index of {}", self.name)));
        }
        write_whole(&self.stamp(), "")
    }

    /// A file made from packages: as it is while the suite has not moved on, else
    /// made anew by `build`, which is given a draft's path; as it is, too, if
    /// that fails.
    pub fn cached(
        &self,
        path: &Path,
        what: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if self.is_newer_than_index(path) {
            return Ok(path.to_owned());
        }
        let made = self.update_if_old().and_then(|()| {
            let draft = path.with_extension("draft");
            build(&draft)?;
            fs::rename(&draft, path).with_context(|| format!("move into place {}", path.display()))
        });
        match made {
            Err(error) if path.exists() => {
                progress::note(&format!("warning: {error:#}; using {what} from the cache"));
            }
            other => other.with_context(|| format!("get {what}"))?,
        }
        Ok(path.to_owned())
    }

    /// A package's fields, as of the version that this suite would install.
    pub fn show(&self, package: &str) -> Result<String> {
        command::output(
            self.apt("apt-cache")
                .args(["show", "--no-all-versions", package]),
        )
        .with_context(|| format!("look for {package} in Debian {}", self.name))
    }

    /// The packages that these need, and those that they need, and themselves.
    pub fn closure(&self, packages: &[&str]) -> Result<Vec<String>> {
        let mut query = self.apt("apt-cache");
        query
            .args(["depends", "--recurse", "--important"])
            .args(packages);
        let text = command::output(&mut query)
            .with_context(|| format!("look for {packages:?} in Debian {}", self.name))?;
        Ok(top_level(&text))
    }

    /// Downloads packages and unpacks them into one directory.
    pub fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let archives = tempfile::tempdir_in(&self.directory).context("make a directory")?;
        let mut download = self.apt("apt-get");
        download
            .args(["download", "-q"])
            .args(packages)
            .current_dir(archives.path());
        command::quiet(&mut download)
            .with_context(|| format!("download from Debian {}: {packages:?}", self.name))?;
        for entry in fs::read_dir(archives.path()).context("list the downloads")? {
            let archive = entry.context("list the downloads")?.path();
            command::quiet(Command::new("dpkg").arg("-x").arg(&archive).arg(into))?;
        }
        Ok(())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // As a later file this wins over the machine's, whose proxies and
        // certificates stay in force.
        command
            .arg("-c")
            .arg(self.directory.join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    fn configure(&self) -> Result<()> {
        let mirror = Mirror::of_this_machine()?;
        let sources = source_lines(self.name, &mirror).join("\n") + "\n";
        write_whole(&self.directory.join("sources.list"), sources)?;
        write_whole(&self.directory.join("status"), "")?;
        let Some(directory) = self.directory.to_str() else {
            bail!("apt needs a UTF-8 path: {}", self.directory.display());
        };
        write_whole(&self.directory.join("apt.conf"), configuration(directory))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn is_younger(path: &Path, age: Duration) -> bool {
    let elapsed = modified(path).and_then(|time| time.elapsed().ok());
    elapsed.is_some_and(|elapsed| elapsed < age)
}

/// The machine's own settings, turned to the private directories.
fn configuration(directory: &str) -> String {
    format!(
        r#"Dir::Etc::SourceList "{directory}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
APT::Sandbox::User "root";
APT::Architecture "amd64";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
{TIMEOUT}"#
    )
}

/// The suite, with what its users would have enabled beside it.
fn source_lines(suite: &str, mirror: &Mirror) -> Vec<String> {
    let keyring = mirror.signed_by.as_deref().unwrap_or(KEYRING);
    let line = |uri: &str, suite: &str| format!("deb [signed-by={keyring}] {uri} {suite} main");
    let mut lines = vec![line(&mirror.main, suite)];
    if !suite.ends_with("-backports") {
        lines.push(line(&mirror.main, &format!("{suite}-updates")));
        let security = mirror.security.as_deref();
        lines.extend(security.map(|uri| line(uri, &format!("{suite}-security"))));
    }
    lines
}

/// The value of a field in a package's record, continuation lines aside.
pub fn field<'a>(record: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim());
    record.lines().find_map(value)
}

/// The package names in a `Depends` field, the first of each alternative.
pub fn depended_on(field: &str) -> impl Iterator<Item = &str> {
    field
        .split(',')
        .filter_map(|clause| clause.split_whitespace().next())
}

/// The lines of `apt-cache depends --recurse` that are packages, virtual ones aside.
fn top_level(text: &str) -> Vec<String> {
    let is_package = |line: &&str| !line.starts_with([' ', '<']) && !line.is_empty();
    text.lines().filter(is_package).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Mirror, depended_on, field, source_lines, top_level};

    const RECORD: &str = "Package: linux-image-cloud-amd64\nVersion: 6.12.117-1\n\
        Depends: linux-image-6.12.117+deb13-cloud-amd64 (= 6.12.117-1), kmod | busybox\n";

    #[test]
    fn a_record_gives_its_fields() {
        assert_eq!(field(RECORD, "Version"), Some("6.12.117-1"));
        assert_eq!(field(RECORD, "Vers"), None);
        let names: Vec<_> = field(RECORD, "Depends")
            .into_iter()
            .flat_map(depended_on)
            .collect();
        assert_eq!(names, ["linux-image-6.12.117+deb13-cloud-amd64", "kmod"]);
    }

    #[test]
    fn a_dependency_listing_gives_its_packages() {
        let text = "iproute2\n  Depends: libc6\n |Depends: debconf\nlibc6\n<debconf-2.0>\n";
        assert_eq!(top_level(text), ["iproute2", "libc6"]);
    }

    #[test]
    fn a_suite_comes_with_updates_and_security_and_backports_alone() {
        let mirror = Mirror {
            main: "http://mirror.example/debian".to_owned(),
            security: Some("http://mirror.example/security".to_owned()),
            signed_by: None,
        };
        let suites = |suite| {
            let lines = source_lines(suite, &mirror);
            lines
                .iter()
                .filter_map(|line| line.split(' ').nth(3))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(suites("trixie"), "trixie trixie-updates trixie-security");
        assert_eq!(suites("trixie-backports"), "trixie-backports");
    }
}
