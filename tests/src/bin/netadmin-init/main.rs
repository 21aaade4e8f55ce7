//! The guest's PID 1: prepares the machine, runs one command, tells how it
//! ended, and powers off.
//!
//! The command's output goes to the second serial port, away from the kernel's
//! console on the first, so that no kernel message can land inside a result.
//! Three files in the initramfs, written by `xtask`, say what to do:
//! `/etc/netadmin/command` (arguments, each ended by a NUL byte),
//! `/etc/netadmin/environment` (`NAME=value`, the same way), and
//! `/lib/modules/load-order` (kernel modules: path, space, parameters). A fourth,
//! `/etc/netadmin/disk`, makes the machine a node: see `node.rs`.

mod node;

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{
    ControlFlags, LocalFlags, OutputFlags, SetArg, tcdrain, tcgetattr, tcsetattr,
};
use nix::unistd::Pid;

/// Where the command's output goes; `xtask` reads the other end.
const RESULTS: &str = "/dev/ttyS1";

/// Marks, which no ordinary output contains. `xtask/src/marks.rs` has the same.
const READY_MARK: &str = "\x1enetadmin-init ready\x1e";
const EXIT_MARK: &str = "\x1enetadmin-init exit ";

/// The status reported when the command could not even be started.
const CANNOT_START: i32 = 127;

/// What is mounted where: type, target, options.
type Mount = (&'static str, &'static str, &'static str);

/// What init itself needs.
const KERNEL_MOUNTS: &[Mount] = &[
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", ""),
];

/// What an ordinary machine has besides; on a node systemd sees to it.
const OTHER_MOUNTS: &[Mount] = &[
    ("devpts", "/dev/pts", "ptmxmode=0666"),
    ("tmpfs", "/dev/shm", ""),
    ("tmpfs", "/run", "mode=0755"),
    ("tmpfs", "/tmp", "mode=1777"),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("bpf", "/sys/fs/bpf", "mode=0700"),
    ("tracefs", "/sys/kernel/tracing", ""),
    ("debugfs", "/sys/kernel/debug", ""),
    ("securityfs", "/sys/kernel/security", ""),
];

fn main() {
    let work = if std::process::id() == 1 {
        boot
    } else {
        node::job
    };
    let status = match work() {
        Ok(status) => status,
        Err(error) => {
            let text = format!("netadmin-init: {error:#}\n");
            eprint!("{text}");
            // It is the run's result too; the port may be what failed.
            let _ = announce(&text);
            CANNOT_START
        }
    };
    if let Err(error) = announce(&format!("{EXIT_MARK}{status}\x1e")) {
        eprintln!("netadmin-init: {error:#}");
    }
    nix::unistd::sync();
    let Err(error) = reboot(RebootMode::RB_POWER_OFF);
    eprintln!("netadmin-init: power off: {error}");
    // If PID 1 returned, the kernel would panic and hide the reason.
    sleep(Duration::MAX);
}

/// Prepares the guest and runs the command; the result is its exit status.
fn boot() -> Result<i32> {
    mount_all(KERNEL_MOUNTS)?;
    prepare_results_port()?;
    announce(READY_MARK)?;
    // On the console, where it divides the kernel's messages.
    eprintln!("netadmin-init: ready");
    load_modules()?;
    if let Some(disk) = node::disk()? {
        return Err(node::switch_to(&disk)?.into());
    }
    mount_all(OTHER_MOUNTS)?;
    bring_loopback_up()?;
    run_command()
}

fn mount_all(mounts: &[Mount]) -> Result<()> {
    for (kind, target, options) in mounts {
        fs::create_dir_all(target).with_context(|| format!("create {target}"))?;
        mount(
            Some(*kind),
            *target,
            Some(*kind),
            MsFlags::empty(),
            Some(*options),
        )
        .with_context(|| format!("mount {kind} on {target}"))?;
    }
    Ok(())
}

/// Sets the results port so that bytes reach the host as they were written.
fn prepare_results_port() -> Result<()> {
    let port = open_results()?;
    let mut settings = tcgetattr(&port).with_context(|| format!("tcgetattr {RESULTS}"))?;
    // The emulated port has no line speed, but the kernel's time-outs believe in
    // it. Bits, because a static program cannot link libc's cfsetspeed.
    let other_bits = settings.control_flags.bits() & !libc::CBAUD;
    settings.control_flags = ControlFlags::from_bits_retain(other_bits | libc::B115200);
    if !is_interactive() {
        settings.output_flags.remove(OutputFlags::OPOST);
        settings.local_flags.remove(LocalFlags::ECHO);
    }
    tcsetattr(&port, SetArg::TCSANOW, &settings).with_context(|| format!("tcsetattr {RESULTS}"))
}

/// Somebody sits at the other end, and the port is their terminal.
fn is_interactive() -> bool {
    fs::exists("/etc/netadmin/interactive").unwrap_or(false)
}

fn open_results() -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(RESULTS)
        .with_context(|| format!("open {RESULTS}"))
}

/// Writes a mark for `xtask` and waits until it has left the port.
fn announce(mark: &str) -> Result<()> {
    let mut port = open_results()?;
    port.write_all(mark.as_bytes())
        .with_context(|| format!("write to {RESULTS}"))?;
    tcdrain(port.as_fd()).with_context(|| format!("drain {RESULTS}"))
}

/// Loads the modules the tests need, in the order that their dependencies ask.
fn load_modules() -> Result<()> {
    let list = "/lib/modules/load-order";
    if !fs::exists(list).unwrap_or(false) {
        return Ok(());
    }
    for line in fs::read_to_string(list)
        .with_context(|| format!("read {list}"))?
        .lines()
    {
        let (path, parameters) = line.split_once(' ').context("a line without parameters")?;
        // A module that does not load is one test's trouble, not the whole boot's.
        if let Err(error) = load_module(path, parameters) {
            eprintln!("netadmin-init: {error:#}");
        }
    }
    Ok(())
}

fn load_module(path: &str, parameters: &str) -> Result<()> {
    let module = File::open(path).with_context(|| format!("open module {path}"))?;
    let parameters = CString::new(parameters).context("module parameters")?;
    finit_module(&module, &parameters, ModuleInitFlags::empty())
        .with_context(|| format!("load module {path}"))
}

/// `ip link set lo up`, without starting a process for it.
fn bring_loopback_up() -> Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").context("open a socket")?;
    // SAFETY: ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = up.try_into().context("interface flags")?;
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&socket);
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which outlives the call.
    if unsafe { libc::ioctl(descriptor, libc::SIOCSIFFLAGS, &raw const request) } != 0 {
        return Err(std::io::Error::last_os_error()).context("bring lo up");
    }
    Ok(())
}

fn run_command() -> Result<i32> {
    let arguments = nul_terminated("/etc/netadmin/command")?;
    let Some((program, arguments)) = arguments.split_first() else {
        bail!("/etc/netadmin/command is empty");
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/root");
    for setting in nul_terminated("/etc/netadmin/environment")? {
        let (name, value) = setting.split_once('=').context("environment without '='")?;
        command.env(name, value);
    }
    if is_interactive() {
        run_on_terminal(command)
    } else {
        run_in_pipe(command)
    }
    .with_context(|| format!("run {program}"))
}

/// Runs the command with its output in a pipe, so that programs see no terminal.
fn run_in_pipe(mut command: Command) -> Result<i32> {
    let (mut output, input) = std::io::pipe().context("make a pipe")?;
    let mut port = open_results()?;
    let copier = spawn(move || std::io::copy(&mut output, &mut port));
    command
        .stdin(Stdio::null())
        .stdout(input.try_clone().context("copy the pipe")?)
        .stderr(input);
    let child = command.spawn()?;
    // The command holds our ends of the pipe; the copier ends when all are closed.
    drop(command);
    let status = wait_for(child.id().try_into().context("process id")?)?;
    // What the command left behind may hold the pipe open: nobody waits for it.
    // There may be nobody to kill.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    if copier.join().is_err() {
        bail!("copying the output failed");
    }
    Ok(status)
}

/// Runs the command on the port itself, as its terminal.
fn run_on_terminal(mut command: Command) -> Result<i32> {
    command
        .stdin(open_results()?)
        .stdout(open_results()?)
        .stderr(open_results()?);
    // SAFETY: the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(take_terminal) };
    let child = command.spawn()?;
    wait_for(child.id().try_into().context("process id")?)
}

/// Makes standard input the controlling terminal, so that ^C and job control work.
fn take_terminal() -> std::io::Result<()> {
    nix::unistd::setsid()?;
    // SAFETY: TIOCSCTTY takes an integer and touches no memory of ours.
    if unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

/// Reaps every orphan, as PID 1 must, until `child` itself has ended.
fn wait_for(child: i32) -> Result<i32> {
    loop {
        let mut status = 0;
        // SAFETY: waitpid writes one int, which outlives the call.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if ended == child {
            return Ok(shell_status(ExitStatus::from_raw(status)));
        }
        if ended < 0 {
            return Err(std::io::Error::last_os_error()).context("wait for the command");
        }
    }
}

/// The status as a shell would give it: 128 and the signal for a killed command.
fn shell_status(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

fn nul_terminated(path: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}
