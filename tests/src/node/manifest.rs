//! What `deploy/daemonset.yaml` says of the agent's container: the tests start
//! it so, and not as they think that it should be.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Where `xtask` has put it.
const FILE: &str = "/opt/netadmin-agent/daemonset.yaml";

/// The agent's container, and the policy that it reads.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The files of the ConfigMap.
    pub policy: BTreeMap<String, String>,
    /// How the agent is run.
    pub container: Container,
    /// What is mounted into it.
    pub volumes: Vec<Volume>,
}

/// `spec.template.spec.containers[0]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The image's name.
    pub image: String,
    /// Arguments after the image's entry point.
    pub args: Vec<String>,
    /// What it may do.
    pub security_context: SecurityContext,
    /// Where the volumes are.
    pub volume_mounts: Vec<VolumeMount>,
}

/// `securityContext`, as far as the runtime is told of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// Nothing can be written but what is mounted.
    pub read_only_root_filesystem: bool,
    /// Becomes the opposite of `no_new_privs`.
    pub allow_privilege_escalation: bool,
    /// All others are dropped.
    pub capabilities: Capabilities,
}

/// `capabilities`.
#[derive(Clone, Debug, Deserialize)]
pub struct Capabilities {
    /// Without `CAP_` in front.
    pub add: Vec<String>,
}

/// One of `volumeMounts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume.
    pub name: String,
    /// Where it is.
    pub mount_path: String,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: bool,
}

/// One of `volumes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// What mounts call it.
    pub name: String,
    /// A directory of the node; `None` for the ConfigMap.
    pub host_path: Option<HostPath>,
}

/// `hostPath`.
#[derive(Clone, Debug, Deserialize)]
pub struct HostPath {
    /// The directory.
    pub path: String,
}

/// Either document.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Document {
    ConfigMap { data: BTreeMap<String, String> },
    DaemonSet { spec: DaemonSetSpec },
}

#[derive(Debug, Deserialize)]
struct DaemonSetSpec {
    template: Template,
}

#[derive(Debug, Deserialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Debug, Deserialize)]
struct PodSpec {
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

impl Manifest {
    /// Reads the file.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("read {FILE}"))?;
        Self::parse(&text).with_context(|| format!("understand {FILE}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let (mut policy, mut pod) = (None, None);
        for document in serde_saphyr::from_multiple(text)? {
            match document {
                Document::ConfigMap { data } => policy = Some(data),
                Document::DaemonSet { spec } => pod = Some(spec.template.spec),
            }
        }
        let mut pod = pod.context("no DaemonSet")?;
        Ok(Self {
            policy: policy.context("no ConfigMap")?,
            container: pod.containers.pop().context("no container")?,
            volumes: pod.volumes,
        })
    }
}
