//! The witness: every rise of a device's promiscuity, whoever caused it.
//!
//! Every way ends in `__dev_set_promiscuity` (net/core/dev.c). An fexit sees
//! whether it succeeded; it can refuse nothing.

use aya_ebpf::{
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
        generated::{bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns},
    },
    macros::fexit,
    programs::FExitContext,
};
use netadmin_common::{EventKind, EventRecord, LAYOUT_VERSION};

use crate::{
    kernel::{Address, layout, netdev, task},
    maps::EVENTS,
};

/// `__dev_set_promiscuity(dev, inc, notify)`.
#[fexit(function = "__dev_set_promiscuity")]
pub fn promiscuity_rise(ctx: FExitContext) -> i32 {
    let increment: i32 = ctx.arg(1);
    let result: i32 = ctx.arg(3);
    if increment > 0 && result == 0 {
        tell(Address::of::<u8>(ctx.arg(0)), increment.unsigned_abs());
    }
    0
}

#[inline(always)]
fn tell(device: Address, increment: u32) {
    let after: u32 = device.read(&layout::NET_DEVICE_PROMISCUITY).unwrap_or(0);
    let name = netdev::name(device).unwrap_or_default();
    let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
        return;
    };
    let ids = bpf_get_current_pid_tgid();
    entry.write(EventRecord {
        layout: LAYOUT_VERSION,
        kind: EventKind::Rise as u16,
        // SAFETY: the helpers have no preconditions.
        time: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: as above.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        pid: (ids >> 32) as u32,
        tid: ids as u32,
        uid: bpf_get_current_uid_gid() as u32,
        ifindex: device.read(&layout::NET_DEVICE_IFINDEX).unwrap_or(0),
        promiscuity_before: after.wrapping_sub(increment),
        promiscuity_after: after,
        kernel_thread: u32::from(task::is_kernel_thread()),
        comm: bpf_get_current_comm().unwrap_or_default(),
        ifname: name.bytes(),
        ..EventRecord::default()
    });
    entry.submit(0);
}
