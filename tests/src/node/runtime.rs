//! containerd, told by `ctr` to do what the kubelet would have it do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::manifest::Manifest;
use super::neighbour;
use crate::rig::{AgentRun, new_directory, poll};

/// Where `xtask` has put the image.
const ARCHIVE: &str = "/opt/netadmin-agent/image.tar";

/// The image's entry point, which arguments given to `ctr` replace.
pub const AGENT: &str = "/usr/bin/netadmin-agent";

/// This program, as the neighbours' root file system has it.
const ATTACKER: &str = "attacker";

/// How long the runtime may take under emulation.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What a container has unless it is taken away (containerd, oci.defaultUnixCaps).
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Runs `ctr` to its end, and returns what it said.
pub fn ctr(arguments: &[&str]) -> Result<String> {
    let output = ctr_command(arguments).output().context("run ctr")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let complaint = text(&output.stderr);
    ensure!(output.status.success(), "ctr {arguments:?}: {complaint}");
    Ok(text(&output.stdout))
}

/// In the kubelet's namespace.
fn ctr_command(arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/ctr");
    command.args(["--namespace", "k8s.io"]).args(arguments);
    command
}

/// Gives the runtime the archive; the name and the digest that it then knows.
pub fn import() -> Result<String> {
    ctr(&["images", "import", ARCHIVE])?;
    ctr(&["images", "list"])
}

/// The agent's container as the manifest has it.
#[derive(Clone, Debug)]
pub struct AgentPod {
    manifest: Manifest,
    policy: PathBuf,
}

impl AgentPod {
    /// Lays out the ConfigMap as the kubelet does: a link to the directory that
    /// holds the files, so that all change at once.
    pub fn new(manifest: Manifest) -> Result<Self> {
        let policy = PathBuf::from("/run/netadmin-test-policy");
        let data = policy.join("..first");
        if !data.is_dir() {
            fs::create_dir_all(&data).context("make a directory")?;
            symlink("..first", policy.join("..data")).context("make a link")?;
            for (name, text) in &manifest.policy {
                fs::write(data.join(name), text).context("write the policy")?;
                symlink(format!("..data/{name}"), policy.join(name)).context("make a link")?;
            }
        }
        Ok(Self { manifest, policy })
    }

    /// The capabilities, without `CAP_` in front.
    pub fn capabilities(&self) -> &[String] {
        &self.manifest.container.security_context.capabilities.add
    }

    /// The same pod without one of its capabilities.
    #[must_use]
    pub fn without(&self, capability: &str) -> Self {
        let mut pod = self.clone();
        let context = &mut pod.manifest.container.security_context;
        context.capabilities.add.retain(|name| name != capability);
        pod
    }

    /// Runs the agent with the manifest's arguments.
    pub fn start(&self, id: &str) -> Result<AgentRun> {
        let arguments: Vec<_> = self
            .manifest
            .container
            .args
            .iter()
            .map(String::as_str)
            .collect();
        self.start_with(id, &arguments)
    }

    /// Runs the agent with other arguments.
    pub fn start_with(&self, id: &str, arguments: &[&str]) -> Result<AgentRun> {
        let cgroup = format!("/kubepods/burstable/podagent/{id}");
        let mut command = ctr_command(&["run", "--rm", "--seccomp", "--cgroup", &cgroup]);
        command.args(["--pid-file", &pid_file(id)]);
        let context = &self.manifest.container.security_context;
        if context.read_only_root_filesystem {
            command.arg("--read-only");
        }
        if context.allow_privilege_escalation {
            command.arg("--allow-new-privs");
        }
        for name in DEFAULT_CAPABILITIES {
            command.args(["--cap-drop", &format!("CAP_{name}")]);
        }
        for name in self.capabilities() {
            command.args(["--cap-add", &format!("CAP_{name}")]);
        }
        for mount in self.mounts()? {
            command.args(["--mount", &mount]);
        }
        command.args([&self.manifest.container.image, id, AGENT]);
        AgentRun::start_as(&new_directory()?, command.args(arguments))
    }

    fn mounts(&self) -> Result<Vec<String>> {
        let mounts = self.manifest.container.volume_mounts.iter();
        let mount = |mount: &super::manifest::VolumeMount| {
            let mut volumes = self.manifest.volumes.iter();
            let volume = volumes.find(|volume| volume.name == mount.name);
            let volume = volume.with_context(|| format!("no volume {}", mount.name))?;
            let source = match &volume.host_path {
                Some(host) => Path::new(&host.path),
                None => &self.policy,
            };
            let access = if mount.read_only { "ro" } else { "rw" };
            Ok(format!(
                "type=bind,src={},dst={},options=rbind:{access}",
                source.display(),
                mount.mount_path
            ))
        };
        mounts.map(mount).collect()
    }
}

/// The process of a container, as the node sees it.
pub fn pid_of(id: &str) -> Result<i32> {
    let text = fs::read_to_string(pid_file(id)).context("read a pid file")?;
    text.trim().parse().context("a process id")
}

fn pid_file(id: &str) -> String {
    format!("/run/netadmin-test-{id}.pid")
}

/// A container that attacks until it is told to stop.
#[derive(Debug)]
pub struct Neighbour {
    id: String,
    run: AgentRun,
    root: PathBuf,
}

impl Neighbour {
    /// Starts one in this cgroup: a path, or `SLICE:PREFIX:NAME` for systemd's driver.
    pub fn start(id: &str, cgroup: &str) -> Result<Self> {
        // Of an earlier container.
        let _ = fs::remove_file(pid_file(id));
        let root = PathBuf::from(format!("/run/netadmin-test-{id}"));
        fs::create_dir_all(&root).context("make a root file system")?;
        fs::copy("/usr/bin/netadmin-nodetest", root.join(ATTACKER)).context("copy the attacker")?;
        let mut command = ctr_command(&["run", "--rm", "--cap-add", "CAP_NET_ADMIN"]);
        if cgroup.contains(':') {
            command.arg("--runc-systemd-cgroup");
        }
        command.args(["--pid-file", &pid_file(id), "--cgroup", cgroup, "--rootfs"]);
        command.arg(&root).arg(id);
        command.args([&format!("/{ATTACKER}"), neighbour::ARGUMENT, "/stop"]);
        let run = AgentRun::start_as(&new_directory()?, &mut command)?;
        let id = id.to_owned();
        Ok(Self { id, run, root })
    }

    /// Waits until its first process is there.
    pub fn wait_until_it_runs(&self) -> Result<()> {
        let runs = || pid_of(&self.id).ok();
        poll(START_LIMIT, runs).with_context(|| format!("{} does not start", self.id))?;
        Ok(())
    }

    /// Tells it to stop, and reads its score.
    pub fn stop(mut self) -> Result<neighbour::Score> {
        fs::write(self.root.join("stop"), "").context("tell an attacker to stop")?;
        let status = self.run.wait()?;
        let said = (self.run.stdout(), self.run.stderr());
        ensure!(status == 0, "the attacker ended with {status}: {said:?}");
        fs::remove_dir_all(&self.root).context("remove a root file system")?;
        neighbour::Score::parse(&said.0)
    }
}
