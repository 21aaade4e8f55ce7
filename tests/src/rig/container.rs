//! Something like a container: a network namespace, a control group, and a
//! root with chosen capabilities.

use std::fs::{self, File};
use std::io;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cgroup::{Cgroup, Entrance};
use super::child::{self, Answer, Child};
use super::{Capabilities, DeviceState, errno_of, set_promisc_on_lo};
use crate::attack::IFF_UP;
use crate::attack::ioctl::{self, Family};

/// A container. Its network namespace ends with it.
#[derive(Debug)]
pub struct Container {
    cgroup: Cgroup,
    capabilities: Capabilities,
    network: File,
    user: Option<File>,
}

/// An attempt that has returned, and whose process still lives.
#[derive(Debug)]
pub struct Running {
    /// What the attempt returned.
    pub result: io::Result<()>,
    /// The process that made it.
    pub process: Child,
}

impl Container {
    /// A container in the guarded control group.
    pub fn guarded() -> Result<Self> {
        Self::within(&Cgroup::make(Cgroup::GUARDED)?)
    }

    /// A container in a control group that no policy applies to.
    pub fn unguarded() -> Result<Self> {
        Self::within(&Cgroup::make(Cgroup::FREE)?)
    }

    /// A container in this control group, with a network namespace of its own.
    pub fn within(cgroup: &Cgroup) -> Result<Self> {
        Self::with_namespaces(cgroup, false)
    }

    /// The same with a user namespace that owns the network namespace.
    pub fn in_user_namespace(cgroup: &Cgroup) -> Result<Self> {
        Self::with_namespaces(cgroup, true)
    }

    /// One in the machine's own network namespace, as a pod with `hostNetwork` is.
    pub fn on_the_host(cgroup: &Cgroup) -> Result<Self> {
        Ok(Self {
            cgroup: cgroup.clone(),
            capabilities: Capabilities::default(),
            network: File::open("/proc/1/ns/net").context("open the network namespace")?,
            user: None,
        })
    }

    /// Gives its root every capability.
    #[must_use]
    pub fn with_all_capabilities(mut self) -> Self {
        self.capabilities = Capabilities::All;
        self
    }

    /// Gives its root `CAP_BPF`.
    #[must_use]
    pub fn with_bpf(mut self) -> Self {
        self.capabilities = Capabilities::NetworkAndBpf;
        self
    }

    /// Takes `CAP_NET_RAW` from its root.
    #[must_use]
    pub fn without_net_raw(mut self) -> Self {
        self.capabilities = Capabilities::NetAdmin;
        self
    }

    /// Takes `CAP_NET_ADMIN` from its root, and leaves `CAP_NET_RAW`.
    #[must_use]
    pub fn without_net_admin(mut self) -> Self {
        self.capabilities = Capabilities::Raw;
        self
    }

    /// Takes every capability from its root.
    #[must_use]
    pub fn without_capabilities(mut self) -> Self {
        self.capabilities = Capabilities::Nothing;
        self
    }

    /// A second container in the same namespaces.
    pub fn sibling(&self, cgroup: &Cgroup) -> Result<Self> {
        let user = self.user.as_ref().map(File::try_clone).transpose();
        Ok(Self {
            cgroup: cgroup.clone(),
            capabilities: self.capabilities,
            network: self.network.try_clone().context("copy a descriptor")?,
            user: user.context("copy a descriptor")?,
        })
    }

    fn with_namespaces(cgroup: &Cgroup, user: bool) -> Result<Self> {
        let (network, user) = make_namespaces(user).context("make namespaces")?;
        let container = Self {
            cgroup: cgroup.clone(),
            capabilities: Capabilities::default(),
            network,
            user,
        };
        container.set_up(|| ioctl::change_flags(Family::Inet, "lo", IFF_UP, 0))?;
        Ok(container)
    }

    /// Runs `work` in the container's namespaces, but in the caller's control
    /// group and with all capabilities: how devices are made and looked at.
    pub fn set_up<T>(&self, work: impl FnOnce() -> io::Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let (value, _child) = child::spawn(|| {
            self.enter_namespaces()?;
            Ok((work()?, ()))
        })?;
        Ok(value)
    }

    /// The same, and keeps what `work` returned for as long as the answer is kept.
    pub fn set_up_and_hold<K>(&self, work: impl FnOnce() -> io::Result<K>) -> Result<Child> {
        let ((), child) = child::spawn(|| {
            self.enter_namespaces()?;
            Ok(((), work()?))
        })?;
        Ok(child)
    }

    /// Runs `work` inside the container and returns its error as a value.
    pub fn attempt<T>(&self, work: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>>
    where
        T: Serialize + DeserializeOwned,
    {
        let (answer, _child) = child::spawn(|| {
            self.enter()?;
            Ok((Answer::from(work()), ()))
        })?;
        Ok(answer.into())
    }

    /// The same, where `work` must succeed.
    pub fn run<T>(&self, work: impl FnOnce() -> io::Result<T>) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        Ok(self.attempt(work)??)
    }

    /// The errno of making the container's `lo` promiscuous.
    pub fn promisc_on_lo(&self) -> Result<i32> {
        Ok(errno_of(&self.attempt(set_promisc_on_lo)?))
    }

    /// Runs `work`, and keeps the process and what `work` returned for as long
    /// as the answer is kept.
    pub fn attempt_and_hold<K>(&self, work: impl FnOnce() -> io::Result<K>) -> Result<Running> {
        self.attempt_with_inherited(|| Ok(()), |()| work())
    }

    /// Runs `before` in the container's namespaces but outside its control
    /// group, and hands what it made to `work` inside.
    pub fn attempt_with_inherited<I, K>(
        &self,
        before: impl FnOnce() -> io::Result<I>,
        work: impl FnOnce(I) -> io::Result<K>,
    ) -> Result<Running> {
        let (answer, process) = child::spawn(|| {
            let entrance = self.cgroup.entrance()?;
            self.enter_namespaces()?;
            let inherited = before()?;
            self.confine(&entrance)?;
            let mut kept = None;
            let answer = work(inherited).map(|value| kept = Some(value));
            Ok((Answer::from(answer), kept))
        })?;
        let result = answer.into();
        Ok(Running { result, process })
    }

    /// What a device of the container looks like from outside.
    pub fn device(&self, name: &str) -> Result<DeviceState> {
        self.set_up(|| DeviceState::read(name))
            .with_context(|| format!("look at the device {name}"))
    }

    /// Makes the calling process one of the container's, for a program to be
    /// executed in it.
    pub fn enter(&self) -> Result<()> {
        let entrance = self.cgroup.entrance()?;
        self.enter_namespaces()?;
        self.confine(&entrance)
    }

    /// Enters the network namespace, and mounts its sysfs for this process alone.
    fn enter_namespaces(&self) -> Result<()> {
        setns(&self.network, CloneFlags::CLONE_NEWNET).context("enter the network namespace")?;
        unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
        let none = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).context("make the mounts private")?;
        match mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none) {
            // The host's is there already.
            Err(Errno::EBUSY) => Ok(()),
            mounted => mounted.context("mount sysfs"),
        }
    }

    /// Gives up what the container's root has not; nothing that follows may need it.
    fn confine(&self, entrance: &Entrance) -> Result<()> {
        entrance.enter().context("enter the control group")?;
        if let Some(user) = &self.user {
            setns(user, CloneFlags::CLONE_NEWUSER).context("enter the user namespace")?;
        }
        self.capabilities.enter().context("give up capabilities")
    }
}

/// A network namespace, and if wanted a user namespace that owns it. A process
/// makes them and is gone; the descriptors keep them.
fn make_namespaces(with_user: bool) -> Result<(File, Option<File>)> {
    let (_, maker) = child::spawn(|| {
        let user = CloneFlags::CLONE_NEWUSER;
        let user = if with_user { user } else { CloneFlags::empty() };
        unshare(user | CloneFlags::CLONE_NEWNET).context("unshare")?;
        Ok(((), ()))
    })?;
    let open = |name: &str| {
        let path = format!("/proc/{}/ns/{name}", maker.pid);
        File::open(&path).with_context(|| format!("open {path}"))
    };
    let network = open("net")?;
    if !with_user {
        return Ok((network, None));
    }
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{}/{map}", maker.pid);
        fs::write(&path, "0 0 1").with_context(|| format!("write {path}"))?;
    }
    Ok((network, Some(open("user")?)))
}
