//! What no small tool of Debian's does: packets taken to user space by nfnetlink, BPF
//! programs loaded and attached, virtual functions.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use anyhow::{Result, ensure};

use crate::attack::link::{self, RTM_SETLINK, Target};
use crate::attack::netlink::Nested;
use crate::attack::process::shell;
use crate::attack::{bpf, nfnetlink};
use crate::rig::{Container, Expected, Stage, Trials, Watch, errno_of, make};

/// Other parts of the same subsystems.
const REFUSED: &str = deny_all_but!("nftables.*", "conntrack.*", "link.create.*", "link.mtu");

const GRANTED: &str = deny_all_but!("nfqueue.use", "nflog.use", "bpf.use", "link.xdp", "link.vf");

/// One act, by the operation that it is.
#[derive(Clone, Copy)]
struct Act {
    name: &'static str,
    expected: Expected,
    /// Fails where the kernel has it not.
    probe: &'static str,
    /// From a program that somebody else has loaded, if it takes one.
    act: fn(OwnedFd) -> io::Result<OwnedFd>,
    /// Succeeds, from outside, while the act is in effect. None is seen of what the
    /// guest has no device for.
    shows: Option<&'static str>,
}

const fn expected(operation: &'static str, via: &'static str) -> Expected {
    Expected {
        operation,
        via,
        interface: None,
    }
}

const XDP_ATTACHED: Act = Act {
    name: "xdp_program_attached",
    expected: expected("link.xdp", "RTM_SETLINK"),
    probe: "true",
    act: |program| bpf::attach_xdp(program.as_fd(), "dev0").map(|()| program),
    shows: Some("ip link show dev0 | grep -q xdp"),
};

const ACTS: &[Act] = &[
    Act {
        name: "nfqueue",
        expected: expected("nfqueue.use", "netlink"),
        probe: "modprobe nfnetlink_queue",
        act: |_none| nfnetlink::bind_queue(),
        shows: Some("grep -q '^ *7 ' /proc/net/netfilter/nfnetlink_queue"),
    },
    Act {
        name: "nflog",
        expected: expected("nflog.use", "netlink"),
        probe: "modprobe nfnetlink_log",
        act: |_none| nfnetlink::bind_log(),
        shows: Some("grep -q '^ *7 ' /proc/net/netfilter/nfnetlink_log"),
    },
    Act {
        name: "xdp_program_loaded",
        expected: expected("bpf.use", "capable"),
        probe: "true",
        act: |_none| bpf::load_xdp(),
        shows: Some("bpftool prog | grep -q ': xdp '"),
    },
    Act {
        name: "sockmap_made",
        expected: expected("bpf.use", "capable"),
        probe: "true",
        act: |_none| bpf::make_sockmap(),
        shows: Some("bpftool map | grep -q ': sockmap '"),
    },
    XDP_ATTACHED,
    Act {
        name: "virtual_function",
        expected: expected("link.vf", "RTM_SETLINK"),
        probe: "true",
        act: |none| match errno_of(&set_virtual_function()) {
            // A dummy has none.
            libc::EOPNOTSUPP => Ok(none),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        shows: None,
    },
];

pub fn add(trials: &mut Trials) {
    for act in ACTS {
        let name = format!("{}_succeeds_unguarded", act.name);
        trials.where_it_is(act.probe, REFUSED, &name, move |stage| {
            succeeds(stage, stage.unguarded()?, act)
        });
        let name = format!("{}_is_refused", act.name);
        trials.where_it_is(act.probe, REFUSED, &name, move |stage| refused(stage, act));
    }
    let name = "xdp_attached_by_a_link_takes_no_capability";
    trials.guarded(REFUSED, name, attached_by_a_link);
    for act in ACTS {
        let name = format!("{}_passes_where_it_is_granted", act.name);
        trials.where_it_is(act.probe, GRANTED, &name, move |stage| {
            succeeds(stage, stage.guarded()?, act)
        });
    }
}

/// Makes a device, loads a program outside, and acts inside; whether that is seen
/// while it is in effect.
fn attempt(container: &Container, act: &Act) -> Result<(i32, bool)> {
    container.set_up(|| make::dummy("dev0"))?;
    let running = container.attempt_with_inherited(bpf::load_xdp, act.act)?;
    let seen = match act.shows {
        Some(line) => container.set_up(|| shell(line))?.status == 0,
        None => running.result.is_ok(),
    };
    Ok((errno_of(&running.result), seen))
}

fn succeeds(stage: &Stage<'_>, container: Container, act: &Act) -> Result<()> {
    let watch = Watch::begin(stage)?;
    let (errno, seen) = attempt(&container.with_bpf(), act)?;
    ensure!(errno == 0 && seen, "errno {errno}, in effect: {seen}");
    watch.saw_no_event()
}

fn refused(stage: &Stage<'_>, act: &Act) -> Result<()> {
    let container = stage.guarded()?.with_bpf();
    let watch = Watch::begin(stage)?;
    let (errno, seen) = attempt(&container, act)?;
    ensure!(
        errno == libc::EPERM && !seen,
        "errno {errno}, in effect: {seen}"
    );
    act.expected.check(&watch.events()?)
}

/// What everyone may do is no piece: who has a program from elsewhere needs nothing to
/// attach it so (`bpf_xdp_link_attach`).
fn attached_by_a_link(stage: &Stage<'_>) -> Result<()> {
    let container = stage.guarded()?.without_capabilities();
    let link = |program: OwnedFd| bpf::link_xdp(program.as_fd(), "dev0");
    let act = Act {
        act: link,
        ..XDP_ATTACHED
    };
    let (errno, seen) = attempt(&container, &act)?;
    ensure!(errno == 0 && seen, "errno {errno}, in effect: {seen}");
    Ok(())
}

/// The address of the first one (linux/if_link.h).
fn set_virtual_function() -> io::Result<()> {
    const IFLA_VFINFO_LIST: u16 = 22;
    const IFLA_VF_INFO: u16 = 1;
    const IFLA_VF_MAC: u16 = 1;
    const NESTED: u16 = 1 << 15;
    // `struct ifla_vf_mac`: the number, and room for an address.
    let mut address = [0; 36];
    address[4..10].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
    let info = Nested::default().attribute(IFLA_VF_MAC, &address);
    let list = Nested::default().attribute(IFLA_VF_INFO | NESTED, info.bytes());
    let message = link::change(RTM_SETLINK, Target::Name("dev0"));
    link::request(message.attribute(IFLA_VFINFO_LIST | NESTED, list.bytes()))
}
