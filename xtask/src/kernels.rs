//! Which kernels the VM tests run on, and how they are had.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::apt::{self, Suite};
use crate::paths::{Cache, write_whole};
use crate::{image, progress};

/// The unpacked image's name in a kernel's directory.
const UNCOMPRESSED: &str = "vmlinux";

/// The matrix. The name of the last moves with the suite, so it is found out.
const MATRIX: &[Entry] = &[
    Entry {
        series: Some("6.1"),
        suite: "bookworm",
    },
    Entry {
        series: Some("6.12"),
        suite: "trixie",
    },
    Entry {
        series: None,
        suite: "trixie-backports",
    },
];

/// The kernel that `vm` and `demo` use when none is named.
pub const USUAL: &str = "6.12";

/// Ends the name of a kernel with every device: `6.12-plain`.
const PLAIN: &str = "-plain";

#[derive(Debug)]
struct Entry {
    series: Option<&'static str>,
    suite: &'static str,
}

/// Debian builds each kernel more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// For virtual machines; a fifth of the size.
    Cloud,
    /// For any machine: with wireless, CAN, PPP and what else is missing there.
    Plain,
}

impl Flavour {
    /// The package that every suite has, and that names its current kernel.
    fn metapackage(self) -> &'static str {
        match self {
            Self::Cloud => "linux-image-cloud-amd64",
            Self::Plain => "linux-image-amd64",
        }
    }

    /// What it adds to the name of a cloud kernel.
    fn ending(self) -> &'static str {
        match self {
            Self::Cloud => "",
            Self::Plain => PLAIN,
        }
    }
}

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What it is called in output: `6.12`, or the file's name.
    pub label: String,
    /// The bootable image.
    pub image: PathBuf,
    /// `.../lib/modules/RELEASE`, if there are modules.
    pub modules: Option<PathBuf>,
}

impl Kernel {
    /// Its default LSM list, if that is known and lacks bpf.
    pub fn lsm_list_without_bpf(&self) -> Option<String> {
        let config = self.config()?;
        let list = config
            .lines()
            .find_map(|line| line.strip_prefix("CONFIG_LSM="))?;
        let list = list.trim_matches('"');
        (!list.split(',').any(|name| name == "bpf")).then(|| list.to_owned())
    }

    /// Debian's packages have the configuration beside the modules or the image.
    fn config(&self) -> Option<String> {
        let modules = self.modules.as_deref()?;
        let release = modules.file_name()?.to_str()?;
        let name = format!("config-{release}");
        let beside_image = self.image.with_file_name(&name);
        let in_boot = self.image.with_file_name("boot").join(name);
        let places = [modules.join("config"), beside_image, in_boot];
        places
            .iter()
            .find_map(|place| fs::read_to_string(place).ok())
    }
}

impl Display for Kernel {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.label)
    }
}

/// Every kernel of the matrix.
pub fn matrix(cache: &Cache) -> Result<Vec<Kernel>> {
    let fetch = |entry: &Entry| entry.fetch(cache, Flavour::Cloud);
    MATRIX.iter().map(fetch).collect()
}

/// The usual kernel with every device.
pub fn plain(cache: &Cache) -> Result<Kernel> {
    named(cache, &format!("{USUAL}{PLAIN}"), None)
}

/// The kernel a person named: one of the matrix, or the path of an image.
pub fn named(cache: &Cache, name: &str, modules: Option<&Path>) -> Result<Kernel> {
    if name.contains('/') {
        return from_path(Path::new(name), modules);
    }
    let (series, flavour) = match name.strip_suffix(PLAIN) {
        Some(series) => (series, Flavour::Plain),
        None => (name, Flavour::Cloud),
    };
    if let Some(entry) = MATRIX.iter().find(|entry| entry.is_called(series)) {
        return entry.fetch(cache, flavour);
    }
    let mut known = Vec::new();
    for entry in MATRIX {
        let label = match entry.series {
            Some(series) => series.to_owned(),
            None => {
                let kernel = entry.fetch(cache, Flavour::Cloud)?;
                if kernel.label == series {
                    return entry.fetch(cache, flavour);
                }
                kernel.label
            }
        };
        known.push(label);
    }
    bail!(
        "no kernel {name:?}: take {}, one of them with {PLAIN} behind it, or the path of an image",
        known.join(", ")
    )
}

fn from_path(image: &Path, modules: Option<&Path>) -> Result<Kernel> {
    if !image.is_file() {
        bail!("no kernel image at {}", image.display());
    }
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let modules = modules.map(module_directory).transpose()?;
    Ok(Kernel {
        label: name.into_owned(),
        image: image.to_owned(),
        modules,
    })
}

/// The directory itself, or the only one in the `lib/modules` below it.
fn module_directory(given: &Path) -> Result<PathBuf> {
    if given.join("kernel").is_dir() {
        return Ok(given.to_owned());
    }
    find_modules(given).with_context(|| {
        format!(
            "no modules in {}: give lib/modules/RELEASE, which holds kernel/",
            given.display()
        )
    })
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        self.series == Some(name) || self.suite == name
    }

    /// From the cache while its index is fresh, or else from the mirror.
    fn fetch(&self, cache: &Cache, flavour: Flavour) -> Result<Kernel> {
        let _lock = cache.lock()?;
        let name = format!("{}{}", self.suite, flavour.ending());
        let home = cache.directory(Path::new("kernels").join(&name))?;
        let suite = Suite::open(cache, self.suite)?;
        let current = home.join("current");
        let cached = || unpacked(&home.join(fs::read_to_string(&current).ok()?), flavour);
        if suite.is_newer_than_index(&current)
            && let Some(kernel) = cached()
        {
            return Ok(kernel);
        }
        match (self.download(&suite, &home, flavour), cached()) {
            (Ok(kernel), _) => Ok(kernel),
            (Err(error), Some(kernel)) => {
                progress::note(&format!("warning: {error:#}"));
                progress::note(&format!(
                    "using the cached kernel {}",
                    kernel.image.display()
                ));
                Ok(kernel)
            }
            (Err(error), None) => Err(error.context(format!("get the kernel of Debian {name}"))),
        }
    }

    fn download(&self, suite: &Suite, home: &Path, flavour: Flavour) -> Result<Kernel> {
        suite.update_if_old()?;
        let packages = packages(suite, flavour.metapackage())?;
        let directory = home.join(&packages.release);
        if unpacked(&directory, flavour).is_none() {
            progress::step(format!("downloading Debian's kernel {}", packages.release));
            let draft = tempfile::tempdir_in(home).context("make a directory")?;
            suite.unpack(&packages.names, draft.path())?;
            add_uncompressed(draft.path(), flavour)?;
            let draft = draft.keep();
            fs::rename(&draft, &directory)
                .with_context(|| format!("move into place {}", directory.display()))?;
        }
        write_whole(&home.join("current"), &packages.release)?;
        unpacked(&directory, flavour)
            .with_context(|| format!("{:?} hold no kernel image", packages.names))
    }
}

/// The packages of one kernel, and a name for its directory.
#[derive(Debug)]
struct Packages {
    release: String,
    names: Vec<String>,
}

/// Follows the metapackage to the image package, and that to its parts.
fn packages(suite: &Suite, metapackage: &str) -> Result<Packages> {
    let meta = suite.show(metapackage)?;
    let image = image_package(&meta)
        .with_context(|| format!("{metapackage} depends on no linux-image-VERSION"))?;
    let record = suite.show(image)?;
    let version = apt::field(&record, "Version").context("the kernel package has no version")?;
    let names = std::iter::once(image)
        .chain(parts(&record))
        .map(str::to_owned)
        .collect();
    let release = image.trim_start_matches("linux-image-");
    Ok(Packages {
        release: format!("{release}_{}", version.replace(':', "_")),
        names,
    })
}

fn image_package(record: &str) -> Option<&str> {
    let mut depends = apt::depended_on(apt::field(record, "Depends")?);
    depends.find(|name| {
        let version = name.strip_prefix("linux-image-");
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// From 7.0 on the image and the modules lie in packages of their own.
fn parts(record: &str) -> impl Iterator<Item = &str> {
    let depends = apt::field(record, "Depends")
        .into_iter()
        .flat_map(apt::depended_on);
    depends.filter(|name| {
        let of_a_kernel = ["linux-binary-", "linux-modules-", "linux-base-"];
        let version = of_a_kernel
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The kernel in a directory of unpacked packages.
fn unpacked(directory: &Path, flavour: Flavour) -> Option<Kernel> {
    let modules = find_modules(directory)?;
    let release = modules.file_name()?.to_str()?.to_owned();
    let places = [
        directory.join(UNCOMPRESSED),
        modules.join("vmlinuz"),
        directory.join(format!("boot/vmlinuz-{release}")),
    ];
    let image = places.into_iter().find(|place| place.is_file())?;
    Some(Kernel {
        label: series(&release) + flavour.ending(),
        image,
        modules: Some(modules),
    })
}

/// Puts the uncompressed image beside the packages' own, where that can be.
fn add_uncompressed(directory: &Path, flavour: Flavour) -> Result<()> {
    let Some(kernel) = unpacked(directory, flavour) else {
        return Ok(());
    };
    if !kernel
        .config()
        .is_some_and(|config| config.contains("\nCONFIG_PVH=y\n"))
    {
        return Ok(());
    }
    let packed =
        fs::read(&kernel.image).with_context(|| format!("read {}", kernel.image.display()))?;
    image::uncompressed(&packed).map_or(Ok(()), |elf| {
        write_whole(&directory.join(UNCOMPRESSED), elf)
    })
}

fn find_modules(directory: &Path) -> Option<PathBuf> {
    let places = ["usr/lib/modules", "lib/modules", "."];
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(directory.join(place)).ok());
    let mut paths = entries.flatten().flatten().map(|entry| entry.path());
    paths.find(|path| path.join("kernel").is_dir())
}

/// `6.12` of `6.12.117+deb13-cloud-amd64`.
fn series(release: &str) -> String {
    release.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::{image_package, parts, series};

    #[test]
    fn the_metapackage_names_the_image() {
        let record = "Depends: linux-base-cloud-amd64 (= 7.3.4-1), \
            linux-image-7.3.4+deb13-cloud-amd64 (= 7.3.4-1), linux-modules-cloud-amd64";
        assert_eq!(
            image_package(record),
            Some("linux-image-7.3.4+deb13-cloud-amd64")
        );
    }

    #[test]
    fn a_split_kernel_has_parts_and_linux_base_is_none() {
        let record = "Depends: dracut | initramfs-tools, linux-base-7.3.4+deb13 (= 1), \
            linux-binary-7.3.4+deb13 (= 1), linux-modules-7.3.4+deb13, linux-base (>= 4), kmod";
        let parts: Vec<_> = parts(record).collect();
        assert_eq!(
            parts,
            [
                "linux-base-7.3.4+deb13",
                "linux-binary-7.3.4+deb13",
                "linux-modules-7.3.4+deb13"
            ]
        );
    }

    #[test]
    fn a_series_is_the_first_two_numbers() {
        assert_eq!(series("6.12.117+deb13-cloud-amd64"), "6.12");
        assert_eq!(series("6.1.0-56-cloud-amd64"), "6.1");
        assert_eq!(series("7.3-rc1"), "7.3-rc1");
    }
}
