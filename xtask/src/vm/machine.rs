//! One qemu, from its start to its end.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::kernels::Kernel;
use crate::marks::Marks;

/// Longer than any boot that ends well, on a busy machine too.
const BOOT_TIMEOUT: Duration = Duration::from_secs(90);

const QEMU: &str = "qemu-system-x86_64";

const HARDWARE: &str = "-cpu max -m 1024 -nodefaults -no-user-config \
    -display none -nic none -monitor none";

/// Self-tests and keys, which take a fifth of an emulated boot and serve nobody here.
const NEEDLESS: &str = "cryptomgr.notests=1 initcall_blacklist=jent_mod_init,\
    crypto_kdf108_init,init_encrypted,load_system_certificate_list";

/// How the guest's processors are emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processors {
    /// Two that take turns. Costs nothing while tests run one after another.
    InTurn,
    /// Two that run at the same time. Before version 8.1 qemu loses a race with
    /// a kernel that patches its own code, as it does for static keys and BPF
    /// trampolines: a guest in seven crashed.
    Parallel,
    /// One, whose clock counts instructions: each takes a nanosecond, and time
    /// that nobody uses is skipped. qemu allows it for no parallel processors.
    Counted,
}

impl Processors {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::InTurn => &["-accel", "tcg,thread=single", "-smp", "2"],
            Self::Parallel => &["-accel", "tcg,thread=multi", "-smp", "2"],
            Self::Counted => &[
                "-accel",
                "tcg,thread=single",
                "-smp",
                "1",
                "-icount",
                "shift=0,sleep=off",
            ],
        }
    }
}

/// What one boot is made of.
#[derive(Debug)]
pub struct Machine<'a> {
    /// The kernel that is booted.
    pub kernel: &'a Kernel,
    /// Its file system.
    pub initramfs: &'a Path,
    /// A node's disk, and with it the right to reboot. What the guest writes to it
    /// lasts as long as the machine, reboots included.
    pub disk: Option<&'a Path>,
    /// Where the kernel's console is written.
    pub console: PathBuf,
    /// More words for the kernel's command line.
    pub append: &'a str,
    /// The guest's terminal is ours.
    pub interactive: bool,
    /// How its processors are emulated.
    pub processors: Processors,
    /// How long the command may take.
    pub timeout: Option<Duration>,
}

/// How a boot ended.
#[derive(Debug)]
pub enum Run {
    /// The command ended with this status, and the machine powered off.
    Finished(i32),
    /// Init came up, but the command's end was not seen.
    Died(String),
    /// Init did not come up.
    NeverReady(String),
}

impl Machine<'_> {
    /// Boots it and waits for its end.
    pub fn run(&self, output: &mut dyn FnMut(&[u8])) -> Result<Run> {
        // qemu appends nothing when it dies early: an older log would mislead.
        fs::write(&self.console, "")
            .with_context(|| format!("create {}", self.console.display()))?;
        let mut child = self.start()?;
        let chunks = read_in_background(&mut child)?;
        let mut marks = Marks::default();
        let trouble = self.follow(&chunks, &mut marks, output);
        // Powered off, hung or dead: it has nothing more to say.
        let _ = child.kill();
        child.wait().context("wait for qemu")?;
        Ok(match (marks.status(), marks.ready(), trouble?) {
            (Some(status), ..) => Run::Finished(status),
            (None, true, reason) => Run::Died(reason.to_owned()),
            (None, false, reason) => Run::NeverReady(reason.to_owned()),
        })
    }

    /// Passes output on until qemu closes its end, or time is up; says which.
    fn follow(
        &self,
        chunks: &Receiver<Vec<u8>>,
        marks: &mut Marks,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<&'static str> {
        let started = Instant::now();
        loop {
            let limit = if marks.ready() {
                self.timeout
            } else {
                Some(BOOT_TIMEOUT)
            };
            let left = limit.map(|limit| limit.saturating_sub(started.elapsed()));
            match chunks.recv_timeout(left.unwrap_or(Duration::MAX)) {
                Ok(chunk) => output(&marks.take(&chunk)?),
                Err(RecvTimeoutError::Disconnected) => return Ok("the machine stopped"),
                Err(RecvTimeoutError::Timeout) => return Ok("no end in the time allowed"),
            }
        }
    }

    fn start(&self) -> Result<Child> {
        let mut command = Command::new(QEMU);
        // KVM is not asked for: a stock kernel hangs under some hosts' KVM.
        command.args(self.processors.arguments());
        command.args(HARDWARE.split_whitespace()).arg("-serial");
        command.arg(format!("file:{}", self.console.display()));
        command.args(["-chardev", "stdio,id=results,signal=off"]);
        command.args(["-serial", "chardev:results"]);
        command.arg("-kernel").arg(&self.kernel.image);
        command.arg("-initrd").arg(self.initramfs);
        command.args(["-append", &self.command_line()]);
        match self.disk {
            Some(disk) => {
                let drive = format!(
                    "if=none,id=disk,format=raw,snapshot=on,file={}",
                    disk.display()
                );
                command.args(["-drive", &drive]);
                // Its driver is in every kernel's image.
                command.args(["-device", "nvme,drive=disk,serial=disk"]);
            }
            None => drop(command.arg("-no-reboot")),
        }
        command.stdout(Stdio::piped());
        if !self.interactive {
            command.stdin(Stdio::null());
        }
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe { command.pre_exec(die_with_parent) };
        let started = command.spawn();
        started.with_context(|| format!("start {QEMU}; `cargo xtask setup` installs it"))
    }

    fn command_line(&self) -> String {
        // loglevel 5 shows warnings: they are failures, and so is an oops.
        let mut words = format!("console=ttyS0 loglevel=5 panic=-1 oops=panic {NEEDLESS}");
        if let Some(list) = self.kernel.lsm_list_without_bpf() {
            words += &format!(" lsm={list},bpf");
        }
        format!("{words} {}", self.append)
    }
}

/// An emulator nobody waits for would go on taking both cores.
fn die_with_parent() -> std::io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(
        nix::sys::signal::Signal::SIGKILL,
    )?)
}

fn read_in_background(child: &mut Child) -> Result<Receiver<Vec<u8>>> {
    let mut source = child.stdout.take().context("qemu has no output")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = source.read(&mut buffer) {
            if sender.send(buffer[..size].to_vec()).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
