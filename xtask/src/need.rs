//! What a machine needs for the other tasks, and how to see whether it is there.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::NARROW_TARGET;
use crate::command;
use crate::ebpf::{self, Toolchain};

/// Something that must be there, and where it comes from.
#[derive(Debug)]
pub struct Need {
    /// What it is, for people.
    pub what: &'static str,
    /// Whether it is there.
    pub present: fn() -> bool,
    /// How it gets there.
    pub source: Source,
}

/// Where a missing thing comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Debian packages.
    Packages(&'static [&'static str]),
    /// bpf-linker, built from its sources.
    BpfLinker,
    /// A standard library from rustup. Only some tests need it.
    RustTarget,
}

/// In the order in which they can be installed: the linker needs LLVM.
pub const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler and a static C library",
        present: || program("cc") && library("libc.a"),
        source: Source::Packages(&["gcc", "libc6-dev"]),
    },
    Need {
        what: "qemu for x86-64",
        present: || program("qemu-system-x86_64"),
        source: Source::Packages(&["qemu-system-x86"]),
    },
    Need {
        what: "mke2fs, to make a node's disk",
        present: || Path::new(MKE2FS).exists(),
        source: Source::Packages(&["e2fsprogs"]),
    },
    Need {
        what: "decompressors for kernels and their modules",
        present: || ["xz", "zstd", "lz4", "gzip"].into_iter().all(program),
        source: Source::Packages(&["xz-utils", "zstd", "lz4", "gzip"]),
    },
    Need {
        what: "a Rust compiler with `core` for BPF",
        present: || Toolchain::detect().is_some(),
        source: Source::Packages(&["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"]),
    },
    Need {
        what: "clippy for that compiler",
        present: || Toolchain::detect().is_some_and(Toolchain::has_clippy),
        source: Source::Packages(&["rust-web-clippy"]),
    },
    Need {
        what: "LLVM 22, to build bpf-linker with",
        // Of no use any more once bpf-linker is built.
        present: || ebpf::find_linker().is_some() || llvm_is_complete(),
        source: Source::Packages(&[
            "g++",
            "llvm-22-dev",
            "libpolly-22-dev",
            "zlib1g-dev",
            "libzstd-dev",
            "libxml2-dev",
        ]),
    },
    Need {
        what: "bpf-linker",
        present: || ebpf::find_linker().is_some(),
        source: Source::BpfLinker,
    },
    Need {
        what: "Rust's standard library for 32-bit programs",
        present: has_narrow_target,
        source: Source::RustTarget,
    },
];

/// Debian's; its directory is not in everybody's `PATH`.
pub const MKE2FS: &str = "/usr/sbin/mke2fs";

/// What installs the standard library for 32-bit programs.
pub const NARROW_COMMAND: &str = "rustup target add i686-unknown-linux-musl";

/// Where Debian's LLVM 22 lies.
pub const LLVM: &str = "/usr/lib/llvm-22";

/// Whether a program of this name is in `PATH`.
pub fn program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Whether the compiler that builds for this machine can build 32-bit programs.
pub fn has_narrow_target() -> bool {
    let mut query = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    query.args(["--print", "target-libdir", "--target", NARROW_TARGET]);
    let answer = command::output(&mut query);
    answer.is_ok_and(|directory| Path::new(directory.trim()).join("self-contained").is_dir())
}

fn llvm_is_complete() -> bool {
    let llvm = Path::new(LLVM);
    let parts = ["bin/llvm-config", "lib/libPolly.a"];
    let own = parts.iter().all(|part| llvm.join(part).exists());
    own && ["libz.so", "libzstd.so", "libxml2.so"]
        .into_iter()
        .all(library)
}

fn library(file: &str) -> bool {
    let directory = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    PathBuf::from(directory).join(file).exists()
}
