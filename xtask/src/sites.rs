//! `cargo xtask sites`: whether docs/capability-sites.txt has every file of a
//! kernel's sources that asks for CAP_NET_ADMIN.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

const TABLE: &str = include_str!("../../docs/capability-sites.txt");

/// What such a file names.
const WORDS: [&str; 2] = ["CAP_NET_ADMIN", "ADMIN_PERM"];

/// Where the kernel asks. (In fs and security stand remarks and the module that
/// answers; arch, sound and usr have none.)
const DIRECTORIES: [&str; 6] = [
    "drivers",
    "include/linux",
    "include/net",
    "io_uring",
    "kernel",
    "net",
];

/// What `cargo xtask sites` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Kernel sources, unpacked: those of Debian's linux-source packages, say
    #[arg(required = true)]
    sources: Vec<PathBuf>,
}

/// Prints what the table lacks. Fails if that is anything.
pub fn run(options: &Options) -> Result<u8> {
    let mut missing = Vec::new();
    for source in &options.sources {
        let mut found = Vec::new();
        for directory in DIRECTORIES {
            walk(&source.join(directory), &mut found)?;
        }
        ensure!(!found.is_empty(), "{} holds no sources", source.display());
        let known = found.len();
        for file in found {
            let path = file.strip_prefix(source).context("a file outside")?;
            if !has(TABLE, &path.to_string_lossy()) {
                missing.push(file);
            }
        }
        println!("{}: {known} files ask", source.display());
    }
    for file in &missing {
        println!("not in the table: {}", file.display());
    }
    Ok(u8::from(!missing.is_empty()))
}

/// Whether a line of the table is about this file.
fn has(table: &str, path: &str) -> bool {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut places = lines.filter_map(|line| line.split(' ').next());
    places.any(|place| !place.is_empty() && path.starts_with(place))
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", directory.display()))?
            .path();
        if path.is_dir() {
            walk(&path, found)?;
        } else if asks(&path)? {
            found.push(path);
        }
    }
    Ok(())
}

fn asks(file: &Path) -> Result<bool> {
    let is_source = file
        .extension()
        .is_some_and(|extension| extension == "c" || extension == "h");
    if !is_source {
        return Ok(false);
    }
    let text = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(WORDS.iter().any(|word| text.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_line_is_about_a_file_or_all_below_a_directory() {
        let table = "# net/none.c\nnet/core/dev_ioctl.c link.*\nnet/tipc/ genl.tipc\n";
        assert!(has(table, "net/core/dev_ioctl.c") && has(table, "net/tipc/netlink.c"));
        assert!(!has(table, "net/none.c") && !has(table, "net/core/sock.c"));
    }
}
