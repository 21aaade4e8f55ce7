//! Why programs could not be loaded, attached or pinned.

use aya::maps::MapError;
use aya::programs::ProgramError;

use super::layout::{LayoutError, VMLINUX_BTF};
use super::pins::PinError;
use super::symbols::SymbolError;

/// Why programs could not be loaded or attached.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The agent was built without the programs.
    #[error("this agent was built without its eBPF programs: build it with `cargo xtask build`")]
    NoObject,
    /// The kernel's layout could not be found.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Functions of the kernel could not be found.
    #[error(transparent)]
    Symbols(#[from] SymbolError),
    /// The programs have not seen the control message that they were shown.
    #[error(
        "cannot show the eBPF programs a control message: {0}; the agent needs one socket of \
         AF_INET for it (RestrictAddressFamilies= of a systemd unit must have it)"
    )]
    ControlMessage(#[source] nix::Error),
    /// The kernel's BTF could not be read.
    #[error("{VMLINUX_BTF}: {0}")]
    Btf(#[from] aya::BtfError),
    /// The object or its maps were refused.
    #[error("cannot load the eBPF maps: {0}; `netadmin-agent doctor` says what is missing")]
    Object(#[from] aya::EbpfError),
    /// One program was refused.
    #[error(
        "cannot {act} the eBPF program `{program}`: {}; \
         `netadmin-agent doctor` says what is missing",
        told(source)
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
    /// The kernel did not wait for programs that run.
    #[error("cannot wait for the eBPF programs that are running (a map of maps): {error}")]
    Wait {
        /// What the system says.
        error: std::io::Error,
    },
    /// Something could not be pinned, or taken over.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A link could not be pinned.
    #[error("cannot pin the link of the eBPF program `{program}`: {source}")]
    Link {
        /// The program.
        program: String,
        /// The kernel's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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

/// What the kernel answered.
pub fn told(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => refusal(io_error, &verifier_log.to_string()),
        other => other.to_string(),
    }
}

/// A refused load: the verifier is quoted only if it was asked.
fn refusal(error: &std::io::Error, log: &str) -> String {
    match log.trim() {
        "" => format!("BPF_PROG_LOAD: {error}"),
        log => format!("BPF_PROG_LOAD: {error}; the verifier says: {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn a_verifier_that_has_said_nothing_is_not_quoted() {
        let error = std::io::Error::from_raw_os_error(1);
        assert!(!refusal(&error, "\n").contains("verifier"));
        assert!(refusal(&error, "R1 is a scalar\n").ends_with("R1 is a scalar"));
    }
}
