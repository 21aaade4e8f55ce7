//! Loads and attaches the programs.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    rc::Rc,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::history;

use super::{
    Limits,
    error::{KernelError, told},
    fixup,
    layout::{Layout, VMLINUX_BTF},
    pins::{PinnedSet, Pins},
    sys, sysfs,
};
use aya::{
    Btf, Ebpf, EbpfLoader, Endianness, include_bytes_aligned,
    programs::{
        BtfTracePoint, CgroupSockopt, FEntry, FExit, Lsm, ProgramError, ProgramFd,
        links::{FdLink, PinnedLink},
    },
};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netadmin.bpf.o"));

/// How a program is attached.
#[derive(Clone, Copy)]
pub(super) enum Attachment {
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
const JUDGES: &[(&str, Attachment)] = &[
    (
        "promiscuity_breach",
        Attachment::Fexit("__dev_set_promiscuity"),
    ),
    ("file_ioctl", Attachment::Lsm("file_ioctl")),
    ("file_ioctl_compat", Attachment::Lsm("file_ioctl_compat")),
    ("dev_ioctl", Attachment::Fentry("dev_ioctl")),
    ("devinet_ioctl", Attachment::Fentry("devinet_ioctl")),
    ("sysfs_write_done", Attachment::Fexit("sysfs_kf_write")),
    ("sysfs_flags", Attachment::Fentry("flags_store")),
    ("sysfs_write", Attachment::Fentry("sysfs_kf_write")),
    (
        "control_message_done",
        Attachment::Fexit("__sock_cmsg_send"),
    ),
    ("control_message", Attachment::Fentry("__sock_cmsg_send")),
    ("family", Attachment::Fexit("genl_register_family")),
    ("tun_dev_create", Attachment::Lsm("tun_dev_create")),
    ("socket_setsockopt", Attachment::Lsm("socket_setsockopt")),
    ("netlink_send", Attachment::Lsm("netlink_send")),
];

/// What answers by what was judged.
const ANSWERERS: &[(&str, Attachment)] = &[("capable", Attachment::Lsm("capable"))];

/// How long calls may take that were under way when what judges was attached;
/// later, what answers would refuse them as unjudged.
const UNDER_WAY: Duration = Duration::from_millis(50);

/// Not in every kernel; without it `file_ioctl` sees 32-bit callers too.
pub const OPTIONAL: &[&str] = &["file_ioctl_compat"];

const WITNESS: &[(&str, Attachment)] = &[(
    "promiscuity_rise",
    Attachment::Fexit("__dev_set_promiscuity"),
)];

/// The program that sees option values; attached by cgroup.
const VALUE_PROGRAM: &str = "setsockopt_value";

/// Maps that belong to all sets, of whatever version.
const SHARED_BY_ALL: &[&str] = &["OVERLAP", "HANDOVER"];
/// Maps that a set takes over from an earlier one of the same layout: calls under
/// way, and events that are not read yet.
const TAKEN_OVER: &[&str] = &["CALLS", "EVENTS", "CGROUP_EVENTS", "ACCOUNT"];
/// Maps that each set has of its own, and that others read.
const OWN: &[&str] = &[
    "GUARDS",
    "ENTERED",
    "POLICIES",
    "NAMES",
    "BANK",
    history::MAP,
];

/// How to load.
#[derive(Debug, Default)]
pub struct LoadOptions<'a> {
    /// Turn on the programs' debug lines.
    pub log: bool,
    /// How much fits.
    pub limits: Limits,
    /// Where to pin. `None`: all ends with the process.
    pub pins: Option<Rc<Pins>>,
    /// The set that is in force so far.
    pub earlier: Option<&'a PinnedSet>,
}

/// The names of the types that stand for the hooks in the kernel's BTF.
fn hooks() -> Vec<String> {
    let all = [CGROUPS, JUDGES, ANSWERERS, WITNESS].into_iter().flatten();
    all.map(|(_, attachment)| match attachment {
        Attachment::Lsm(hook) => format!("bpf_lsm_{hook}"),
        Attachment::Fentry(function) | Attachment::Fexit(function) => (*function).to_owned(),
        Attachment::Tracepoint(name) => format!("btf_trace_{name}"),
    })
    .collect()
}

/// The loaded programs and their maps. Dropping it ends enforcement, unless it
/// is pinned.
pub struct Programs {
    pub(super) ebpf: Ebpf,
    /// Until all are attached.
    btf: Option<Btf>,
    pub(super) pins: Option<Rc<Pins>>,
    set: Option<PinnedSet>,
    limits: Limits,
    /// Keeps the program on writes to sysctls attached, if nothing is pinned.
    pub(super) sysctl_link: Option<OwnedFd>,
    /// See [`Self::takes_ethtool_as_one`].
    pub(super) ethtool_as_one: bool,
}

/// Keeps the value program attached to a cgroup.
#[derive(Debug)]
pub enum ValueLink {
    /// As long as this is not dropped.
    Held(OwnedFd),
    /// As long as it is pinned here.
    Pinned(PathBuf),
}

impl ValueLink {
    /// Detaches it.
    pub fn detach(self) {
        if let Self::Pinned(path) = self {
            // Nothing to be done about a pin that is gone.
            let _ = fs::remove_file(path);
        }
    }
}

impl Programs {
    /// Loads the maps, and pins them if asked to.
    pub fn load(options: &LoadOptions<'_>) -> Result<Self, KernelError> {
        if OBJECT.is_empty() {
            return Err(KernelError::NoObject);
        }
        // This reads all of the kernel's types, wanted or not: before anything else
        // takes memory, and given up at once.
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        let layout = Layout::read(Path::new(VMLINUX_BTF), &hooks())?;
        let btf = Btf::parse(layout.hooks(), Endianness::default())?;
        let pins = options.pins.clone();
        let set = pins.as_deref().map(|pins| new_set(pins, options.earlier));
        let set = set.transpose()?;
        let generation = set.as_ref().map_or(0, |set| set.generation);
        let level: u8 = if options.log { u8::MAX } else { 0 };
        // Task storages: aya has no type for them, and the agent needs none.
        loader.btf(Some(&btf)).allow_unsupported_maps();
        loader.override_global("AYA_LOG_LEVEL", &level, false);
        loader.override_global("GENERATION", &generation, true);
        let strictest = options.limits.strictest();
        loader.override_global("STRICTEST", &strictest, true);
        for (global, offset) in layout.globals() {
            loader.override_global(global, offset, true);
        }
        loader.map_max_entries("GUARDS", options.limits.cgroups);
        for map in ["POLICIES", "NAMES"] {
            loader.map_max_entries(map, options.limits.strictest() + 1);
        }
        if let (Some(pins), Some(set)) = (&pins, &set) {
            for name in SHARED_BY_ALL {
                loader.map_pin_path(name, pins.shared(name));
            }
            for name in TAKEN_OVER.iter().chain(OWN) {
                loader.map_pin_path(name, set.entry(name));
            }
        }
        let object = fixup::with_rdonly_cast(OBJECT, layout.rdonly_cast());
        let ebpf = loader.load(&object)?;
        Ok(Self {
            ebpf,
            btf: Some(btf),
            pins,
            set,
            limits: options.limits,
            sysctl_link: None,
            ethtool_as_one: false,
        })
    }

    /// The object, for aya-log.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Where it is pinned.
    pub fn set(&self) -> Option<&PinnedSet> {
        self.set.as_ref()
    }

    /// Which set of programs this is; 0 if it is not pinned.
    pub fn generation(&self) -> u32 {
        self.set.as_ref().map_or(0, |set| set.generation)
    }

    /// Whether the sub-commands of ethtool's ioctl cannot be told apart on this kernel.
    pub fn takes_ethtool_as_one(&self) -> bool {
        self.ethtool_as_one
    }

    /// How much fits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Attaches what tells of cgroups.
    pub fn watch_cgroups(&mut self) -> Result<(), KernelError> {
        self.attach_all(CGROUPS)
    }

    /// Attaches what refuses.
    pub fn enforce(&mut self) -> Result<(), KernelError> {
        self.attach_all(JUDGES)?;
        let judging = Instant::now();
        self.show_control_message()?;
        sysfs::provoke();
        self.learn_ethtool()?;
        for &(name, attachment) in ANSWERERS {
            self.load_program(name, attachment)?;
        }
        sleep(UNDER_WAY.saturating_sub(judging.elapsed()));
        for &(name, attachment) in ANSWERERS {
            self.attach(name, attachment)?;
        }
        Ok(())
    }

    /// Attaches what sees promiscuity rise.
    pub fn witness(&mut self) -> Result<(), KernelError> {
        self.attach_all(WITNESS)
    }

    /// Gives back the memory that only loading and attaching take. Nothing can be
    /// attached to a hook afterwards.
    pub fn forget_types(&mut self) {
        self.btf = None;
        // SAFETY: it only looks for free pages.
        unsafe { libc::malloc_trim(0) };
    }

    /// Makes sure that every program is attached that should be, by what is
    /// pinned: opens each link.
    pub fn verify(&self) -> Result<(), KernelError> {
        let Some(set) = &self.set else {
            return Ok(());
        };
        for (program, _) in CGROUPS.iter().chain(JUDGES).chain(ANSWERERS) {
            let opened = PinnedLink::from_pin(set.link(program));
            match opened.and_then(|link| FdLink::from(link).info()) {
                Err(_) if OPTIONAL.contains(program) && !set.link(program).exists() => {}
                Ok(_info) => {}
                Err(source) => {
                    return Err(KernelError::Link {
                        program: (*program).to_owned(),
                        source: source.into(),
                    });
                }
            }
        }
        Ok(())
    }

    fn attach_all(&mut self, programs: &[(&'static str, Attachment)]) -> Result<(), KernelError> {
        for &(name, attachment) in programs {
            let loaded = self.load_program(name, attachment);
            match loaded.and_then(|()| self.attach(name, attachment)) {
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

    pub(super) fn load_program(
        &mut self,
        name: &'static str,
        attachment: Attachment,
    ) -> Result<(), KernelError> {
        let error = |source| KernelError::Program {
            act: "load",
            program: name,
            source,
        };
        let btf = self.btf.as_ref().ok_or(KernelError::NoObject)?;
        let program = program(&mut self.ebpf, name)?;
        macro_rules! load {
            ($kind:ty, $target:expr) => {{
                let program: &mut $kind = program.try_into().map_err(error)?;
                program.load($target, btf).map_err(error)
            }};
        }
        match attachment {
            Attachment::Lsm(hook) => load!(Lsm, hook),
            Attachment::Fentry(function) => load!(FEntry, function),
            Attachment::Fexit(function) => load!(FExit, function),
            Attachment::Tracepoint(name) => load!(BtfTracePoint, name),
        }
    }

    fn attach(&mut self, name: &'static str, attachment: Attachment) -> Result<(), KernelError> {
        let error = |source| KernelError::Program {
            act: "attach",
            program: name,
            source,
        };
        let pin = self.set.as_ref().map(|set| set.link(name));
        let program = program(&mut self.ebpf, name)?;
        macro_rules! attach {
            ($kind:ty) => {{
                let program: &mut $kind = program.try_into().map_err(error)?;
                let link = program.attach().map_err(error)?;
                if let Some(path) = pin {
                    let link = program.take_link(link).map_err(error)?;
                    pin_link(link.into(), name, &path)?;
                }
                Ok(())
            }};
        }
        match attachment {
            Attachment::Lsm(_) => attach!(Lsm),
            Attachment::Fentry(_) => attach!(FEntry),
            Attachment::Fexit(_) => attach!(FExit),
            Attachment::Tracepoint(_) => attach!(BtfTracePoint),
        }
    }

    /// Loads the program that sees option values.
    pub fn load_value_program(&mut self) -> Result<(), KernelError> {
        self.value_program()?
            .load()
            .map_err(|source| KernelError::Program {
                act: "load",
                program: VALUE_PROGRAM,
                source,
            })
    }

    /// Attaches it to the cgroup `id` whose folder is `path`, for the sockets made
    /// there and below.
    pub fn attach_value_program(&mut self, id: u64, path: &Path) -> Result<ValueLink, KernelError> {
        let error = |source: io::Error| KernelError::Cgroup {
            path: path.display().to_string(),
            source: source.into(),
        };
        let pin = self.pins.as_ref().map(|pins| pins.value_link(id));
        let cgroup = File::open(path).map_err(error)?;
        let program = self.value_program_fd()?;
        let link =
            sys::attach_to_cgroup(program.as_fd(), cgroup.as_fd(), sys::BPF_CGROUP_SETSOCKOPT)
                .map_err(error)?;
        let Some(pin) = pin else {
            return Ok(ValueLink::Held(link));
        };
        // One that an earlier cgroup of this id has left is of no use.
        let _absent = fs::remove_file(&pin);
        sys::pin(link.as_fd(), &pin).map_err(error)?;
        Ok(ValueLink::Pinned(pin))
    }

    /// Where an earlier set has pinned links of its value program, by cgroup.
    pub fn pinned_value_links(&self) -> Vec<(u64, ValueLink)> {
        let Some(pins) = &self.pins else {
            return Vec::new();
        };
        let ids = pins.value_links().into_iter();
        ids.map(|id| (id, ValueLink::Pinned(pins.value_link(id))))
            .collect()
    }

    /// Puts this set's value program into a link that an earlier set has pinned.
    /// False if its cgroup is gone, and the link with it.
    pub fn take_over_value_link(&mut self, link: &ValueLink) -> Result<bool, KernelError> {
        match link {
            ValueLink::Held(_) => Ok(true),
            ValueLink::Pinned(pin) => self.replace_value_program(pin),
        }
    }

    fn replace_value_program(&mut self, pin: &Path) -> Result<bool, KernelError> {
        let program = self.value_program_fd()?;
        let link = sys::open_pinned(pin);
        match link.and_then(|link| sys::replace_program(link.as_fd(), program.as_fd())) {
            Ok(()) => Ok(true),
            // cgroup_bpf_replace, of a link whose cgroup was removed.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {
                ValueLink::Pinned(pin.to_owned()).detach();
                Ok(false)
            }
            Err(error) => Err(KernelError::Link {
                program: VALUE_PROGRAM.to_owned(),
                source: error.into(),
            }),
        }
    }

    fn value_program_fd(&mut self) -> Result<&ProgramFd, KernelError> {
        let program = self.value_program()?;
        program.fd().map_err(|source| KernelError::Program {
            act: "attach",
            program: VALUE_PROGRAM,
            source,
        })
    }

    fn value_program(&mut self) -> Result<&mut CgroupSockopt, KernelError> {
        program(&mut self.ebpf, VALUE_PROGRAM)?
            .try_into()
            .map_err(|source| KernelError::Program {
                act: "load",
                program: VALUE_PROGRAM,
                source,
            })
    }
}

/// A set shares with the one before what is the same for both.
fn new_set(pins: &Pins, earlier: Option<&PinnedSet>) -> Result<PinnedSet, KernelError> {
    let same = earlier.filter(|earlier| earlier.has_our_layout());
    Ok(pins.new_set(same, TAKEN_OVER)?)
}

fn pin_link(link: FdLink, program: &str, path: &Path) -> Result<(), KernelError> {
    match link.pin(path) {
        Ok(_pinned) => Ok(()),
        Err(source) => Err(KernelError::Link {
            program: program.to_owned(),
            source: source.into(),
        }),
    }
}

pub(super) fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut aya::programs::Program, KernelError> {
    ebpf.program_mut(name).ok_or(KernelError::NoObject)
}

/// Tries whether this kernel lets us load a program of each kind that takes a
/// capability of its own: one of LSM, and the one that judges values. Attaches
/// nothing, and drops them. The error says what the kernel answered.
pub fn probe_load() -> Result<(), String> {
    let mut programs =
        Programs::load(&LoadOptions::default()).map_err(|error| error.to_string())?;
    let btf = programs
        .btf
        .as_ref()
        .ok_or_else(|| KernelError::NoObject.to_string())?;
    let program: &mut Lsm = program(&mut programs.ebpf, "socket_setsockopt")
        .map_err(|error| error.to_string())?
        .try_into()
        .map_err(|error: ProgramError| error.to_string())?;
    program
        .load("socket_setsockopt", btf)
        .map_err(|error| told(&error))?;
    programs
        .load_value_program()
        .map_err(|error| error.to_string())
}
