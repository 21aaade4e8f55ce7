//! The pieces of `CAP_NET_ADMIN`: which one a capability question is about.
//!
//! The saved registers name most calls, and a process cannot change them while
//! it is in one. Of the rest (messages sent, files written, io_uring), the
//! kernel's own stack says where the question is asked. What earlier hooks
//! recorded could be of an earlier call; a return address on the stack cannot.
//! What none of this explains is `unclassified`.

use aya_ebpf::programs::LsmContext;
use netadmin_common::{
    OperationKind, SocketOption, Value, Via,
    call::{CALL_ALLOWED, CALL_REFUSED},
    ethtool::{SIOCETHTOOL, ethtool_piece, untold_piece},
    ioctl::{ioctl_piece, ioctl_piece_besides, is_question},
    netlink::{Class, LinkView, NETLINK_ROUTE, classify, pieces::FLAGS},
    policy::MODE_AUDIT,
    sockopt::sockopt_piece,
};

use super::{
    control, ethtool,
    ioctl::{SIOCSIFFLAGS, way},
    links,
};
use crate::{
    guard::{self, Guard},
    kernel::{
        stack::{DEPTH, Stack},
        symbols::{Function, Range},
        task::{self, Call},
    },
    maps::{CALLS, FAMILIES},
    report::{self, Question},
};

/// `CAP_OPT_NOAUDIT` (include/linux/security.h): the answer decides no refusal.
const CAP_OPT_NOAUDIT: u32 = 2;

/// Whether the current task's policy refuses `CAP_NET_ADMIN` here.
#[inline(always)]
pub fn refuses(ctx: &LsmContext, guard: &Guard, call: Call) -> bool {
    if !guard.policy.rules_net_admin() {
        return false;
    }
    let options: u32 = ctx.arg(3);
    let call = if task::uses_io_uring() && netadmin_in_task_work() != 0 {
        Call::Other
    } else {
        call
    };
    let (kind, via) = match call {
        Call::Setsockopt { level, optname, .. } => {
            (sockopt_piece(level, optname, false), Via::Setsockopt)
        }
        Call::Getsockopt { level, optname } => {
            (sockopt_piece(level, optname, true), Via::Getsockopt)
        }
        Call::Ioctl { command, .. } => return refuses_ioctl(ctx, guard, command),
        Call::Read => return refuses_quietly(guard, OperationKind::ReadDetails),
        Call::Socket => (OperationKind::SocketCreate, Via::Capable),
        Call::Bpf => (OperationKind::BpfUse, Via::Capable),
        Call::Socketcall => recorded_option(),
        Call::Bind | Call::Sendmsg | Call::Sendto | Call::Other => match netadmin_place() {
            PLACE_NETLINK => return refuses_netlink(guard),
            PLACE_SYSFS => (OperationKind::SysfsWrite, Via::Sysfs),
            // The write itself was judged before (hooks/sysctl.rs), and reported.
            PLACE_SYSCTL if guard.policy.mode == MODE_AUDIT => return false,
            PLACE_SYSCTL => (OperationKind::SysctlWrite, Via::Sysctl),
            PLACE_CMSG => (control::option_at_hand().operation(), Via::Sendmsg),
            PLACE_SOCKOPT => recorded_option(),
            // ppp_open, in a module: the only device that asks when it is opened.
            PLACE_CHRDEV => (OperationKind::PppUse, Via::Capable),
            // (Others that ask there are Bluetooth's and QRTR's sockets.)
            PLACE_BIND => (OperationKind::NetlinkGroups, Via::Capable),
            // net_ctl_permissions, asked when such a file is opened.
            _ if options & CAP_OPT_NOAUDIT != 0 => (OperationKind::SysctlWrite, Via::Capable),
            _ => (OperationKind::Unclassified, Via::Capable),
        },
    };
    if options & CAP_OPT_NOAUDIT != 0 {
        return refuses_quietly(guard, kind);
    }
    ask(kind, via)
}

/// Asks for a piece, with the kernel's own errno.
#[inline(always)]
fn ask(kind: OperationKind, via: Via) -> bool {
    let errno = if kind as u16 == OperationKind::SetDebug as u16 {
        report::errno(SocketOption::Debug)
    } else {
        report::EPERM
    };
    Question::piece(kind, via, errno).is_refused()
}

/// A question that decides no refusal: counted, not reported.
#[inline(always)]
fn refuses_quietly(guard: &Guard, kind: OperationKind) -> bool {
    if guard.policy.mode == MODE_AUDIT || !guard.policy.net_admin.refused.contains(kind) {
        return false;
    }
    report::count_quiet();
    true
}

/// The option that `socket_setsockopt` saw in this very call, where the
/// registers do not say.
#[inline(always)]
fn recorded_option() -> (OperationKind, Via) {
    let kind = match CALLS.of_current() {
        Some(call) => sockopt_piece(call.level, call.optname, false),
        None => OperationKind::Unclassified,
    };
    (kind, Via::Setsockopt)
}

/// `dev_ioctl` and its like. Some ask twice, since `dev_load` asks too.
#[inline(always)]
fn refuses_ioctl(ctx: &LsmContext, guard: &Guard, command: u32) -> bool {
    let via = way(command).map_or(Via::Ioctl, |(via, _)| via);
    let Some(call) = CALLS.of_current() else {
        return ask(OperationKind::Unclassified, via);
    };
    if command == SIOCSIFFLAGS {
        return match call.state {
            CALL_ALLOWED if call.command == command => false,
            CALL_REFUSED if call.command == command => true,
            _ => links::refuses_pieces(FLAGS, via),
        };
    }
    let mut value = Value::None;
    let kind = match ioctl_piece(command) {
        Some(_) if command == SIOCETHTOOL => match ethtool::sub_command(ctx) {
            Some(sub_command) => {
                value = Value::Known(sub_command.into());
                ethtool_piece(sub_command)
            }
            None => {
                value = Value::Unknown;
                untold_piece(&guard.policy.net_admin.refused)
            }
        },
        Some(kind) => kind,
        None if is_question(command) => {
            return refuses_quietly(guard, OperationKind::Unclassified);
        }
        None => return ask(OperationKind::Unclassified, via),
    };
    let kind = match ioctl_piece_besides(command) {
        Some(besides) if !guard.policy.net_admin.refused.contains(kind) => besides,
        _ => kind,
    };
    if call.reported_piece == kind as u32 {
        return guard.policy.mode != MODE_AUDIT;
    }
    if guard.policy.net_admin.refused.contains(kind) {
        call.reported_piece = kind as u32;
    }
    Question::set(kind, value, report::EPERM)
        .by(via)
        .is_refused()
}

/// The messages of the datagram that is being handled were decided when it was
/// sent (hooks/datagram.rs), but for those of which only the question tells
/// whether they need the capability.
#[inline(always)]
fn refuses_netlink(guard: &Guard) -> bool {
    let Some(call) = CALLS.of_current() else {
        return ask(OperationKind::Unclassified, Via::Netlink);
    };
    let Some(kind) = OperationKind::from_number(call.asked as u16) else {
        return false;
    };
    if kind as u16 == OperationKind::ReadDetails as u16 {
        return refuses_quietly(guard, kind);
    }
    if call.asked_reported != 0 {
        return guard.policy.mode != MODE_AUDIT;
    }
    call.asked_reported = 1;
    ask(kind, Via::Netlink)
}

/// How many return addresses are looked at to find the place. The deepest
/// question on the way from `netlink_unicast` is some 16 calls below it.
const NEAR: usize = 24;
/// Most are nearer, and each address costs some 500 instructions to unwind to.
const NEARER: usize = 14;

const PLACE_UNKNOWN: u32 = 0;
const PLACE_NETLINK: u32 = 1;
const PLACE_SYSFS: u32 = 2;
const PLACE_SYSCTL: u32 = 3;
const PLACE_CMSG: u32 = 4;
const PLACE_SOCKOPT: u32 = 5;
const PLACE_CHRDEV: u32 = 6;
const PLACE_BIND: u32 = 7;

/// Where the kernel is: the innermost function of its stack that is known.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_place() -> u32 {
    let places = Places {
        netlink: Function::NetlinkUnicast.range(),
        sysfs: Function::KernfsFopWriteIter.range(),
        sysctl: Function::ProcSysCallHandler.range(),
        cmsg: Function::SockCmsgSend.range(),
        sockopt: Function::DoSockSetsockopt.range(),
        chrdev: Function::ChrdevOpen.range(),
        bind: Function::NetlinkBind.range(),
    };
    let place = places.among::<NEARER>();
    if place == PLACE_UNKNOWN {
        return places.among::<NEAR>();
    }
    place
}

/// Whether io_uring may be doing its work, on the way out of a call whose
/// registers are still there (`task_work_run`); so if that cannot be known.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_in_task_work() -> u32 {
    let work = Function::TaskWorkRun.range();
    match Stack::<DEPTH>::read() {
        // Cut short, what is missing may be just that.
        Some(stack) if work.is_known() && !stack.is_cut_short() => u32::from(stack.passes(work)),
        _ => 1,
    }
}

struct Places {
    netlink: Range,
    sysfs: Range,
    sysctl: Range,
    cmsg: Range,
    sockopt: Range,
    chrdev: Range,
    bind: Range,
}

impl Places {
    /// The innermost one that lies `MOST` calls up at most.
    #[inline(always)]
    fn among<const MOST: usize>(&self) -> u32 {
        let known = |address| Some(self.of(address)).filter(|place| *place != PLACE_UNKNOWN);
        Stack::<MOST>::read()
            .and_then(|stack| stack.find(known))
            .unwrap_or(PLACE_UNKNOWN)
    }

    #[inline(always)]
    fn of(&self, address: u64) -> u32 {
        if self.netlink.contains(address) {
            PLACE_NETLINK
        } else if self.sysfs.contains(address) {
            PLACE_SYSFS
        } else if self.sysctl.contains(address) {
            PLACE_SYSCTL
        } else if self.cmsg.contains(address) {
            PLACE_CMSG
        } else if self.sockopt.contains(address) {
            PLACE_SOCKOPT
        } else if self.chrdev.contains(address) {
            PLACE_CHRDEV
        } else if self.bind.contains(address) {
            PLACE_BIND
        } else {
            PLACE_UNKNOWN
        }
    }
}

/// A netlink message, as far as it says which piece it is, and where the device lies
/// that it is about.
#[derive(Clone, Copy)]
pub struct Message {
    /// The netlink family.
    pub protocol: u16,
    /// `nlmsg_type`.
    pub message_type: u16,
    /// The first byte of the payload.
    pub family: u8,
    /// The device's index, if it has one and that is known; else 0.
    pub index: u32,
    /// The network namespace.
    pub net: u64,
}

/// Whether a netlink message is refused when it is sent; else what is to be
/// answered if the capability is asked for is recorded. `view` is room for the device.
#[inline(always)]
pub fn refuses_message(message: Message, view: *mut LinkView) -> bool {
    let Message {
        protocol,
        message_type,
        family,
        index,
        net,
    } = message;
    let what = u32::from(message_type) | u32::from(family) << 16;
    netadmin_message(u32::from(protocol), what, index, net, view) != 0
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_message(
    protocol: u32,
    what: u32,
    index: u32,
    net: u64,
    view: *mut LinkView,
) -> u32 {
    let Some(guard) = guard::current() else {
        return 0;
    };
    let via = if protocol == u32::from(NETLINK_ROUTE) {
        Via::Rtnetlink
    } else {
        Via::Netlink
    };
    let kind = match classify(protocol as u16, what as u16, (what >> 16) as u8) {
        Class::Nothing | Class::Link => return 0,
        Class::Sent(kind) => {
            let granted = guard.policy.grants.len != 0
                && index.cast_signed() > 0
                && guard.policy.net_admin.refused.contains(kind)
                && links::netadmin_granted(kind as u32, index, net, view, guard.index) != 0;
            return u32::from(!granted && ask(kind, via));
        }
        Class::Asked(kind) => kind,
        Class::Family => family_of(what & 0xffff),
    };
    if !guard.policy.net_admin.refused.contains(kind) {
        return 0;
    }
    let Some(call) = CALLS.of_current() else {
        return u32::from(ask(kind, via));
    };
    // What is reported goes before what is not.
    if call.asked == 0 || call.asked == OperationKind::ReadDetails as u32 {
        call.asked = kind as u32;
    }
    0
}

/// The operation of a generic netlink family. One that the agent has not heard
/// of (yet) is none of those that a policy can name.
#[inline(always)]
fn family_of(id: u32) -> OperationKind {
    FAMILIES
        .get(id)
        .and_then(|kind| OperationKind::from_number(*kind as u16))
        .unwrap_or(OperationKind::Unclassified)
}
