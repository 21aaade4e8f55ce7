//! A node: a machine with a disk, real systemd and a real container runtime.
//!
//! The other guests live in an initramfs, out of which no container runtime can
//! `pivot_root`, and which forgets everything at a reboot. A node has Debian on a
//! disk; init only puts our own files there, and gives the machine to systemd.

mod disk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::paths::{self, Cache};
use crate::{oci, progress};

/// What runs the command; systemd starts it like any service.
const JOB: &str = include_str!("node/netadmin-job.service");

/// Where a node finds the image and what deploys it.
const FILES: &str = "/opt/netadmin-agent";

/// A disk, and what goes onto it before each boot.
#[derive(Debug)]
pub struct Node {
    /// The file system with Debian. It is not changed: a guest's writes are its own.
    pub disk: PathBuf,
    /// Path in the guest and content.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Node {
    /// The disk from the cache, and the image of the agent as it was built last.
    pub fn prepare(cache: &Cache) -> Result<Self> {
        let image = oci::default_output();
        oci::write(&image)?;
        let workspace = paths::workspace();
        let mut files = vec![(unit("netadmin-job.service"), JOB.into())];
        let sources = [
            (image, format!("{FILES}/image.tar")),
            (
                workspace.join("deploy/daemonset.yaml"),
                format!("{FILES}/daemonset.yaml"),
            ),
            (
                workspace.join("dist/netadmin-agent.service"),
                unit("netadmin-agent.service"),
            ),
        ];
        for (source, target) in sources {
            files.push((target, read(&source)?));
        }
        progress::quiet_step("preparing the node's disk");
        Ok(Self {
            disk: disk::image(cache)?,
            files,
        })
    }
}

/// Where an administrator's units are.
fn unit(name: &str) -> String {
    format!("/etc/systemd/system/{name}")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
