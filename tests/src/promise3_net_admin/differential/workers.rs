//! Three processes that make the same requests: a guarded one, one without the
//! capability beside it, and one unguarded in a network namespace of its own,
//! which goes through the same as the other namespace does.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use netadmin_bypass::attack::Message;
use netadmin_bypass::attack::netlink::{ask, each_attribute, number_at};
use netadmin_common::Text;
use netadmin_common::netlink::{LinkRequest, LinkView, UNSETTLED_LINKS};

use super::families::Families;
use super::make_up::make_up;
use super::policies::Policy;
use super::world;
use crate::attack::IFF_PROMISC;
use crate::rig::{Cgroup, Container, Running};

const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFF_ALLMULTI: u32 = 0x200;
/// A question: what to do, and a case's number, or index and name of a device.
const QUESTION: usize = 32;
/// Two numbers, the names of device, kind and device below, and how many are below.
type Answer = [u8; 60];
const CARRY_OUT: u8 = 1;
const LOOK: u8 = 2;
/// How long an answer is waited for.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// The processes. A later one holds what releases an earlier one, so they are
/// dropped in the reverse of the order in which they are started.
#[derive(Debug)]
pub struct Workers {
    unguarded: Worker,
    without: Worker,
    guarded: Worker,
    places: [Container; 2],
}

#[derive(Debug)]
struct Worker {
    stream: UnixStream,
    _process: Running,
}

impl Workers {
    /// Starts them.
    pub fn start(policy: &Policy, families: &Families, seed: u64) -> Result<Self> {
        let guarded = Container::within(&Cgroup::make(&policy.cgroup)?)?;
        let without = guarded
            .sibling(&Cgroup::make(Cgroup::FREE)?)?
            .without_net_admin();
        let unguarded = Container::unguarded()?;
        for container in [&guarded, &unguarded] {
            container.set_up(world::make).context("make the devices")?;
        }
        Ok(Self {
            guarded: Worker::start(&guarded, families, seed)?,
            without: Worker::start(&without, families, seed)?,
            unguarded: Worker::start(&unguarded, families, seed)?,
            places: [guarded, unguarded],
        })
    }

    /// The errno of a case, guarded.
    pub fn guarded(&mut self, case: u64) -> Result<i32> {
        self.guarded.carry_out(case).context("guarded")
    }

    /// The same without the capability.
    pub fn without(&mut self, case: u64) -> Result<i32> {
        self.without
            .carry_out(case)
            .context("without the capability")
    }

    /// The same with it, unguarded.
    pub fn unguarded(&mut self, case: u64) -> Result<i32> {
        self.unguarded.carry_out(case).context("unguarded")
    }

    /// The device that a request is about, as far as its flags matter.
    pub fn look(&mut self, request: &LinkRequest) -> Result<LinkView> {
        let mut question = [0; QUESTION];
        question[0] = LOOK;
        if request.by_index() {
            question[4..8].copy_from_slice(&request.index.to_ne_bytes());
        } else if request.has_name != 0 {
            question[8..24].copy_from_slice(&request.name.bytes());
        }
        let seen = self.unguarded.ask(question).context("look")?;
        let [index, flags] = [0, 4].map(|place| number_at(&seen, place).unwrap_or_default());
        let mut view = LinkView::default();
        if index == u32::MAX {
            view.unstable = UNSETTLED_LINKS;
        } else {
            view.device.index = index;
            // rtnl_dev_get_flags: of these two what was asked for.
            view.device.flags = flags;
            view.device.gflags = flags & (IFF_PROMISC | IFF_ALLMULTI);
            view.device.name = Text::new(&seen[8..24]).terminated();
            view.device.kind = Text::new(&seen[24..40]).terminated();
            let below = number_at(&seen, 56).unwrap_or_default();
            view.device.stacked = u32::from(below != 0);
            if below == 1 {
                let lower = LinkRequest {
                    has_name: 1,
                    name: Text::new(&seen[40..56]),
                    ..LinkRequest::default()
                };
                view.lower = self.look(&lower)?.device;
            }
        }
        Ok(view)
    }

    /// Fails if the two namespaces differ.
    pub fn are_alike(&self) -> Result<()> {
        let [guarded, unguarded] = &self.places;
        let (guarded, unguarded) = (guarded.set_up(world::seen)?, unguarded.set_up(world::seen)?);
        ensure!(
            guarded.stdout.contains("lo") && guarded == unguarded,
            "guarded {}{}\nunguarded {}{}",
            guarded.stdout,
            guarded.stderr,
            unguarded.stdout,
            unguarded.stderr
        );
        Ok(())
    }
}

impl Worker {
    fn start(container: &Container, families: &Families, seed: u64) -> Result<Self> {
        let (stream, theirs) = UnixStream::pair().context("make a pair of sockets")?;
        stream.set_read_timeout(Some(LIMIT))?;
        let families = families.clone();
        // The child's only other thread waits for its release.
        let process = container
            .attempt_and_hold(move || Ok(thread::spawn(move || serve(theirs, &families, seed))))?;
        Ok(Self {
            stream,
            _process: process,
        })
    }

    fn carry_out(&mut self, case: u64) -> Result<i32> {
        let mut question = [0; QUESTION];
        question[0] = CARRY_OUT;
        question[8..16].copy_from_slice(&case.to_ne_bytes());
        let answer = number_at(&self.ask(question)?, 0);
        Ok(answer.unwrap_or_default().cast_signed())
    }

    fn ask(&mut self, question: [u8; QUESTION]) -> Result<Answer> {
        self.stream.write_all(&question)?;
        let mut answer = [0; size_of::<Answer>()];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// Answers until nobody asks any more.
fn serve(mut stream: UnixStream, families: &Families, seed: u64) -> io::Result<()> {
    loop {
        let mut question = [0; QUESTION];
        stream.read_exact(&mut question)?;
        let answer = if question[0] == LOOK {
            look(&question)
        } else {
            let case = u64::from_ne_bytes(question[8..16].try_into().map_err(io::Error::other)?);
            let errno = make_up(seed, case, families).make().cast_unsigned();
            answer(errno, 0)
        };
        stream.write_all(&answer)?;
    }
}

fn answer(first: u32, second: u32) -> Answer {
    let mut answer = [0; size_of::<Answer>()];
    answer[..4].copy_from_slice(&first.to_ne_bytes());
    answer[4..8].copy_from_slice(&second.to_ne_bytes());
    answer
}

/// Index, flags, name and kind of a device; index 0 if there is none.
fn look(question: &[u8; QUESTION]) -> Answer {
    let index = number_at(question, 4).unwrap_or_default();
    let name = String::from_utf8_lossy(&question[8..24]);
    let name = name.trim_end_matches('\0');
    if index == 0 && name.is_empty() {
        return answer(0, 0);
    }
    let mut fixed = [0; 16];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let message = Message::new(RTM_GETLINK, 0, &fixed);
    let message = if index == 0 {
        message.text(IFLA_IFNAME, name)
    } else {
        message
    };
    match ask(&message) {
        Ok(body) => seen(&body),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => answer(0, 0),
        Err(_) => answer(u32::MAX, 0),
    }
}

fn seen(body: &[u8]) -> Answer {
    let [index, flags] = [4, 8].map(|place| number_at(body, place).unwrap_or_default());
    let mut answer = answer(index, flags);
    let mut take = |at: usize, payload: &[u8]| {
        let field = answer[at..at + 16].iter_mut();
        field.zip(payload).for_each(|(to, from)| *to = *from);
    };
    each_attribute(
        body.get(16..).unwrap_or_default(),
        |kind, payload| match kind {
            IFLA_IFNAME => take(8, payload),
            IFLA_LINKINFO => each_attribute(payload, |kind, payload| {
                if kind == IFLA_INFO_KIND {
                    take(24, payload);
                }
            }),
            _ => {}
        },
    );
    see_below(&mut answer);
    answer
}

/// `netdev_adjacent_sysfs_add`: a link for each device below.
fn see_below(answer: &mut Answer) {
    let name = String::from_utf8_lossy(&answer[8..24]).into_owned();
    let directory = format!("/sys/class/net/{}", name.trim_end_matches('\0'));
    let mut below = 0u32;
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let file = entry.file_name();
        if let Some(lower) = file.to_str().and_then(|file| file.strip_prefix("lower_")) {
            answer[40..40 + lower.len()].copy_from_slice(lower.as_bytes());
            below += 1;
        }
    }
    answer[56..].copy_from_slice(&below.to_ne_bytes());
}
