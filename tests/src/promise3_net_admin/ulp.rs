//! `TCP_ULP`: the capability lets a module be loaded, and nothing else. What shows it
//! is the program that the kernel runs to load one.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use libc::{AF_INET, ENOENT, SOCK_STREAM, SOL_TCP};

use super::options::named;
use crate::attack::sockopt::{open_socket, set_bytes};
use crate::rig::{Container, Stage, Trials, Watch, errno_of};

const POLICY: &str = deny_all_but!("setsockopt.TCP_CONGESTION");

const OPERATION: &str = "setsockopt.TCP_ULP";

const GRANTED: &str = deny_all_but!("setsockopt.TCP_ULP");

pub fn add(trials: &mut Trials) {
    trials.unguarded(POLICY, "tcp_ulp_has_a_module_loaded_unguarded", |stage| {
        ensure!(loads(&stage.unguarded()?)?, "nothing was run");
        Ok(())
    });
    trials.guarded(POLICY, "tcp_ulp_is_refused", |stage| {
        let watch = Watch::begin(stage)?;
        ensure!(!loads(&stage.guarded()?)?, "a module was asked for");
        named(&watch, &[OPERATION])
    });
    trials.guarded(GRANTED, "tcp_ulp_passes_where_it_is_granted", granted);
}

fn granted(stage: &Stage<'_>) -> Result<()> {
    let watch = Watch::begin(stage)?;
    ensure!(loads(&stage.guarded()?)?, "nothing was run");
    watch.saw_no_event()
}

/// Whether a protocol that is not there leads to a try to load it.
fn loads(container: &Container) -> Result<bool> {
    let loader = Loader::replace()?;
    let set = container.attempt(|| {
        let socket = open_socket(AF_INET, SOCK_STREAM, 0)?;
        set_bytes(socket.as_fd(), SOL_TCP, libc::TCP_ULP, b"nothing")
    })?;
    ensure!(errno_of(&set) == ENOENT, "{set:?}");
    loader.was_asked()
}

/// The sysctl that names the program; it is given the module's alias.
const PATH: &str = "/proc/sys/kernel/modprobe";
const SCRIPT: &str = "/tmp/load-module";
const ASKED: &str = "/tmp/load-module.asked";

/// A program in place of the usual one, until it is dropped.
struct Loader {
    usual: String,
}

impl Loader {
    fn replace() -> Result<Self> {
        let usual = fs::read_to_string(PATH)?;
        let lines = format!(
            "#!/bin/sh\necho \"$@\" >> {ASKED}\nexec {} \"$@\"\n",
            usual.trim()
        );
        fs::write(SCRIPT, lines)?;
        fs::set_permissions(SCRIPT, Permissions::from_mode(0o755))?;
        fs::write(PATH, SCRIPT)?;
        Ok(Self { usual })
    }

    fn was_asked(&self) -> Result<bool> {
        match fs::read_to_string(ASKED) {
            Ok(asked) => Ok(asked.contains("tcp-ulp-nothing")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        let restored = fs::write(PATH, self.usual.trim());
        for file in [SCRIPT, ASKED] {
            drop(fs::remove_file(file));
        }
        restored.expect("the usual program restored");
    }
}
