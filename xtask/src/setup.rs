//! Installs what the other tasks need, or says what is missing.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::need::{self, LLVM, NEEDS, Need, Source};
use crate::{command, progress};

/// The version whose LLVM is the one of Debian's rustc-web.
const BPF_LINKER: &str = "0.13.0";

/// The machine's package lists are fetched again when older than this.
const LISTS_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What `cargo xtask setup` was asked for.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub struct Options {
    /// Only say what is missing, and how to install it
    #[arg(long)]
    pub no_install: bool,
}

/// `cargo xtask setup`.
pub fn run(options: Options) -> Result<u8> {
    prepare(options)?;
    println!("everything is there");
    Ok(0)
}

/// Makes sure that everything is there.
pub fn prepare(options: Options) -> Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        let how = need.source.command_line();
        eprintln!("missing: {}; by hand: {how}", need.what);
    }
    if options.no_install {
        bail!("{} of {} things are missing", missing.len(), NEEDS.len());
    }
    install(&missing)?;
    let is_needed = |need: &&&Need| !(need.present)() && need.source != Source::RustTarget;
    match missing.iter().find(is_needed) {
        Some(need) => bail!(
            "{} is still missing: {}",
            need.what,
            need.source.command_line()
        ),
        None => Ok(()),
    }
}

fn install(missing: &[&Need]) -> Result<()> {
    let packages: Vec<_> = missing
        .iter()
        .flat_map(|need| need.source.packages().iter().copied())
        .collect();
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    if missing.iter().any(|need| need.source == Source::BpfLinker) {
        progress::step("building bpf-linker, one to three minutes");
        command::shown(&mut bpf_linker())?;
    }
    if missing.iter().any(|need| need.source == Source::RustTarget) {
        let mut words = need::NARROW_COMMAND.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        // Some tests are left out without it, and say so.
        if let Err(error) = command::quiet(command.args(words)) {
            progress::note(&format!("warning: {error:#}"));
        }
    }
    Ok(())
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if !need::program("apt-get") {
        bail!(
            "there is no apt-get here: install {} by hand",
            packages.join(", ")
        );
    }
    let privilege = privilege().with_context(|| {
        let words = packages.join(" ");
        format!("installing needs root; as root run: apt-get install {words}")
    })?;
    if lists_are_old() {
        progress::step("fetching the package lists");
        // One dead third-party archive must not keep Debian's from being used.
        if let Err(error) = command::quiet(apt_get(privilege).args(["update", "-q"])) {
            progress::note(&format!("warning: {error:#}"));
        }
    }
    progress::step(format!("installing {}", packages.join(" ")));
    let mut install = apt_get(privilege);
    install
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(packages);
    command::shown(&mut install)
}

/// How to become root: not at all, with sudo, or there is no way.
fn privilege() -> Option<&'static [&'static str]> {
    if nix::unistd::geteuid().is_root() {
        return Some(&["env"]);
    }
    need::program("sudo").then_some(&["sudo", "env"])
}

fn apt_get(privilege: &[&str]) -> Command {
    let mut command = Command::new(privilege[0]);
    command
        .args(&privilege[1..])
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}

/// Whether the machine's own package lists are missing or of another day.
fn lists_are_old() -> bool {
    let lists = fs::read_dir("/var/lib/apt/lists")
        .into_iter()
        .flatten()
        .flatten();
    let is_list = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_string_lossy().contains("_Packages")
    };
    // The files bear the mirror's dates; their directory tells when they came.
    let age = fs::metadata("/var/lib/apt/lists").and_then(|directory| directory.modified());
    let is_young = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < LISTS_LIFETIME));
    !(is_young && lists.into_iter().any(|entry| is_list(&entry)))
}

/// Links against Debian's LLVM, the one its rustc emits bitcode for.
fn bpf_linker() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let words = format!("install bpf-linker --locked --version {BPF_LINKER}");
    command
        .args(words.split(' '))
        .args(["--no-default-features", "--features", "llvm-22"]);
    let directories = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&directories);
    let path = env::join_paths([Path::new(LLVM).join("bin")].into_iter().chain(directories));
    if let Ok(path) = path {
        command.env("PATH", path);
    }
    command
        .env("LLVM_SYS_221_PREFIX", LLVM)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("RUSTFLAGS", format!("-L {LLVM}/lib"));
    command
}

impl Source {
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Packages(packages) => packages,
            Self::BpfLinker | Self::RustTarget => &[],
        }
    }

    fn command_line(self) -> String {
        match self {
            Self::Packages(packages) => {
                format!(
                    "apt-get install --no-install-recommends {}",
                    packages.join(" ")
                )
            }
            Self::RustTarget => need::NARROW_COMMAND.to_owned(),
            Self::BpfLinker => format!(
                "LLVM_SYS_221_PREFIX={LLVM} PATH={LLVM}/bin:$PATH RUSTFLAGS='-L {LLVM}/lib' {}",
                command::line(&bpf_linker()).replace(&cargo_path(), "cargo")
            ),
        }
    }
}

fn cargo_path() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
