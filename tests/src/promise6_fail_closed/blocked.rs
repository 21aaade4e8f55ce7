//! The program that sees values cannot be attached: what would need it is refused.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::{Context as _, Result, ensure};

use crate::rig::{Cgroup, Container, Standing, Trials, Way, errno_of};

const BLOCKED: &str = "/netadmin-test/blocked";
const POLICY: &str = r#"version = 1
[[policy]]
name = "values"
match.cgroups = ["/netadmin-test/blocked/new-*", "/netadmin-test/open/new-*"]
[policy.promiscuous]
default = "deny"
[policy.setsockopt]
SO_MARK = { allow = [13] }
"#;

pub fn add(trials: &mut Trials) {
    trials.alone(
        "where_the_program_that_sees_values_cannot_be_attached_what_needs_it_is_refused",
        blocked,
    );
}

/// An exclusive program above lets none be attached below
/// (`hierarchy_allows_attach`).
fn blocked() -> Result<()> {
    let blocked = Cgroup::make(BLOCKED)?;
    let exclusive = attach_exclusive(&blocked).context("attach an exclusive program")?;
    let mut standing = Standing::start(POLICY)?;
    // The value that the policy allows, and a membership that it does not.
    let tried = |path: &str| -> Result<(i32, i32)> {
        let container = Container::within(&Cgroup::make(path)?)?;
        let errno =
            |way: Way| Ok::<_, anyhow::Error>(errno_of(&container.attempt(|| way.attempt())?));
        Ok((errno(Way::Mark)?, errno(Way::Membership)?))
    };
    let (new, open, free) = (
        "new-1",
        "/netadmin-test/open/new-1",
        "/netadmin-test/blocked/free",
    );
    let new = format!("{BLOCKED}/{new}");
    Cgroup::make(&new)?;
    let agent = standing.agent()?;
    agent.wait_for_line("netadmin-agent: error: cannot attach")?;
    let found = (tried(&new)?, tried(free)?);
    ensure!(found == ((libc::EPERM, libc::EPERM), (0, 0)), "{found:?}");
    // Where nothing is in the way, the value counts.
    Cgroup::make(open)?;
    let open_found = crate::rig::poll(std::time::Duration::from_secs(60), || {
        let found = tried(open).ok()?;
        (found == (0, libc::EPERM)).then_some(())
    });
    open_found.with_context(|| format!("{:?}", tried(open)))?;
    standing.unload()?;
    ensure!(tried(&new)? == (0, 0));
    drop(exclusive);
    for path in [&new, free, BLOCKED, open, "/netadmin-test/open"] {
        Cgroup::make(path)?.remove()?;
    }
    Ok(())
}

/// linux/bpf.h.
const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_SOCKOPT: u32 = 25;
const BPF_CGROUP_SETSOCKOPT: u32 = 22;

/// The part of `union bpf_attr` that loading takes.
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    reserved: [u32; 11],
    expected_attach_type: u32,
}

/// And attaching.
#[repr(C)]
struct Attach {
    target_fd: u32,
    prog_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// Attaches a program that lets everything pass, and nobody beside it. It goes with the
/// cgroup.
fn attach_exclusive(cgroup: &Cgroup) -> io::Result<OwnedFd> {
    /// `r0 = 1; exit`
    const PASS: [u64; 2] = [0x0000_0001_0000_00b7, 0x95];
    let load = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_SOCKOPT,
        insn_cnt: 2,
        insns: PASS.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        reserved: [0; 11],
        expected_attach_type: BPF_CGROUP_SETSOCKOPT,
    };
    let program = bpf(BPF_PROG_LOAD, &load)?;
    // SAFETY: the call has just opened it for us.
    let program = unsafe { OwnedFd::from_raw_fd(program) };
    let directory = File::open(cgroup.directory())?;
    let attach = Attach {
        target_fd: directory.as_raw_fd().cast_unsigned(),
        prog_fd: program.as_raw_fd().cast_unsigned(),
        attach_type: BPF_CGROUP_SETSOCKOPT,
        flags: 0,
    };
    bpf(BPF_PROG_ATTACH, &attach)?;
    Ok(program)
}

fn bpf<T>(command: i32, attribute: &T) -> io::Result<i32> {
    // SAFETY: a whole record of the call's kind, which outlives the call, and its size.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attribute),
            size_of::<T>(),
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}
