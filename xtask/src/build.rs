//! Builds what runs in the guest: the eBPF object, the agent, the tests.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{command, ebpf, need, paths, progress};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// For 32-bit code: rustup's standard library for it brings its own libc and
/// start files, and rustup's linker links it, so no C compiler is needed.
pub const NARROW_TARGET: &str = "i686-unknown-linux-musl";

/// The name under which the guest has the attacks as a 32-bit program.
const NARROW_BYPASS: &str = "netadmin-bypass32";

/// Names the eBPF object to the agent's build script.
pub const OBJECT_VARIABLE: &str = "NETADMIN_EBPF_OBJECT";

/// Programs for the guest: paths here, each installed in `/bin` under its file name.
pub type Programs = Vec<PathBuf>;

/// Builds everything; what is up to date costs well under a second.
pub fn all() -> Result<Programs> {
    programs(&object()?)
}

/// Builds the agent around an eBPF object, as it is released.
pub fn agent(object: &Path) -> Result<()> {
    progress::step("building the agent");
    let mut agent = guest_cargo(object);
    command::shown(agent.args(["--release", "--package", "netadmin-agent"]))
}

/// Where [`agent`] puts it.
pub fn release_agent() -> PathBuf {
    let directory = target_directory().join(TARGET).join("release");
    directory.join("netadmin-agent")
}

/// The name under which the guest has an agent of an older layout.
const OLDER_AGENT: &str = "netadmin-agent-older";

/// An agent of an older layout, from which the tests take over.
fn older_agent() -> Result<()> {
    progress::step("building an agent of an older layout");
    let object = ebpf::build_older()?;
    let mut agent = guest_cargo(&object);
    agent.args(["--release", "--package", "netadmin-agent"]);
    command::shown(agent.args(["--features", "older-layout"]))?;
    let agent = release_agent();
    let copy = agent.with_file_name(OLDER_AGENT);
    fs::copy(&agent, &copy).with_context(|| format!("write {}", copy.display()))?;
    Ok(())
}

/// Builds the agent and the test programs around an eBPF object.
pub fn programs(object: &Path) -> Result<Programs> {
    // First: cargo leaves both under one name.
    older_agent()?;
    agent(object)?;
    progress::step("building the attacks and the tests");
    let mut bypass = guest_cargo(object);
    command::shown(bypass.args(["--release", "--package", "netadmin-bypass"]))?;
    narrow_bypass()?;
    // A failed assertion must unwind into the test runner, which the agent's
    // own release profile does not do.
    let mut tests = guest_cargo(object);
    tests.args(["--config", "profile.guest.inherits='release'"]);
    tests.args(["--config", "profile.guest.panic='unwind'"]);
    command::shown(tests.args(["--profile", "guest", "--package", "netadmin-tests"]))?;
    built()
}

/// The attacks as a 32-bit program, under a name of its own.
fn narrow_bypass() -> Result<()> {
    if !need::has_narrow_target() {
        let how = need::NARROW_COMMAND;
        progress::note(&format!(
            "warning: no 32-bit {NARROW_BYPASS}, its tests are left out: `{how}`"
        ));
        return Ok(());
    }
    let mut bypass = cargo();
    bypass
        .args(["build", "--release", "--package", "netadmin-bypass"])
        .args(["--target", NARROW_TARGET, "--target-dir"])
        .arg(target_directory())
        .env("CARGO_TARGET_I686_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS");
    command::shown(&mut bypass)?;
    let directory = target_directory().join(NARROW_TARGET).join("release");
    let (from, to) = ("netadmin-bypass", directory.join(NARROW_BYPASS));
    fs::copy(directory.join(from), &to).with_context(|| format!("write {}", to.display()))?;
    Ok(())
}

/// The eBPF object, built.
pub fn object() -> Result<PathBuf> {
    progress::step("building the eBPF object");
    ebpf::build()
}

/// The programs as an earlier build left them.
pub fn built() -> Result<Programs> {
    let directory = target_directory().join(TARGET);
    let mut programs = programs_in(&directory.join("guest"))?;
    programs.extend(programs_in(&directory.join("release"))?);
    let narrow = target_directory().join(NARROW_TARGET);
    let narrow = narrow.join("release").join(NARROW_BYPASS);
    programs.extend(narrow.is_file().then_some(narrow));
    Ok(programs)
}

/// A cargo of the toolchain that built xtask itself.
pub fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(paths::workspace());
    command
}

/// Static, so that the guest needs no libraries; with an explicit target, so
/// that procedural macros are built without the flag.
fn guest_cargo(object: &Path) -> Command {
    let mut command = cargo();
    command
        .args(["build", "--bins", "--target", TARGET, "--target-dir"])
        .arg(target_directory());
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    flags.extend(paths::remapped());
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    command.env(OBJECT_VARIABLE, object);
    command
}

/// Where cargo puts what it builds.
pub fn target_directory() -> PathBuf {
    let set = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    paths::workspace().join(set.unwrap_or_else(|| PathBuf::from("target")))
}

fn programs_in(directory: &Path) -> Result<Programs> {
    let mut programs = Programs::new();
    let entries = fs::read_dir(directory).with_context(|| {
        format!(
            "nothing is built in {}: run `cargo xtask build`",
            directory.display()
        )
    })?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", directory.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("netadmin-") && path.extension().is_none() {
            programs.push(path);
        }
    }
    Ok(programs)
}
