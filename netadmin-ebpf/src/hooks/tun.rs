//! `tun_dev_create`: a new tun or tap device.
//!
//! Called by `tun_set_iff` before it makes a device; the name is on its stack,
//! where no program sees it. So under a policy that excepts names, none may be
//! made, unless the policy excepts the kind.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use netadmin_common::{Via, device::kind};

use super::links;
use crate::{
    guard,
    report::{self, EPERM},
};

/// Hook `tun_dev_create()`.
#[lsm(hook = "tun_dev_create")]
pub fn tun_dev_create(ctx: LsmContext) -> i32 {
    let earlier: i32 = ctx.arg(0);
    if earlier != 0 {
        return earlier;
    }
    let Some(guard) = guard::current() else {
        return 0;
    };
    let refused = guard.policy.rules_promiscuity()
        && !guard.policy.excepts_kind(&kind::TUN)
        && links::refuses_any_name(&guard, Via::TunSetIff);
    report::answer(refused, EPERM)
}
