//! Interface ioctls, seen from three places.
//!
//! `file_ioctl` (and its compat twin) begins a call: it cannot trust what the
//! pointer points to, since the kernel copies that later. `dev_ioctl` and
//! `devinet_ioctl` get the kernel's own copy, and note where it lies: on the stack of
//! the very call, until that ends. The capability question that follows
//! (hooks/capable.rs) judges it; of a call that was begun and not seen it refuses.
//! (Why there: the verifier checks the judgement anew in each program that has it.)

use aya_ebpf::{
    macros::{fentry, lsm},
    programs::{FEntryContext, LsmContext},
};
use netadmin_common::{
    GuardEntry, OperationKind, Text, Via,
    call::{CALL_BEGUN, CALL_REFUSED, CallRecord, SEEN_IFREQ, SEEN_LABEL},
    device::{IFF_PROMISC, kind},
    ioctl::ioctl_piece,
    netlink::LinkRequest,
    policy::PROMISCUOUS_NAMES_EXCEPTED,
};

use Target::{Indexed, Named};

use super::{leaving, links};
use crate::{
    guard::{self, Guard},
    kernel::{
        Address, argument_u32, layout,
        netdev::{self, Sought},
    },
    maps::{CALLS, JUDGEMENTS},
    report::{self, EPERM, Question},
    watched,
};

/// linux/sockios.h.
pub const SIOCSIFFLAGS: u32 = 0x8914;
const SIOCSIFNAME: u32 = 0x8923;
const SIOCSIFHWADDR: u32 = 0x8924;
/// One command as the other: what is to be done is in the argument (`sock_ioctl`).
pub const SIOCGIFVLAN: u32 = 0x8982;
pub const SIOCSIFVLAN: u32 = 0x8983;
const SIOCBONDENSLAVE: u32 = 0x8990;
const SIOCBONDRELEASE: u32 = 0x8991;
const SIOCBONDSETHWADDR: u32 = 0x8992;
const SIOCBONDCHANGEACTIVE: u32 = 0x8995;
const SIOCBRADDIF: u32 = 0x89a2;
pub const SIOCBRDELIF: u32 = 0x89a3;
const SIOCBRADDBR: u32 = 0x89a0;
pub const SIOCBRDELBR: u32 = 0x89a1;
const SIOCDEVPRIVATE: u32 = 0x89f0;
/// linux/if_tunnel.h: `SIOCDEVPRIVATE + 1`, and `+ 2`.
const SIOCADDTUNNEL: u32 = 0x89f1;
pub const SIOCDELTUNNEL: u32 = 0x89f2;
/// `BRCTL_ADD_BRIDGE` and others (`old_deviceless`).
pub const SIOCGIFBR: u32 = 0x8940;
pub const SIOCSIFBR: u32 = 0x8941;
/// linux/if_bonding.h: what `SIOCBOND*` does, by the numbers of before
/// (`bond_siocdevprivate`). To other devices they are something else.
const BOND_RELEASE_OLD: u32 = SIOCADDTUNNEL;
const BOND_SETHWADDR_OLD: u32 = SIOCDELTUNNEL;
const BOND_CHANGE_ACTIVE_OLD: u32 = 0x89fd;

/// linux/stat.h.
const S_IFMT: u16 = 0o170_000;
const S_IFCHR: u16 = 0o020_000;

/// `struct ifreq` (linux/if.h), in bytes: the name, and what follows it.
pub const IFR_DATA: u64 = 16;

/// How an ioctl that can matter came, and whether its arguments are seen by
/// `dev_ioctl` or `devinet_ioctl`.
#[inline(always)]
pub fn way(command: u32) -> Option<(Via, bool)> {
    match command {
        SIOCSIFFLAGS => Some((Via::SetIfFlags, true)),
        SIOCSIFNAME => Some((Via::SetIfName, true)),
        SIOCBRADDIF => Some((Via::BridgeAddIf, false)),
        SIOCBRDELIF => Some((Via::BridgeDelIf, false)),
        SIOCBRDELBR => Some((Via::BridgeDel, false)),
        // BRCTL_ADD_IF, BOND_ENSLAVE_OLD.
        SIOCDEVPRIVATE => Some((Via::DevPrivate, false)),
        SIOCSIFHWADDR => Some((Via::SetIfHwAddr, true)),
        SIOCBONDENSLAVE => Some((Via::BondEnslave, true)),
        SIOCBONDRELEASE => Some((Via::BondRelease, true)),
        SIOCBONDSETHWADDR => Some((Via::BondSetHwAddr, true)),
        SIOCBONDCHANGEACTIVE => Some((Via::BondChangeActive, true)),
        SIOCGIFVLAN | SIOCSIFVLAN => Some((Via::SetIfVlan, false)),
        SIOCBRADDBR | SIOCGIFBR | SIOCSIFBR => Some((Via::BridgeAdd, false)),
        SIOCADDTUNNEL => Some((Via::AddTunnel, true)),
        BOND_SETHWADDR_OLD => Some((Via::BondSetHwAddr, true)),
        BOND_CHANGE_ACTIVE_OLD => Some((Via::BondChangeActive, true)),
        _ => None,
    }
}

/// Whether [`way`] has the number: the most frequent one first, and most others by
/// where it lies. (In 64 bits: a comparison of 32 takes two shifts.)
#[inline(always)]
fn has_way(command: u32) -> bool {
    let (first, last) = (u64::from(SIOCSIFFLAGS), u64::from(BOND_CHANGE_ACTIVE_OLD));
    let from_first = u64::from(command).wrapping_sub(first);
    from_first == 0 || from_first <= last - first && way(command).is_some()
}

/// Hook `file_ioctl(file, cmd, arg)`.
#[lsm(hook = "file_ioctl")]
pub fn file_ioctl(ctx: LsmContext) -> i32 {
    begin(ctx)
}

/// Hook `file_ioctl_compat(file, cmd, arg)`: 32-bit callers, from 6.8 on.
#[lsm(hook = "file_ioctl_compat")]
pub fn file_ioctl_compat(ctx: LsmContext) -> i32 {
    begin(ctx)
}

#[inline(always)]
fn begin(ctx: LsmContext) -> i32 {
    if argument_u32(&ctx, 3) != 0 {
        return ctx.arg(3);
    }
    let command = argument_u32(&ctx, 1);
    if !has_way(command) && (!watched::pieces() || ioctl_piece(command).is_none()) {
        return 0;
    }
    match guard::entry() {
        Some(entry) => begin_call(ctx, entry),
        None => 0,
    }
}

/// (Apart: a program saves the registers that it uses anywhere, each time.)
#[inline(never)]
fn begin_call(ctx: LsmContext, entry: &GuardEntry) -> i32 {
    let Some(guard) = guard::of_entry(entry) else {
        return 0;
    };
    let command = argument_u32(&ctx, 1);
    if !guard.policy.rules_promiscuity() && !guard.policy.rules_net_admin() {
        return 0;
    }
    if command == SIOCSIFHWADDR && guard.policy.rules_promiscuity() && is_device(&ctx) {
        let kind = OperationKind::PromiscuousUnicastFilter;
        let refused = Question::on_device(kind, Via::SetIfHwAddr).is_refused();
        return report::answer(refused, EPERM);
    }
    match CALLS.of_current() {
        Some(call) => {
            let state = if guard.policy.rules_promiscuity() {
                leaving::begin(&ctx, command)
            } else {
                CALL_BEGUN
            };
            if state == CALL_REFUSED && command == SIOCDELTUNNEL {
                return report::answer(true, EPERM);
            }
            call.begin(command, state);
            call.reported_piece = 0;
            0
        }
        None => {
            let via = way(command).map_or(Via::Ioctl, |(via, _)| via);
            report::answer(links::refuses_unjudged(via), EPERM)
        }
    }
}

/// Whether the file is a tun or tap device, which sets its address and asks for
/// no capability (`__tun_chr_ioctl`, `tap_ioctl`).
#[inline(always)]
fn is_device(ctx: &LsmContext) -> bool {
    let file = Address::argument(ctx, 0);
    let mode = file
        .and_then(|file| file.follow(&layout::FILE_INODE))
        .and_then(|inode| inode.read::<u16>(&layout::INODE_MODE));
    mode.is_none_or(|mode| mode & S_IFMT == S_IFCHR)
}

/// `dev_ioctl(net, cmd, ifr, …)`: what comes after a colon is cut off.
#[fentry(function = "dev_ioctl")]
pub fn dev_ioctl(ctx: FEntryContext) -> i32 {
    if let Some(entry) = entry_of_seen(&ctx) {
        see(&ctx, entry, |_| SEEN_IFREQ);
    }
    0
}

/// `devinet_ioctl(net, cmd, ifr)`, for `AF_INET` and `AF_PACKET` sockets: with
/// a colon it is about an address label, and deletes the address.
#[fentry(function = "devinet_ioctl")]
pub fn devinet_ioctl(ctx: FEntryContext) -> i32 {
    if let Some(entry) = entry_of_seen(&ctx) {
        see(&ctx, entry, |name| {
            if name.before(b':') == name {
                SEEN_IFREQ
            } else {
                SEEN_LABEL
            }
        });
    }
    0
}

/// What guards the task, if the call can matter here.
#[inline(always)]
fn entry_of_seen(ctx: &FEntryContext) -> Option<&'static GuardEntry> {
    has_way(argument_u32(ctx, 1)).then(guard::entry).flatten()
}

/// Notes where the kernel's copy lies. (Apart, as [`begin_call`].)
#[inline(never)]
fn see(ctx: &FEntryContext, entry: &GuardEntry, what: impl FnOnce(Text) -> u32) -> Option<()> {
    let command = argument_u32(ctx, 1);
    let guard = guard::of_entry(entry)?;
    if !matches!(way(command), Some((_, true)))
        || !guard.policy.rules_promiscuity() && !guard.policy.rules_net_admin()
    {
        return None;
    }
    let call = CALLS.of_current()?;
    let (net, ifreq) = (Address::argument(ctx, 0)?, Address::argument(ctx, 2)?);
    let seen = what(name_at(ifreq)?);
    call.see(command, seen, net.value(), ifreq.value());
    Some(())
}

/// Judges what was seen in this very call, if it has not been: `command` is what the
/// saved registers say.
#[inline(always)]
pub fn settle(guard: &Guard, call: &mut CallRecord, command: u32) {
    let generation = report::generation();
    if call.command == command && call.awaits(generation) {
        let (net, ifreq) = (call.subject, call.copy);
        let refused = if command == SIOCSIFFLAGS {
            netadmin_ioctl_flags(call.seen, net, ifreq)
        } else {
            netadmin_ioctl(command, net, ifreq, guard.index)
        };
        call.settle(refused != 0, generation);
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_ioctl_flags(seen: u32, net: u64, ifreq: u64) -> u32 {
    let (net, ifreq) = (Address::from_field(net), Address::from_field(ifreq));
    let via = Via::SetIfFlags;
    u32::from(match name_at(ifreq) {
        None => links::refuses_unjudged(via),
        Some(_) if seen == SEEN_LABEL => {
            Question::piece(OperationKind::AddrDelete, via, EPERM).is_refused()
        }
        Some(name) => refuses_flags(net, name, ifreq),
    })
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_ioctl(command: u32, net: u64, ifreq: u64, policy: u32) -> u32 {
    let (net, ifreq) = (Address::from_field(net), Address::from_field(ifreq));
    let (Some((via, _)), Some(guard)) = (way(command), guard::under(0, policy)) else {
        return 1;
    };
    u32::from(match (name_at(ifreq), via) {
        (None, _) => links::refuses_unjudged(via),
        (Some(name), Via::SetIfName) => {
            refuses_name(&guard, ifreq) || refuses_change(net, name, ifreq, via)
        }
        (Some(name), _) if is_of_old(command) && !is_bond(net, &name) => {
            // The tunnel's name is in user memory.
            matches!(via, Via::AddTunnel) && links::refuses_any_name(&guard, via)
        }
        (Some(name), Via::AddTunnel) => refuses_change(net, name, ifreq, Via::BondRelease),
        (Some(name), _) => refuses_change(net, name, ifreq, via),
    })
}

#[inline(always)]
fn refuses_flags(net: Address, name: Text, ifreq: Address) -> bool {
    match ifreq.plus(IFR_DATA).load::<u16>() {
        Some(flags) => refuses_flags_of(net, Named(name), u32::from(flags), Via::SetIfFlags),
        None => links::refuses_unjudged(Via::SetIfFlags),
    }
}

/// How the device is named whose flags are set.
pub enum Target {
    /// By its name, own or alternative.
    Named(Text),
    /// By its index.
    Indexed(u32),
}

/// What else these ioctls do, as rtnetlink would: `dev_set_mac_address`,
/// `bond_do_ioctl`.
#[inline(always)]
fn refuses_change(net: Address, name: Text, ifreq: Address, via: Via) -> bool {
    let Some(judgement) = JUDGEMENTS.of_current() else {
        return links::refuses_unjudged(via);
    };
    let (request, view) = (&mut judgement.walk.link, &mut judgement.view);
    *request = LinkRequest::default();
    request.has_name = 1;
    request.name = name;
    view.follow(0);
    view.searched = 0;
    match via {
        Via::BondEnslave | Via::BondRelease => {
            let Some(port) = name_at(ifreq.plus(IFR_DATA)) else {
                return links::refuses_unjudged(via);
            };
            request.name = port;
            request.has_master = 1;
            if matches!(via, Via::BondEnslave) {
                let Some(bond) = bond_of(net, &name, &mut view.searched) else {
                    return links::refuses_unjudged(via);
                };
                request.master = bond;
            }
        }
        Via::BondChangeActive => request.has_data = 1,
        // (As rtnetlink has it of a port's options: the name of the primary one is one.)
        Via::SetIfName => request.has_port_data = 1,
        _ => request.has_address = 1,
    }
    links::look(request, view, net);
    links::refuses(request, view, via)
}

#[inline(always)]
fn is_of_old(command: u32) -> bool {
    matches!(
        command,
        BOND_RELEASE_OLD | BOND_SETHWADDR_OLD | BOND_CHANGE_ACTIVE_OLD
    )
}

/// Whether it is a bond, or may be one.
#[inline(always)]
fn is_bond(net: Address, name: &Text) -> bool {
    let mut searched = 0;
    match netdev::by_name(net, name, &mut searched) {
        Sought::Found(device) => netdev::kind(device).is_none_or(|kind| kind == kind::BOND),
        Sought::Absent => false,
        Sought::Unknown => true,
    }
}

/// The index of the bond of this name; 0 if there is none, `None` if that is not
/// known.
#[inline(always)]
fn bond_of(net: Address, name: &Text, searched: &mut u32) -> Option<u32> {
    match netdev::by_name(net, name, searched) {
        Sought::Found(bond) => netdev::index(bond),
        Sought::Absent => Some(0),
        Sought::Unknown => None,
    }
}

/// `dev_change_flags`: what rtnetlink does with a full mask.
#[inline(always)]
pub fn refuses_flags_of(net: Address, target: Target, flags: u32, via: Via) -> bool {
    let Some(judgement) = JUDGEMENTS.of_current() else {
        return links::refuses_unjudged(via);
    };
    let request = &mut judgement.walk.link;
    *request = LinkRequest::default();
    request.flags = flags;
    request.change = u32::MAX;
    match target {
        Named(name) => {
            request.has_name = 1;
            request.name = name;
        }
        Indexed(index) => request.index = index,
    }
    let view = &mut judgement.view;
    view.follow(0);
    view.searched = 0;
    links::look(request, view, net);
    if links::refuses_changes(request, view, via) {
        return true;
    }
    if view.device.index == 0 && view.unstable == 0 && flags & IFF_PROMISC == 0 {
        // ENODEV; with IFF_PROMISC refused, lest it appear before the kernel looks.
        return false;
    }
    links::refuses(request, &judgement.view, via)
}

/// `dev_change_name`: not into a name that the policy excepts.
#[inline(always)]
fn refuses_name(guard: &Guard, ifreq: Address) -> bool {
    if guard.policy.promiscuous.flags & PROMISCUOUS_NAMES_EXCEPTED == 0 {
        return false;
    }
    match name_at(ifreq.plus(IFR_DATA)) {
        None => links::refuses_unjudged(Via::SetIfName),
        Some(name) => {
            guard.policy.excepts_name(&name) && links::refuses_excepted_name(name, Via::SetIfName)
        }
    }
}

/// A name of `IFNAMSIZ` bytes, the last of which the kernel takes for zero.
#[inline(always)]
fn name_at(address: Address) -> Option<Text> {
    Some(Text::from_memory(address.load()?).first(15).terminated())
}
