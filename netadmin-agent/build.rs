//! Embeds the eBPF object that `cargo xtask build` made, so that the agent is
//! one file.

use std::{env, fs, path::PathBuf};

/// Where `cargo xtask build` says that the object is.
const OBJECT: &str = "NETADMIN_EBPF_OBJECT";
/// Where it lies by default, from this crate's folder.
const DEFAULT: &str = "../netadmin-ebpf/target/bpfel-unknown-none/release/netadmin.bpf.o";

fn main() {
    println!("cargo::rerun-if-env-changed={OBJECT}");
    let default =
        || PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join(DEFAULT);
    let object = env::var_os(OBJECT).map_or_else(default, PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("netadmin.bpf.o");
    let embedded = match fs::read(&object) {
        Ok(bytes) => bytes,
        // Host tests and lints need no programs; an agent without them says so.
        Err(error) => {
            println!(
                "cargo::warning={}: {error}: this agent has no eBPF programs; \
                 build it with `cargo xtask build`",
                object.display()
            );
            Vec::new()
        }
    };
    if let Err(error) = fs::write(&target, embedded) {
        println!("cargo::error=cannot write {}: {error}", target.display());
    }
}
