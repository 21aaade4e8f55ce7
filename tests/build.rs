//! Embeds the naive guard that `cargo xtask build` made beside the real one.

use std::{env, fs, path::PathBuf};

/// Where `cargo xtask build` says that the real one's object is.
const OBJECT: &str = "NETADMIN_EBPF_OBJECT";
const NAIVE: &str = "netadmin-naive";

fn main() {
    println!("cargo::rerun-if-env-changed={OBJECT}");
    let object = env::var_os(OBJECT).map(|object| PathBuf::from(object).with_file_name(NAIVE));
    if let Some(object) = &object {
        println!("cargo::rerun-if-changed={}", object.display());
    }
    // Host tests and lints need none; the program says so if it has none.
    let bytes = object
        .and_then(|object| fs::read(object).ok())
        .unwrap_or_default();
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("naive.bpf.o");
    if let Err(error) = fs::write(&target, bytes) {
        println!("cargo::error=cannot write {}: {error}", target.display());
    }
}
