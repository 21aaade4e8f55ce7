//! An attacker at full speed.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::container::{Container, Running};
use super::errno_of;
use crate::attack::ioctl::{Family, change_flags};
use crate::attack::link::{self, RTM_SETLINK};
use crate::attack::sockopt::udp_socket;
use crate::attack::{IFF_PROMISC, Membership, SocketOption, Target, index_of, packet, sysctl};

/// One way to break the usual policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `SIOCSIFFLAGS`.
    Ioctl,
    /// `RTM_SETLINK`.
    Netlink,
    /// `PACKET_ADD_MEMBERSHIP`.
    Membership,
    /// `SO_MARK`.
    Mark,
    /// A write to /proc/sys/net, which the usual policy does not refuse.
    Sysctl,
}

/// The shortest attack: `lo` is in every network namespace.
pub fn set_promisc_on_lo() -> io::Result<()> {
    change_flags(Family::Inet, "lo", IFF_PROMISC, 0)
}

impl Way {
    /// All that the usual policy refuses.
    pub const ALL: [Self; 4] = [Self::Ioctl, Self::Netlink, Self::Membership, Self::Mark];

    /// Tries it once.
    pub fn attempt(self) -> io::Result<()> {
        match self {
            Self::Ioctl => set_promisc_on_lo(),
            Self::Netlink => link::request(
                link::change(RTM_SETLINK, Target::Index(1)).flags(IFF_PROMISC, IFF_PROMISC),
            ),
            Self::Membership => packet::join(index_of("lo")?, Membership::Promiscuous).map(drop),
            Self::Mark => SocketOption::Mark.set(udp_socket()?.as_fd(), 13),
            Self::Sysctl => sysctl::write("ipv4/conf/lo/rp_filter", "1"),
        }
    }
}

/// What came of the attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were refused as the policy says.
    pub refused: u64,
    /// How many succeeded.
    pub wins: u64,
    /// How many failed otherwise.
    pub strange: u64,
}

/// Counters that two processes see.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicU64,
    refused: AtomicU64,
    wins: AtomicU64,
    strange: AtomicU64,
}

/// A process in a container that attacks until it is stopped.
#[derive(Debug)]
pub struct Attacker {
    shared: &'static Shared,
    process: Option<Running>,
}

impl Attacker {
    /// Starts it, with a pause after each attempt.
    pub fn start(container: &Container, ways: &'static [Way], pause: Duration) -> Result<Self> {
        Self::start_trying(container, move |count| {
            for way in ways {
                count(&way.attempt());
            }
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        })
    }

    /// Starts one that does something else, again and again, and counts what comes of
    /// its attempts.
    pub fn start_trying(
        container: &Container,
        mut attempts: impl FnMut(&dyn Fn(&io::Result<()>)) + Send + 'static,
    ) -> Result<Self> {
        let shared = shared().context("share memory")?;
        // In the child, which the rig has forked: a thread attacks, and the
        // process waits to be released.
        let process = container.attempt_and_hold(|| {
            std::thread::spawn(move || shared.attack(&mut attempts));
            Ok(())
        })?;
        Ok(Self {
            shared,
            process: Some(process),
        })
    }

    /// What came of the attempts so far.
    pub fn tally(&self) -> Tally {
        Tally {
            refused: self.shared.refused.load(Ordering::SeqCst),
            wins: self.shared.wins.load(Ordering::SeqCst),
            strange: self.shared.strange.load(Ordering::SeqCst),
        }
    }

    /// Stops it after the attempt at hand.
    pub fn stop(mut self) -> Tally {
        self.shared.stop.store(1, Ordering::SeqCst);
        super::poll(Duration::from_secs(30), || {
            (self.shared.stop.load(Ordering::SeqCst) == 2).then_some(())
        });
        drop(self.process.take());
        self.tally()
    }
}

impl Shared {
    fn attack(&self, attempts: &mut impl FnMut(&dyn Fn(&io::Result<()>))) {
        while self.stop.load(Ordering::SeqCst) == 0 {
            attempts(&|result| self.count(result));
        }
        self.stop.store(2, Ordering::SeqCst);
    }

    fn count(&self, result: &io::Result<()>) {
        let counter = match errno_of(result) {
            0 => &self.wins,
            libc::EPERM => &self.refused,
            _ => &self.strange,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// Memory that children see, too. It is never given back.
fn shared() -> io::Result<&'static Shared> {
    // SAFETY: a new mapping of our own.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size_of::<Shared>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is large and aligned enough, zeroed, which is a value,
    // and never unmapped.
    Ok(unsafe { &*memory.cast::<Shared>() })
}
