//! Empty programs on the hooks of the agent's, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use aya::programs::{FEntry, Lsm, Program, ProgramError, loaded_programs};
use aya::{Btf, Ebpf};

use crate::rig::child::{self, Child};

/// Where `cargo xtask bench` puts the object (netadmin-ebpf/src/floor.rs).
pub const OBJECT: &str = "/bin/netadmin-floor";

/// Programs that do not have the name of their hook.
const RENAMED: &[(&str, &str)] = &[
    ("sysfs_flags", "flags_store"),
    ("sysfs_write", "sysfs_kf_write"),
];

/// `enum bpf_prog_type` (linux/bpf.h).
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_PROG_TYPE_LSM: u32 = 29;

/// Not on all kernels, as in the agent.
const OPTIONAL: &[&str] = &["file_ioctl_compat"];

/// Attached empty programs. Dropping it detaches them. (In a process of its own:
/// what the loader needs of memory would make every later fork dearer.)
pub struct Floor {
    names: BTreeSet<String>,
    _process: Child,
}

impl Floor {
    /// Loads and attaches them.
    pub fn attach(object: &Path) -> Result<Self> {
        let (names, process) = child::spawn(|| {
            let object = attach_all(object)?;
            let names: BTreeSet<_> = object.programs().map(|(name, _)| cut(name)).collect();
            Ok((names, object))
        })?;
        Ok(Self {
            names,
            _process: process,
        })
    }

    /// The names of the programs.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }
}

fn attach_all(object: &Path) -> Result<Ebpf> {
    let btf = Btf::from_sys_fs().context("read the kernel's BTF")?;
    let mut object = Ebpf::load_file(object).context("load the empty programs")?;
    for (name, program) in object.programs_mut() {
        match attach(name, program, &btf) {
            // The kernel's BTF does not know the hook.
            Err(ProgramError::Btf(_)) if OPTIONAL.contains(&name) => {}
            outcome => outcome.with_context(|| format!("attach the empty {name}"))?,
        }
    }
    Ok(object)
}

fn attach(name: &str, program: &mut Program, btf: &Btf) -> Result<(), ProgramError> {
    let renamed = RENAMED.iter().find(|(own, _)| *own == name);
    let hook = renamed.map_or(name, |(_, hook)| hook);
    match program {
        Program::Lsm(lsm) => {
            let lsm: &mut Lsm = lsm;
            lsm.load(hook, btf)?;
            lsm.attach()?;
        }
        Program::FEntry(fentry) => {
            let fentry: &mut FEntry = fentry;
            fentry.load(hook, btf)?;
            fentry.attach()?;
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    }
    Ok(())
}

/// Fails if the agent, which runs now, has a program on a hook where the floor
/// has none.
pub fn check_against_agent(floor: &BTreeSet<String>) -> Result<()> {
    let mut missing = Vec::new();
    for program in loaded_programs() {
        let program = program.context("list the programs")?;
        let kind = program.program_type() as u32;
        let name = program.name_as_str().unwrap_or_default().to_owned();
        let on_calls = [BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM].contains(&kind);
        if on_calls && !NOT_ON_CALLS.iter().any(|one| cut(one) == name) && !floor.contains(&name) {
            missing.push(name);
        }
    }
    ensure!(
        missing.is_empty(),
        "the floor lacks the agent's {missing:?}: add them to netadmin-ebpf/src/floor.rs"
    );
    Ok(())
}

/// Programs that no measured call meets.
const NOT_ON_CALLS: &[&str] = &[
    "cgroup_mkdir",
    "cgroup_rmdir",
    "control_message",
    "control_message_done",
    "family",
    "promiscuity_breach",
    "sysctl_write",
    "sysfs_write_done",
];

/// As the kernel keeps names (`BPF_OBJ_NAME_LEN`).
fn cut(name: &str) -> String {
    name.chars().take(15).collect()
}
