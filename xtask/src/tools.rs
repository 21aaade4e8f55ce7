//! The real tools that the guest has: Debian's, with the libraries they need.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::apt::Suite;
use crate::cpio::Archive;
use crate::paths::Cache;
use crate::{command, progress};

/// One suite for every machine, so that tests see the same tools everywhere.
const SUITE: &str = "trixie";

/// The packages, and what is taken from each.
const TOOLS: &[(&str, &[&str])] = &[
    (
        "iproute2",
        &["ip", "bridge", "tc", "ss", "dcb", "devlink", "rdma", "tipc"],
    ),
    ("tcpdump", &["tcpdump"]),
    ("ethtool", &["ethtool"]),
    ("libcap2-bin", &["capsh"]),
    ("strace", &["strace"]),
    ("dash", &["dash"]),
    ("bash", &["bash"]),
    ("bpftool", &["bpftool"]),
    ("nftables", &["nft"]),
    ("iptables", &["xtables-legacy-multi", "xtables-nft-multi"]),
    ("wireguard-tools", &["wg"]),
    ("conntrack", &["conntrack"]),
    ("ipset", &["ipset"]),
    ("arptables", &["arptables-legacy"]),
    ("ebtables", &["ebtables-legacy"]),
    ("ipvsadm", &["ipvsadm"]),
    ("libteam-utils", &["teamnl"]),
    ("nfacct", &["nfacct"]),
    ("nfct", &["nfct"]),
    ("iw", &["iw"]),
    ("wireless-tools", &["iwconfig"]),
    ("can-utils", &["cangw"]),
];

/// `ifconfig`, `brctl`, `modprobe` and all the rest, but not the shell: this one
/// runs its own `ip` for every script's `ip`, whatever is in `PATH`.
const BUSYBOX: &str = "busybox-static";

/// Where the tools keep their libraries, in the package and in the guest.
const LIBRARIES: &str = "/lib/x86_64-linux-gnu";
const XTABLES: &str = "usr/lib/x86_64-linux-gnu/xtables";
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// tcpdump gives up root for a user of its own.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    tcpdump:x:100:100::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n";
/// `nfct` looks up what it is told by name.
const PROTOCOLS: &str = "tcp\t6\tTCP\n";
const GROUP: &str = "root:x:0:\ntcpdump:x:100:\nnogroup:x:65534:\n";

/// The archive with the tools, from the cache if the suite has not moved on.
pub fn archive(cache: &Cache) -> Result<PathBuf> {
    let _lock = cache.lock()?;
    let suite = Suite::open(cache, SUITE)?;
    let path = cache
        .directory("guest")?
        .join(format!("tools-{}.cpio", choice()));
    suite.cached(&path, "the guest's tools", |draft| build(&suite, draft))
}

/// A name that changes when the choice of tools does, or the way they are packed.
fn choice() -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    include_str!("tools.rs").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn build(suite: &Suite, path: &Path) -> Result<()> {
    progress::step("downloading the guest's tools");
    let wanted: Vec<_> = TOOLS
        .iter()
        .map(|(package, _)| *package)
        .chain([BUSYBOX])
        .collect();
    let mut packages = suite.closure(&wanted)?;
    // The closure holds debconf, passwd and more, which only their installation needs.
    packages.retain(|name| wanted.contains(&name.as_str()) || is_library(name));
    let root = tempfile::tempdir().context("make a directory")?;
    suite.unpack(&packages, root.path())?;
    fs::write(path, pack(root.path())?).with_context(|| format!("write {}", path.display()))
}

/// Whether a package holds libraries, by its name.
pub fn is_library(package: &str) -> bool {
    package.starts_with("lib") || package.starts_with("zlib")
}

fn pack(root: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.directory("/root")?;
    for directory in ["/sbin", "/usr/bin", "/usr/sbin"] {
        archive.link(directory, "/bin")?;
    }
    archive.file("/etc/passwd", PASSWD.as_bytes())?;
    archive.file("/etc/group", GROUP.as_bytes())?;
    archive.file("/etc/protocols", PROTOCOLS.as_bytes())?;
    archive.file("/etc/hosts", b"127.0.0.1 localhost\n")?;
    let mut libraries = BTreeMap::new();
    let mut names = BTreeSet::new();
    for name in TOOLS.iter().flat_map(|(_, programs)| *programs) {
        let program = find_program(root, name)?;
        libraries.append(&mut needed_libraries(root, &program)?);
        archive.program(&format!("/bin/{name}"), &read(&program)?)?;
        names.insert((*name).to_owned());
    }
    for (name, path) in libraries {
        archive.program(&format!("{LIBRARIES}/{name}"), &read(&path)?)?;
    }
    archive.program(LOADER, &read(&loader(root)?)?)?;
    pack_iptables(root, &mut archive)?;
    pack_busybox(root, &names, &mut archive)?;
    archive.finish()
}

/// Both kinds of iptables, and the matches and targets that they load.
fn pack_iptables(root: &Path, archive: &mut Archive) -> Result<()> {
    archive.link("/bin/iptables", "xtables-nft-multi")?;
    archive.link("/bin/iptables-legacy", "xtables-legacy-multi")?;
    let plugins = root.join(XTABLES);
    let entries = fs::read_dir(&plugins).with_context(|| format!("list {}", plugins.display()))?;
    for entry in entries {
        let path = entry.context("list the plugins of iptables")?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_file() && !path.is_symlink() {
            archive.program(&format!("/{XTABLES}/{name}"), &read(&path)?)?;
        }
    }
    Ok(())
}

/// Busybox, under the name of each applet that no real tool has.
fn pack_busybox(root: &Path, taken: &BTreeSet<String>, archive: &mut Archive) -> Result<()> {
    let program = find_program(root, "busybox")?;
    let applets = command::output(Command::new(&program).arg("--list"))?;
    archive.program("/bin/busybox", &read(&program)?)?;
    archive.link("/bin/sh", "dash")?;
    let is_free = |name: &&str| !["busybox", "sh"].contains(name) && !taken.contains(*name);
    for applet in applets.lines().filter(is_free) {
        archive.link(&format!("/bin/{applet}"), "busybox")?;
    }
    Ok(())
}

fn find_program(root: &Path, name: &str) -> Result<PathBuf> {
    let directories = ["usr/bin", "usr/sbin", "bin", "sbin"];
    let places = directories
        .iter()
        .map(|directory| root.join(directory).join(name));
    // A link such as /sbin/ip -> /bin/ip would lead out of the unpacked tree.
    let mut files = places.filter(|place| place.is_file() && !place.is_symlink());
    files
        .next()
        .with_context(|| format!("the packages hold no program {name}"))
}

fn loader(root: &Path) -> Result<PathBuf> {
    let directories = [
        "usr/lib64",
        "lib64",
        "usr/lib/x86_64-linux-gnu",
        "lib/x86_64-linux-gnu",
    ];
    let places = directories
        .iter()
        .map(|place| root.join(place).join("ld-linux-x86-64.so.2"));
    places
        .filter_map(|place| place.canonicalize().ok())
        .find(|place| place.starts_with(root))
        .context("libc6 holds no program loader")
}

/// Asks the unpacked loader itself, as `ldd` would: library names and their files.
fn needed_libraries(root: &Path, program: &Path) -> Result<BTreeMap<String, PathBuf>> {
    // ebtables has a directory of its own for its library.
    let places = [
        "usr/lib/x86_64-linux-gnu",
        "lib/x86_64-linux-gnu",
        "usr/lib/ebtables",
    ];
    let search = places
        .map(|place| root.join(place).display().to_string())
        .join(":");
    let mut list = Command::new(loader(root)?);
    list.args(["--library-path", &search, "--list"])
        .arg(program);
    let text = command::output(&mut list)?;
    Ok(text.lines().filter_map(library).collect())
}

/// A line such as `libmnl.so.0 => /path/libmnl.so.0 (0x00007f...)`.
fn library(line: &str) -> Option<(String, PathBuf)> {
    let (name, rest) = line.trim().split_once(" => ")?;
    let (path, _) = rest.rsplit_once(" (")?;
    // The loader is listed by its path; it has a place of its own.
    if name.contains('/') {
        return None;
    }
    Some((name.to_owned(), PathBuf::from(path)))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{is_library, library};

    #[test]
    fn the_loaders_list_gives_names_and_files() {
        let line = "\tlibmnl.so.0 => /tmp/x/libmnl.so.0 (0x00007f1b2c000000)";
        let expected = (
            "libmnl.so.0".to_owned(),
            PathBuf::from("/tmp/x/libmnl.so.0"),
        );
        assert_eq!(library(line), Some(expected));
        assert_eq!(
            library("\t/lib64/ld-linux-x86-64.so.2 => /tmp/x/ld.so (0x0)"),
            None
        );
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007ffd)"), None);
    }

    #[test]
    fn libraries_are_told_from_programs_by_name() {
        assert!(is_library("libc6") && is_library("zlib1g"));
        assert!(!is_library("debconf"));
    }
}
