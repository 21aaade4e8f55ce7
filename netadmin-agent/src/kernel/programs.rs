//! Loads and attaches the programs.

use std::{fs::File, io, path::Path};

use aya::{
    Btf, Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray, RingBuf},
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSockopt, FEntry, FExit, Lsm, ProgramError,
        cgroup_sockopt::CgroupSockoptLink,
    },
};
use netadmin_common::{GuardRecord, PolicyRecord, event::EventAccount};

use super::layout::{Layout, LayoutError, VMLINUX_BTF};
use crate::records::Record;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netadmin.bpf.o"));

/// Why programs could not be loaded or attached.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The agent was built without the programs.
    #[error("this agent was built without its eBPF programs: build it with `cargo xtask build`")]
    NoObject,
    /// The kernel's layout could not be found.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The kernel's BTF could not be read.
    #[error("{VMLINUX_BTF}: {0}")]
    Btf(#[from] aya::BtfError),
    /// The object or its maps were refused.
    #[error("cannot load the eBPF maps: {0}; `netadmin-agent doctor` says what is missing")]
    Object(#[from] aya::EbpfError),
    /// One program was refused.
    #[error(
        "cannot {act} the eBPF program `{program}`: {source}; \
         `netadmin-agent doctor` says what is missing"
    )]
    Program {
        /// `load` or `attach`.
        act: &'static str,
        /// Its name.
        program: &'static str,
        /// The kernel's answer.
        #[source]
        source: ProgramError,
    },
    /// A map is not as expected, or refused an update.
    #[error("eBPF map `{map}`: {source}")]
    Map {
        /// Its name.
        map: &'static str,
        /// The kernel's answer.
        #[source]
        source: MapError,
    },
    /// The value program could not be attached to a cgroup.
    #[error("cannot attach to cgroup {path}: {source}")]
    Cgroup {
        /// The cgroup's folder.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How a program is attached.
#[derive(Clone, Copy)]
enum Attachment {
    Lsm(&'static str),
    Fentry(&'static str),
    Fexit(&'static str),
    Tracepoint(&'static str),
}

/// The programs that watch cgroups come first, so that none is born unseen.
const CGROUPS: &[(&str, Attachment)] = &[
    ("cgroup_mkdir", Attachment::Tracepoint("cgroup_mkdir")),
    ("cgroup_rmdir", Attachment::Tracepoint("cgroup_rmdir")),
];

/// What judges before what answers: see `netadmin-ebpf/src/hooks/ioctl.rs`.
const ENFORCERS: &[(&str, Attachment)] = &[
    (
        "promiscuity_breach",
        Attachment::Fexit("__dev_set_promiscuity"),
    ),
    ("file_ioctl", Attachment::Lsm("file_ioctl")),
    ("file_ioctl_compat", Attachment::Lsm("file_ioctl_compat")),
    ("dev_ioctl", Attachment::Fentry("dev_ioctl")),
    ("devinet_ioctl", Attachment::Fentry("devinet_ioctl")),
    ("sysfs_flags_done", Attachment::Fexit("flags_store")),
    ("sysfs_flags", Attachment::Fentry("flags_store")),
    ("tun_dev_create", Attachment::Lsm("tun_dev_create")),
    ("socket_setsockopt", Attachment::Lsm("socket_setsockopt")),
    ("netlink_send", Attachment::Lsm("netlink_send")),
    ("capable", Attachment::Lsm("capable")),
];

/// Not in every kernel; without it `file_ioctl` sees 32-bit callers too.
const OPTIONAL: &[&str] = &["file_ioctl_compat"];

const WITNESS: &[(&str, Attachment)] = &[(
    "promiscuity_rise",
    Attachment::Fexit("__dev_set_promiscuity"),
)];

/// The program that sees option values; attached by cgroup.
const VALUE_PROGRAM: &str = "setsockopt_value";

/// The loaded programs and their maps. Dropping it ends enforcement.
pub struct Programs {
    ebpf: Ebpf,
    btf: Btf,
}

impl Programs {
    /// Loads the maps. `log` turns on the programs' debug lines.
    pub fn load(log: bool) -> Result<Self, KernelError> {
        if OBJECT.is_empty() {
            return Err(KernelError::NoObject);
        }
        let layout = Layout::read(Path::new(VMLINUX_BTF))?;
        let btf = Btf::from_sys_fs()?;
        let level: u8 = if log { u8::MAX } else { 0 };
        let mut loader = EbpfLoader::new();
        // Task storages: aya has no type for them, and the agent needs none.
        loader.btf(Some(&btf)).allow_unsupported_maps();
        loader.override_global("AYA_LOG_LEVEL", &level, false);
        for (global, offset) in layout.globals() {
            loader.override_global(global, offset, true);
        }
        let ebpf = loader.load(OBJECT)?;
        Ok(Self { ebpf, btf })
    }

    /// The object, for aya-log.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Attaches what tells of cgroups.
    pub fn watch_cgroups(&mut self) -> Result<(), KernelError> {
        self.attach_all(CGROUPS)
    }

    /// Attaches what refuses.
    pub fn enforce(&mut self) -> Result<(), KernelError> {
        self.attach_all(ENFORCERS)
    }

    /// Attaches what sees promiscuity rise.
    pub fn witness(&mut self) -> Result<(), KernelError> {
        self.attach_all(WITNESS)
    }

    fn attach_all(&mut self, programs: &[(&'static str, Attachment)]) -> Result<(), KernelError> {
        for &(name, attachment) in programs {
            match self.attach(name, attachment) {
                // The kernel's BTF does not know the hook.
                Err(KernelError::Program {
                    source: ProgramError::Btf(_),
                    ..
                }) if OPTIONAL.contains(&name) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    fn attach(&mut self, name: &'static str, attachment: Attachment) -> Result<(), KernelError> {
        let load_error = |source| KernelError::Program {
            act: "load",
            program: name,
            source,
        };
        let attach_error = |source| KernelError::Program {
            act: "attach",
            program: name,
            source,
        };
        let btf = &self.btf;
        let program = program(&mut self.ebpf, name)?;
        macro_rules! load_and_attach {
            ($kind:ty, $target:expr) => {{
                let program: &mut $kind = program.try_into().map_err(load_error)?;
                program.load($target, btf).map_err(load_error)?;
                program.attach().map(drop).map_err(attach_error)
            }};
        }
        match attachment {
            Attachment::Lsm(hook) => load_and_attach!(Lsm, hook),
            Attachment::Fentry(function) => load_and_attach!(FEntry, function),
            Attachment::Fexit(function) => load_and_attach!(FExit, function),
            Attachment::Tracepoint(name) => load_and_attach!(BtfTracePoint, name),
        }
    }

    /// Loads the program that sees option values.
    pub fn load_value_program(&mut self) -> Result<(), KernelError> {
        let error = |source| KernelError::Program {
            act: "load",
            program: VALUE_PROGRAM,
            source,
        };
        let program: &mut CgroupSockopt = program(&mut self.ebpf, VALUE_PROGRAM)?
            .try_into()
            .map_err(error)?;
        program.load().map_err(error)
    }

    /// Attaches it to the cgroup whose folder is `path`, for the sockets made
    /// there and below. It stays as long as the link.
    pub fn attach_value_program(&mut self, path: &Path) -> Result<CgroupSockoptLink, KernelError> {
        let error = |source: Box<dyn std::error::Error + Send + Sync>| KernelError::Cgroup {
            path: path.display().to_string(),
            source,
        };
        let cgroup = File::open(path).map_err(|source: io::Error| error(source.into()))?;
        let program: &mut CgroupSockopt = program(&mut self.ebpf, VALUE_PROGRAM)?
            .try_into()
            .map_err(|source: ProgramError| error(source.into()))?;
        // A link always allows other programs beside it, and takes no flag that
        // says so (cgroup_bpf_link_attach).
        let id = program
            .attach(cgroup, CgroupAttachMode::default())
            .map_err(|source| error(source.into()))?;
        program.take_link(id).map_err(|source| error(source.into()))
    }

    /// The map of policies.
    pub fn policies(&mut self) -> Result<Array<&mut MapData, Record<PolicyRecord>>, KernelError> {
        map(&mut self.ebpf, "POLICIES")
    }

    /// The word that says which options have a rule on their value.
    pub fn value_rules(&mut self) -> Result<Array<&mut MapData, u32>, KernelError> {
        map(&mut self.ebpf, "VALUE_RULES")
    }

    /// The map of guarded cgroups, for keeps.
    pub fn take_guards(
        &mut self,
    ) -> Result<HashMap<MapData, u64, Record<GuardRecord>>, KernelError> {
        take(&mut self.ebpf, "GUARDS")
    }

    /// The account of events, for keeps.
    pub fn take_account(
        &mut self,
    ) -> Result<PerCpuArray<MapData, Record<EventAccount>>, KernelError> {
        take(&mut self.ebpf, "ACCOUNT")
    }

    /// The buffer of events, for keeps.
    pub fn take_events(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        take(&mut self.ebpf, "EVENTS")
    }

    /// The buffer of cgroup births and deaths, for keeps.
    pub fn take_cgroup_events(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        take(&mut self.ebpf, "CGROUP_EVENTS")
    }
}

fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut aya::programs::Program, KernelError> {
    ebpf.program_mut(name).ok_or(KernelError::NoObject)
}

fn map<'a, T>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<T, KernelError>
where
    T: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
{
    let map = ebpf.map_mut(name).ok_or(KernelError::NoObject)?;
    T::try_from(map).map_err(|source| KernelError::Map { map: name, source })
}

fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError>
where
    T: TryFrom<aya::maps::Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(KernelError::NoObject)?;
    T::try_from(map).map_err(|source| KernelError::Map { map: name, source })
}

/// Tries whether this kernel lets us load a program of each kind that takes a
/// capability of its own: one of LSM, and the one that judges values. Attaches
/// nothing, and drops them. The error says what the kernel answered.
pub fn probe_load() -> Result<(), String> {
    let mut programs = Programs::load(false).map_err(|error| error.to_string())?;
    let btf = &programs.btf;
    let program: &mut Lsm = program(&mut programs.ebpf, "socket_setsockopt")
        .map_err(|error| error.to_string())?
        .try_into()
        .map_err(|error: ProgramError| error.to_string())?;
    program
        .load("socket_setsockopt", btf)
        .map_err(|error| error.to_string())?;
    programs
        .load_value_program()
        .map_err(|error| error.to_string())
}
