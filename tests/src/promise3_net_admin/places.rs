//! Where the capability is asked for, told apart: what an earlier call was
//! granted is not granted to a later one, and what nothing explains is refused.

use std::fs::{self, File};
use std::io::{self, Write as _};

use anyhow::{Result, ensure};

use crate::attack::ioctl::{self, Family};
use crate::attack::link;
use crate::attack::process::shell;
use crate::rig::{Event, Expected, Refusal, Stage, Trials, Watch, make};

/// Grants making links and nothing else.
const POLICY: &str = deny_all_but!("link.create.*");

/// The same, and what is not known.
const WITH_UNCLASSIFIED: &str = deny_all_but!("unclassified");

/// Grants addresses and nothing else.
const ADDRESSES: &str = deny_all_but!("addr.*");

pub fn add(trials: &mut Trials) {
    trials.unguarded(POLICY, "sysfs_write_succeeds_unguarded", |stage| {
        let container = stage.unguarded()?;
        container.set_up(|| make::dummy("dev0"))?;
        container.run(|| fs::write("/sys/class/net/dev0/mtu", "1400"))
    });
    trials.guarded(
        POLICY,
        "sysfs_write_after_a_granted_netlink_message_is_refused",
        after_a_granted_message,
    );
    trials.unguarded(POLICY, "pf_key_socket_succeeds_unguarded", |stage| {
        stage.unguarded()?.run(pf_key)
    });
    trials.guarded(POLICY, "pf_key_socket_is_refused", |stage| {
        refused(stage, pf_key, "socket.create")
    });
    let deletes = Expected {
        operation: "addr.delete",
        via: "SIOCSIFFLAGS",
        interface: None,
    };
    let labelled = || ioctl::set_flags(Family::Inet, "dev0:x", 0);
    Refusal::new(
        "siocsifflags_that_deletes_an_address",
        deletes,
        labelled,
        || {
            Ok(!shell("ip addr show label dev0:x")?
                .stdout
                .contains("192.0.2.1"))
        },
    )
    .on(|| {
        make::dummy("dev0")?;
        shell("ip addr add 192.0.2.1/24 dev dev0 label dev0:x").map(drop)
    })
    .under(POLICY)
    .twins(trials);
    let makes = Expected {
        operation: "link.create.tunnel",
        via: "ioctl",
        interface: None,
    };
    let tunnel = || ioctl::add_tunnel_by_destination([192, 0, 2, 9]);
    Refusal::new("siocsifdstaddr_that_makes_a_tunnel", makes, tunnel, || {
        Ok(!shell("ip -br link show type sit up")?.stdout.is_empty())
    })
    .needs(&["sit"])
    .on(|| shell("ip tunnel add sit7 mode sit remote 192.0.2.7").map(drop))
    .under(ADDRESSES)
    .twins(trials);
    trials.unguarded(POLICY, "unknown_ioctl_succeeds_unguarded", |stage| {
        stage.unguarded()?.run(unix_file)
    });
    trials.guarded(
        POLICY,
        "unknown_ioctl_is_refused_as_unclassified",
        |stage| refused(stage, unix_file, "unclassified"),
    );
    trials.guarded(
        WITH_UNCLASSIFIED,
        "unknown_ioctl_passes_where_unclassified_is_granted",
        |stage| {
            let watch = Watch::begin(stage)?;
            stage.guarded()?.run(unix_file)?;
            watch.saw_no_event()
        },
    );
}

fn refused(stage: &Stage<'_>, act: fn() -> io::Result<()>, operation: &str) -> Result<()> {
    let container = stage.guarded()?;
    let watch = Watch::begin(stage)?;
    let errno = crate::rig::errno_of(&container.attempt(act)?);
    one(&watch.events()?, operation)?;
    ensure!(errno == libc::EPERM, "errno {errno}");
    Ok(())
}

fn one(events: &[Event], operation: &str) -> Result<()> {
    let right = matches!(events, [event]
        if event.operation.as_deref() == Some(operation) && event.event == "refused");
    ensure!(right, "not one event of {operation}: {events:#?}");
    Ok(())
}

/// The record of the message is still there when the file is written.
fn after_a_granted_message(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?;
    container.set_up(|| make::dummy("dev0"))?;
    let watch = Watch::begin(stage)?;
    let (made, written) = container.run(|| {
        let mut file = File::options()
            .write(true)
            .open("/sys/class/net/dev0/mtu")?;
        let made: io::Result<()> = link::request(link::create("new0", "dummy"));
        let written = file.write_all(b"1400");
        Ok((crate::rig::errno_of(&made), crate::rig::errno_of(&written)))
    })?;
    ensure!(made == 0 && written == libc::EPERM, "{made}, {written}");
    one(&watch.events()?, "sysfs.write")
}

/// Makes a PF_KEY socket.
pub fn pf_key() -> io::Result<()> {
    // SAFETY: no pointers are passed.
    match unsafe { libc::socket(libc::AF_KEY, libc::SOCK_RAW, 2) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// `SIOCUNIXFILE` (linux/un.h): a descriptor of the socket's file.
const SIOCUNIXFILE: libc::c_ulong = 0x89e0;

/// An ioctl that the catalogue does not have.
fn unix_file() -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let path = format!("/tmp/socket-{}", std::process::id());
    let socket = std::os::unix::net::UnixDatagram::bind(&path)?;
    // SAFETY: the command takes no argument.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCUNIXFILE as _, 0) };
    let result = match answer {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    };
    fs::remove_file(&path)?;
    result
}
