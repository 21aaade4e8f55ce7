//! Builds the eBPF object, which needs a compiler that has `core` for BPF.
//!
//! Two kinds of machine have one. Debian packages a newer rustc with a
//! prebuilt `core` for `bpfel-unknown-none`. Elsewhere rustup's nightly builds
//! `core` itself, given the component rust-src.

mod strip;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths::write_whole;
use crate::{command, paths};

const TARGET: &str = "bpfel-unknown-none";

/// Debian's, by their paths: rustup's may come first in `PATH`.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler for BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// Debian's rustc-web, cargo-web and libstd-rust-web-dev-bpf.
    Debian,
    /// rustup's nightly, which builds `core` from rust-src.
    Nightly,
}

impl Toolchain {
    /// Finds one that is complete.
    pub fn detect() -> Option<Self> {
        if debian_has_core() {
            return Some(Self::Debian);
        }
        nightly_has_source().then_some(Self::Nightly)
    }

    /// Whether it comes with clippy, as nightly does unless rustup was told otherwise.
    pub fn has_clippy(self) -> bool {
        self == Self::Nightly || Path::new(DEBIAN_CLIPPY).exists()
    }

    /// A cargo for this toolchain, free of what the host's cargo put into our environment.
    fn cargo(self, subcommand: &str) -> Command {
        let mut command = match self {
            // By its path: cargo would find rustup's clippy first.
            Self::Debian if subcommand == "clippy" => Command::new(DEBIAN_CLIPPY),
            Self::Debian => Command::new(DEBIAN_CARGO),
            Self::Nightly => Command::new("rustup"),
        };
        let of_the_host = [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTDOC",
            "RUSTUP_TOOLCHAIN",
            "LD_LIBRARY_PATH",
        ];
        for name in of_the_host {
            command.env_remove(name);
        }
        match self {
            Self::Debian => {
                // aya-ebpf turns on a feature of nightly (asm_experimental_arch).
                command.env("RUSTC_BOOTSTRAP", "1").arg(subcommand);
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("CARGO", DEBIAN_CARGO);
            }
            Self::Nightly => {
                command.args(["run", "nightly", "cargo", subcommand, "-Zbuild-std=core"]);
            }
        }
        command.args(["--release", "--target", TARGET, "--target-dir"]);
        command.arg(crate_directory().join("target"));
        // bpf-linker makes the BTF that maps and globals are found by.
        // Where it expands copies in order, it leaves memset a loop over bytes, of
        // five instructions each.
        let linker = ["--btf", "--disable-expand-memcpy-in-order"];
        let mut flags = vec!["-Cdebuginfo=2".to_owned()];
        flags.extend(linker.map(|flag| format!("-Clink-arg={flag}")));
        flags.push("--cfg=bpf_target_arch=\"x86_64\"".to_owned());
        flags.extend(paths::remapped());
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .current_dir(crate_directory());
        if let Some(linker) = find_linker() {
            command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker);
        }
        command
    }
}

/// Builds the object and tells where it is.
pub fn build() -> Result<PathBuf> {
    build_with(&[], "netadmin.bpf.o")
}

/// Builds the object of an older layout.
pub fn build_older() -> Result<PathBuf> {
    let more = ["--bin", "netadmin-ebpf", "--features", "older-layout"];
    build_with(&more, "netadmin-older.bpf.o")
}

fn build_with(more: &[&str], name: &str) -> Result<PathBuf> {
    command::shown(toolchain()?.cargo("build").args(more))?;
    let directory = crate_directory()
        .join("target")
        .join(TARGET)
        .join("release");
    let linked = directory.join("netadmin-ebpf");
    let content = fs::read(&linked)
        .with_context(|| format!("the eBPF build left no object at {}", linked.display()))?;
    let object = directory.join(name);
    let stripped = strip::without_dwarf(&content)?;
    // Written only if it changed: cargo builds the agent anew for a newer file.
    if fs::read(&object).ok().as_ref() != Some(&stripped) {
        write_whole(&object, stripped)?;
    }
    Ok(object)
}

/// The object with the empty programs that the bench compares with; built
/// together with the other.
pub fn floor() -> PathBuf {
    let directory = crate_directory().join("target").join(TARGET);
    directory.join("release/netadmin-floor")
}

/// The command that lints the eBPF crate.
pub fn clippy() -> Result<Command> {
    let mut command = toolchain()?.cargo("clippy");
    command.args(["--", "-D", "warnings"]);
    Ok(command)
}

/// The crate, which is a workspace of its own.
pub fn crate_directory() -> PathBuf {
    paths::workspace().join("netadmin-ebpf")
}

/// The path of bpf-linker, in `PATH` or where `cargo install` puts it.
pub fn find_linker() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let installed = cargo_home.or(home).map(|directory| directory.join("bin"));
    let directories = env::split_paths(&path).chain(installed);
    directories
        .map(|directory| directory.join("bpf-linker"))
        .find(|file| file.is_file())
}

fn toolchain() -> Result<Toolchain> {
    if find_linker().is_none() {
        bail!("bpf-linker is missing: run `cargo xtask setup`");
    }
    let Some(toolchain) = Toolchain::detect() else {
        bail!(
            "no compiler for BPF: install Debian's rustc-web, cargo-web and \
             libstd-rust-web-dev-bpf (`cargo xtask setup` does it), or run \
             `rustup toolchain install nightly --component rust-src`"
        );
    };
    Ok(toolchain)
}

fn debian_has_core() -> bool {
    if !Path::new(DEBIAN_CARGO).exists() {
        return false;
    }
    let mut query = Command::new(DEBIAN_RUSTC);
    let answer = command::output(query.args(["--print", "target-libdir", "--target", TARGET]));
    answer.is_ok_and(|directory| holds(Path::new(directory.trim()), "libcore-"))
}

fn nightly_has_source() -> bool {
    let mut query = Command::new("rustup");
    query.args(["run", "nightly", "rustc", "--print", "sysroot"]);
    let answer = command::output(query.env_remove("RUSTUP_TOOLCHAIN"));
    let source = "lib/rustlib/src/rust/library/core";
    answer.is_ok_and(|sysroot| Path::new(sysroot.trim()).join(source).is_dir())
}

fn holds(directory: &Path, prefix: &str) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
}
