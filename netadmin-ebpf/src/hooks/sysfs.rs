//! Files of sysfs that change flags or ports: `/sys/class/net/X/flags`,
//! `X/bridge/vlan_filtering`, `X/brport/learning` and `X/brport/unicast_flood`.
//!
//! Every write to a file of sysfs comes to `sysfs_kf_write`, with the file and the
//! kernel's copy of the text, which lies there until the write ends. A program there
//! notes that it has seen the write, and what is about a bridge; one on `flags_store`
//! (net/core/net-sysfs.c), which comes after it, what is about flags. Right after, the
//! kernel asks the capability question, which judges it (hooks/capable.rs):
//! `netdev_store`, `brport_store`, `store_bridge_parm`.
//!
//! A tracing program can be skipped. So a question that is asked within a write to
//! sysfs (the kernel's stack tells) and that nothing was noted for is refused.
//! Not seen is what asks no capability: the files of the bonding driver.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_func_ip, bpf_probe_read_kernel_str, bpf_strtoul},
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use netadmin_common::{
    Text, Via,
    call::{
        CALL_ALLOWED, CALL_BEGUN, CALL_REFUSED, COMMAND_SYSFS, CallRecord, SEEN_FLAGS, SEEN_PORT,
        SEEN_VLAN_FILTERING,
    },
    netlink::LinkRequest,
};

use super::{
    ioctl::{self, Target},
    links,
};
use crate::{
    guard::{self, Guard},
    kernel::{Address, layout, netdev, stack::Stack, symbols::Function},
    maps::{CALLS, JUDGEMENTS, SYMBOLS},
    report,
};

/// `sysfs_kf_write(of, buf, count, pos)`.
#[fentry(function = "sysfs_kf_write")]
pub fn sysfs_write(ctx: FEntryContext) -> i32 {
    learn_place(&ctx);
    let Some(guard) = guard::current() else {
        return 0;
    };
    if !rules(&guard) {
        return 0;
    }
    if let Some(call) = CALLS.of_current() {
        call.begin(COMMAND_SYSFS, CALL_BEGUN);
        see(&ctx, call);
    }
    0
}

/// The end of `sysfs_kf_write`: the record goes, also where the capability module
/// has refused and the question never came to us.
#[fexit(function = "sysfs_kf_write")]
pub fn sysfs_write_done(_ctx: FExitContext) -> i32 {
    if guard::current().is_some()
        && let Some(call) = CALLS.of_current()
        && call.command == COMMAND_SYSFS
    {
        call.begin(0, CALL_BEGUN);
    }
    0
}

/// `flags_store(dev, attr, buf, len)`.
#[fentry(function = "flags_store")]
pub fn sysfs_flags(ctx: FEntryContext) -> i32 {
    let Some(guard) = guard::current() else {
        return 0;
    };
    if rules(&guard)
        && let Some(call) = CALLS.of_current()
    {
        call.begin(COMMAND_SYSFS, CALL_BEGUN);
        if let (Some(device), Some(text)) = (Address::argument(&ctx, 0), Address::argument(&ctx, 2))
        {
            let device = device.container(&layout::NET_DEVICE_DEV);
            call.see(COMMAND_SYSFS, SEEN_FLAGS, device.value(), text.value());
        }
    }
    0
}

/// Whether the capability question, in a call that may be a write to sysfs, is
/// refused.
#[inline(always)]
pub fn refuses(guard: &Guard) -> bool {
    if !rules(guard) {
        return false;
    }
    match CALLS.of_current() {
        Some(call) if call.command == COMMAND_SYSFS => {
            settle(call);
            match call.state {
                CALL_ALLOWED => false,
                CALL_REFUSED => true,
                _ => links::refuses_unjudged(Via::Sysfs),
            }
        }
        _ => netadmin_in_sysfs_write() != 0 && links::refuses_unjudged(Via::Sysfs),
    }
}

#[inline(always)]
fn rules(guard: &Guard) -> bool {
    guard.policy.rules_promiscuity() || guard.policy.rules_net_admin()
}

/// Judges what was seen of this very write, if it has not been.
#[inline(always)]
fn settle(call: &mut CallRecord) {
    let generation = report::generation();
    if call.awaits(generation) {
        let refused = netadmin_sysfs(call.seen, call.subject, call.copy);
        call.settle(refused != 0, generation);
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_sysfs(seen: u32, device: u64, text: u64) -> u32 {
    let (device, text) = (Address::from_field(device), Address::from_field(text));
    let refused = if seen == SEEN_FLAGS {
        refuses_flags(device, text)
    } else {
        refuses_number(device, text, seen == SEEN_PORT)
    };
    u32::from(refused.unwrap_or_else(|| links::refuses_unjudged(Via::Sysfs)))
}

const FLAGS: Text = Text::new(b"flags");
const BRIDGE: Text = Text::new(b"bridge");
const VLAN_FILTERING: Text = Text::new(b"vlan_filtering");
const PORT: Text = Text::new(b"brport");
const LEARNING: Text = Text::new(b"learning");
const UNICAST_FLOOD: Text = Text::new(b"unicast_flood");

/// Notes the write, by the file's name and its directory's; flags are left to
/// [`sysfs_flags`]. `None` if it cannot be told: then nobody has judged it.
#[inline(always)]
fn see(ctx: &FEntryContext, call: &mut CallRecord) -> Option<()> {
    let file = Address::argument(ctx, 0)?.follow(&layout::KERNFS_OPEN_FILE_KN)?;
    let directory = file.follow(&layout::KERNFS_NODE_PARENT)?;
    let name = name_of(file)?;
    if name == FLAGS {
        return Some(());
    }
    let directory_name = name_of(directory)?;
    let of_bridge = directory_name == BRIDGE && name == VLAN_FILTERING;
    let of_port = directory_name == PORT && (name == LEARNING || name == UNICAST_FLOOD);
    if !of_bridge && !of_port {
        call.state = CALL_ALLOWED;
        return Some(());
    }
    // Of a bridge the directory is a group of its device's files; a port has an
    // object of its own below its device's (br_sysfs_addbr, br_add_if).
    let mut object = directory.follow(&layout::KERNFS_NODE_PRIV)?;
    if of_port {
        object = object.follow(&layout::KOBJECT_PARENT)?;
    }
    let device = object
        .container(&layout::DEVICE_KOBJ)
        .container(&layout::NET_DEVICE_DEV);
    let text = Address::argument(ctx, 1)?;
    let seen = if of_port {
        SEEN_PORT
    } else {
        SEEN_VLAN_FILTERING
    };
    call.see(COMMAND_SYSFS, seen, device.value(), text.value());
    Some(())
}

/// A number written to a file of a bridge or of its port.
#[inline(always)]
fn refuses_number(device: Address, text: Address, of_port: bool) -> Option<bool> {
    // What is not plainly a number is taken for what wakes ports.
    let wakes = match number(text) {
        None => true,
        Some(number) => of_port == (number != 0),
    };
    Some(wakes && refuses_waking(device, of_port)?)
}

/// `br_vlan_filter_toggle`, `br_port_flags_change`: as the message of `PF_BRIDGE`
/// that does the same.
#[inline(always)]
fn refuses_waking(device: Address, of_port: bool) -> Option<bool> {
    let net = device.follow(&layout::NET_DEVICE_ND_NET)?;
    let index = device.read(&layout::NET_DEVICE_IFINDEX)?;
    let judgement = JUDGEMENTS.of_current()?;
    let (request, view) = (&mut judgement.walk.link, &mut judgement.view);
    *request = LinkRequest::default();
    request.index = index;
    request.of_bridge = 1;
    request.floods = u8::from(of_port);
    request.ends_vlan_filtering = u8::from(!of_port);
    view.follow(0);
    view.searched = 0;
    links::look(request, view, net);
    Some(links::refuses(request, view, Via::Sysfs))
}

#[inline(always)]
fn refuses_flags(device: Address, text: Address) -> Option<bool> {
    let net = device.follow(&layout::NET_DEVICE_ND_NET)?;
    let target = Target::Indexed(device.read(&layout::NET_DEVICE_IFINDEX)?);
    let flags = number(text)?;
    Some(ioctl::refuses_flags_of(net, target, flags, Via::Sysfs))
}

#[inline(always)]
fn name_of(node: Address) -> Option<Text> {
    netdev::string(node.follow(&layout::KERNFS_NODE_NAME)?)
}

/// How much of the text is read, with its terminating zero, in bytes.
const TEXT_LEN: usize = 32;

/// The number that a text says: in hexadecimal after 0x, octal after 0. `None`
/// if it is not plainly that; `kstrtoul` reads forms that `bpf_strtoul` does not.
#[inline(always)]
fn number(text: Address) -> Option<u32> {
    let mut words = [0u64; TEXT_LEN / 8];
    let bytes = words.as_mut_ptr().cast::<u8>();
    let mut number = 0u64;
    let (base, len) = (0, TEXT_LEN as u64);
    // SAFETY: a buffer and its length; the helper checks the address.
    let read = unsafe { bpf_probe_read_kernel_str(bytes.cast(), TEXT_LEN as u32, text.as_ptr()) };
    // SAFETY: a buffer and its length, and room for the answer.
    let used = unsafe { bpf_strtoul(bytes.cast(), len, base, (&raw mut number).cast()) };
    if !(1..TEXT_LEN as i64).contains(&read) || used <= 0 {
        return None;
    }
    // SAFETY: the mask bounds it, for the verifier too.
    let end = unsafe { bytes.add(used as usize & (TEXT_LEN - 1)).read() };
    // Of the unsigned long, `change_flags` takes the lower half.
    (end == 0 || end == b'\n').then_some(number as u32)
}

/// How many return addresses are looked at. From the deepest question up to the
/// function there are some ten.
const NEAR: usize = 24;
/// Where `sysfs_kf_write` has its call of the program, at most, in bytes from its
/// beginning.
const ENTRY: u64 = 64;

/// Notes where `kernfs_fop_write_iter` calls `sysfs_kf_write`, which the agent
/// knows only with `CAP_SYSLOG`. This comes first: a program is skipped only while
/// another run of it is under way.
#[inline(always)]
fn learn_place(ctx: &FEntryContext) {
    let start = Function::KernfsFopWriteIter as u32 * 2;
    if SYMBOLS.get(start).is_none_or(|known| *known != 0) {
        return;
    }
    // SAFETY: the helper takes a program's context.
    let entry = unsafe { bpf_get_func_ip(ctx.as_ptr()) };
    let caller = netadmin_caller_of(entry);
    if caller == 0 {
        return;
    }
    // The end first: without it nothing is within.
    for (index, address) in [(start + 1, caller), (start, caller - 1)] {
        if let Some(slot) = SYMBOLS.get_ptr_mut(index) {
            // SAFETY: a live entry of the map; all write the same.
            unsafe { slot.write(address) };
        }
    }
}

/// Where modules and BPF programs lie, behind the kernel (`MODULES_VADDR`,
/// arch/x86/include/asm/pgtable_64_types.h).
const MODULES: u64 = 0xffff_ffff_c000_0000;

/// Who has called the function at `entry`, which this program is attached to: the
/// first return address into the kernel behind those into programs. Older kernels have
/// one into the function itself before (newer ones jump to the trampoline); 0 if it is
/// not found.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_caller_of(entry: u64) -> u64 {
    let Some(stack) = Stack::<NEAR>::read() else {
        return 0;
    };
    let mut behind_programs = false;
    let caller = stack.find(|address| {
        if address >= MODULES {
            behind_programs = true;
            return None;
        }
        (behind_programs && address.wrapping_sub(entry) > ENTRY).then_some(address)
    });
    caller.unwrap_or(0)
}

/// Whether `kernfs_fop_write_iter` asks; so if the stack cannot be read. (Where it
/// lies is not known before the first write to sysfs since the agent has started.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_in_sysfs_write() -> u32 {
    let place = Function::KernfsFopWriteIter.range();
    if !place.is_known() {
        return 0;
    }
    Stack::<NEAR>::read().map_or(1, |stack| u32::from(stack.passes(place)))
}
