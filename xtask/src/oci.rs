//! `cargo xtask image`: the agent as a container image, in an OCI archive.
//!
//! Neither a daemon nor a registry is asked. The archive is a tar file with an
//! OCI image layout, as `ctr image import`, `podman load`, `docker load` and
//! `skopeo copy oci-archive:…` read it. Nothing of the day or the machine goes
//! into it: the same program gives the same digest.

mod document;
mod files;
mod layout;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build;
use crate::{paths, progress, setup};
use files::File;

/// What the image is called where nobody has pushed it to a registry yet.
/// `deploy/daemonset.yaml` names the same.
pub const NAME: &str = "localhost/netadmin-agent";

/// Its tag: the agent's version, which the workspace has in common.
pub const TAG: &str = env!("CARGO_PKG_VERSION");

/// Where the agent lies in the image.
pub const AGENT: &str = "/usr/bin/netadmin-agent";

/// What `cargo xtask image` was asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the archive goes; without it, into the target directory
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    setup: setup::Options,
}

/// Builds the agent and packs it; prints the archive's path and the digest.
pub fn run(options: &Options) -> Result<u8> {
    setup::prepare(options.setup)?;
    build::agent(&build::object()?)?;
    let output = match &options.output {
        Some(path) => path.clone(),
        None => default_output(),
    };
    let digest = write(&output)?;
    progress::idle();
    let size = fs::metadata(&output).map_or(0, |file| file.len());
    println!("{}", output.display());
    println!("{NAME}:{TAG} {digest} ({} KiB)", size.div_ceil(1024));
    Ok(0)
}

/// Where the archive goes if nobody says otherwise.
pub fn default_output() -> PathBuf {
    let name = format!("netadmin-agent-{TAG}-amd64.oci.tar");
    build::target_directory().join("image").join(name)
}

/// Packs the agent as it was built last; returns the manifest's digest.
pub fn write(output: &Path) -> Result<String> {
    progress::step("packing the image");
    let image = layout::assemble(&content(&build::release_agent())?)?;
    if let Some(directory) = output.parent() {
        fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    fs::write(output, &image.archive).with_context(|| format!("write {}", output.display()))?;
    Ok(image.digest)
}

/// The agent, which needs nothing else, and the licences that go with copies.
fn content(agent: &Path) -> Result<Vec<File>> {
    let program = read(agent)?;
    files::require_static(&program)
        .with_context(|| format!("{} cannot stand alone in an image", agent.display()))?;
    let mut content = vec![File::program(AGENT, program)];
    for name in ["LICENSE-APACHE", "LICENSE-GPL2", "LICENSE-MIT"] {
        let text = read(&paths::workspace().join(name))?;
        content.push(File::data(
            &format!("/usr/share/doc/netadmin-agent/{name}"),
            text,
        ));
    }
    Ok(content)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
#[path = "oci/tests.rs"]
mod tests;
