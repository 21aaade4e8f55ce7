//! From an operation to a verdict, and from that to the event.

use core::arch::asm;

use aya_ebpf::Global;
use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid,
    generated::{bpf_get_current_cgroup_id, bpf_ktime_get_boot_ns},
};
use aya_log_ebpf::debug;
use netadmin_common::{
    EventKind, EventRecord, LAYOUT_VERSION, Operation, OperationKind, Rule, SocketOption, Text,
    Value, Verdict, Via, decide,
    event::{VALUE_KNOWN, VALUE_NONE, VALUE_PRIVILEGED, VALUE_UNKNOWN},
    guard::{Handover, NO_POLICY},
    policy::MODE_AUDIT,
};

use crate::{
    guard::{self, Guard},
    kernel::{Address, layout, netdev, task},
    maps::{ACCOUNT, CGROUP_EVENTS, EVENTS, HANDOVER, OVERLAP},
};

/// `EPERM` (asm-generic/errno-base.h).
pub const EPERM: i32 = 1;
/// `EACCES`.
const EACCES: i32 = 13;

/// The kernel's own errno for a missing capability (`sk_setsockopt`).
#[inline(always)]
pub fn errno(option: SocketOption) -> i32 {
    if matches!(option, SocketOption::Debug) {
        EACCES
    } else {
        EPERM
    }
}

/// What an LSM hook returns. (Opaque: else the compiler computes it as
/// `-(refused)`, whose bounds the verifier does not follow.)
#[inline(always)]
pub fn answer(refused: bool, errno: i32) -> i32 {
    if !refused {
        return 0;
    }
    let mut code = -i64::from(errno);
    // SAFETY: moves a register onto itself.
    unsafe { asm!("{code} = {code}", code = inout(reg) code, options(nomem, nostack)) };
    code as i32
}

/// An operation, and where it came from: what a hook asks.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Question {
    kind: u32,
    via: u32,
    errno: u32,
    ifindex: u32,
    excepted: u32,
    value_state: u32,
    policy: u32,
    has_second: u32,
    value: i64,
    name: Text,
}

impl Question {
    /// An operation on a device, or on none that is known.
    #[inline(always)]
    pub fn on_device(kind: OperationKind, via: Via) -> Self {
        Self {
            kind: kind as u32,
            via: via as u32,
            errno: EPERM as u32,
            ifindex: 0,
            excepted: 0,
            value_state: VALUE_NONE,
            policy: NO_POLICY,
            has_second: 1,
            value: 0,
            name: Text::EMPTY,
        }
    }

    /// A piece of the capability. `errno` is the kernel's own without it.
    #[inline(always)]
    pub fn piece(kind: OperationKind, via: Via, errno: i32) -> Self {
        let question = Self::on_device(kind, via);
        Self {
            errno: errno as u32,
            ..question
        }
    }

    /// An operation by its numbers; one that is not known is refused.
    #[inline(always)]
    pub fn packed(kind: u32, via: u32, excepted: bool) -> Self {
        let question = Self::on_device(OperationKind::PromiscuousUnjudged, Via::Rtnetlink);
        Self {
            kind,
            via,
            excepted: u32::from(excepted),
            ..question
        }
    }

    /// The device.
    #[inline(always)]
    pub fn on(mut self, ifindex: u32, name: Text) -> Self {
        self.ifindex = ifindex;
        self.name = name;
        self
    }

    /// The device, and whether the policy excepts it.
    #[inline(always)]
    pub fn device(mut self, ifindex: u32, name: Text, excepted: bool) -> Self {
        self.ifindex = ifindex;
        self.name = name;
        self.excepted = u32::from(excepted);
        self
    }

    /// Setting a socket option. `errno` is the kernel's own for a missing
    /// capability.
    #[inline(always)]
    pub fn set(kind: OperationKind, value: Value, errno: i32) -> Self {
        let (value_state, value) = match value {
            Value::Known(value) => (VALUE_KNOWN, value),
            Value::Privileged => (VALUE_PRIVILEGED, 0),
            Value::Unknown => (VALUE_UNKNOWN, 0),
            Value::None => (VALUE_NONE, 0),
        };
        let question = Self::on_device(kind, Via::Setsockopt);
        Self {
            errno: errno as u32,
            value_state,
            value,
            ..question
        }
    }

    /// The way that it came.
    #[inline(always)]
    pub fn by(mut self, via: Via) -> Self {
        self.via = via as u32;
        self
    }

    /// Under the policy with this index, which the hook has consulted before.
    /// Without it, under the one that is then in force.
    #[inline(always)]
    pub fn under(mut self, policy: u32) -> Self {
        self.policy = policy;
        self
    }

    /// Asked by a program that is never attached twice: a newer one replaces it.
    #[inline(always)]
    pub fn asked_once(mut self) -> Self {
        self.has_second = 0;
        self
    }

    /// What [`Self::under`] said.
    #[inline(always)]
    pub fn policy(&self) -> u32 {
        self.policy
    }

    #[inline(always)]
    fn guard(&self) -> Option<Guard> {
        match self.policy {
            NO_POLICY => guard::current(),
            policy => guard::under(guard::cgroup_of_current(), policy),
        }
    }

    #[inline(always)]
    fn operation(&self) -> Option<Operation> {
        Some(Operation {
            kind: OperationKind::from_number(self.kind as u16)?,
            value: match self.value_state {
                VALUE_KNOWN => Value::Known(self.value),
                VALUE_PRIVILEGED => Value::Privileged,
                VALUE_NONE => Value::None,
                _ => Value::Unknown,
            },
            excepted: self.excepted != 0,
        })
    }

    /// Whether the current task's policy refuses it. Reports what there is to
    /// report.
    #[inline(always)]
    pub fn is_refused(&self) -> bool {
        netadmin_decide(self) != 0
    }
}

/// The one place where the programs decide. (Global for the verifier, which
/// then checks it once and not for each call.)
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netadmin_decide(question: *const Question) -> u32 {
    // SAFETY: the verifier checks that callers pass a whole question.
    let Some(question) = (unsafe { question.as_ref() }) else {
        return 1;
    };
    let Some(guard) = question.guard() else {
        return 0;
    };
    let Some(operation) = question.operation() else {
        return 1;
    };
    let verdict = decide(guard.policy, &operation);
    debug!(
        (),
        "policy {} cgroup {} operation {} via {} on device {}: {}",
        guard.index,
        guard.cgroup,
        question.kind,
        question.via,
        question.ifindex,
        match verdict {
            Verdict::Allow => "allowed",
            Verdict::Report(_) => "allowed, and reported",
            Verdict::Refuse(_) => "against a rule",
        },
    );
    let (rule, kind) = match verdict {
        Verdict::Allow => return 0,
        Verdict::Report(rule) => (rule, EventKind::Allowed),
        Verdict::Refuse(rule) if guard.policy.mode == MODE_AUDIT => (rule, EventKind::WouldRefuse),
        Verdict::Refuse(rule) => (rule, EventKind::Refused),
    };
    submit(question, &guard, rule, kind);
    u32::from(matches!(kind, EventKind::Refused))
}

/// A device whose promiscuity rose.
#[derive(Clone, Copy)]
pub struct Rise {
    pub device: Address,
    pub increment: u32,
}

/// Tells of a rise; under `guard` it is a breach, which is counted, too, and
/// answered with `signal`, if that is not 0.
#[inline(always)]
pub fn tell_rise(rise: Rise, guard: Option<&Guard>, signal: u32) {
    if guard.is_some() {
        if is_told_already(0, EventKind::Breach as u32) {
            return;
        }
        count(BREACH);
    }
    let buffer = match guard {
        Some(_) => &CGROUP_EVENTS,
        None => &EVENTS,
    };
    let Some(mut entry) = buffer.reserve::<EventRecord>(0) else {
        count(DROPPED);
        return;
    };
    let device = rise.device;
    let after: u32 = device.read(&layout::NET_DEVICE_PROMISCUITY).unwrap_or(0);
    let net = device.follow(&layout::NET_DEVICE_ND_NET);
    let who = task::identity();
    let kind = match guard {
        Some(_) => EventKind::Breach,
        None => EventKind::Rise,
    };
    entry.write(EventRecord {
        layout: LAYOUT_VERSION,
        kind: kind as u16,
        // SAFETY: the helpers have no preconditions.
        time: unsafe { bpf_ktime_get_boot_ns() },
        // SAFETY: as above.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        pid: who.pid,
        tid: who.tid,
        uid: who.uid,
        policy: guard.map_or(0, |guard| guard.index),
        rule: guard.map_or(0, |_| Rule::Promiscuous as u16),
        ifindex: device.read(&layout::NET_DEVICE_IFINDEX).unwrap_or(0),
        promiscuity_before: after.wrapping_sub(rise.increment),
        promiscuity_after: after,
        kernel_thread: u32::from(task::is_kernel_thread()),
        netns: net
            .and_then(|net| net.read(&layout::NET_NS_INUM))
            .unwrap_or(0),
        signal,
        generation: generation(),
        comm: Text::from_memory(who.name).bytes(),
        ifname: netdev::name(device).unwrap_or_default().bytes(),
        ..EventRecord::default()
    });
    entry.submit(0);
    count(SUBMITTED);
}

/// The number of the set of programs that this one belongs to; the agent sets it.
#[unsafe(no_mangle)]
static GENERATION: Global<u32> = Global::new(0);

/// The number of this set.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.load()
}

/// Whether a newer agent's program has just reported this. While one agent takes
/// over from another, two programs judge each call, the newer one first
/// (`hlist_add_head` in `bpf_trampoline_link_prog`). What the first refuses, the
/// second does not see; what it lets pass, both may report. (Told apart by thread
/// and operation: the newer set is attached hook by hook.)
#[inline(always)]
fn is_told_already(via: u32, kind: u32) -> bool {
    if OVERLAP.get(0).is_none_or(|overlap| *overlap == 0) {
        return false;
    }
    let own = generation();
    let thread = bpf_get_current_pid_tgid() << 32;
    let key = thread | u64::from(via << 16 | kind & 0xffff);
    let Some(told) = HANDOVER.get_ptr_mut(key) else {
        let first = Handover {
            generation: own,
            ahead: 1,
        };
        // Without room for it, it may be reported twice.
        let _full = HANDOVER.insert(key, first, 0);
        return false;
    };
    // SAFETY: a live entry of the map, which only its own thread touches.
    let told = unsafe { &mut *told };
    if told.generation > own {
        let ahead = told.ahead > 0;
        told.ahead -= u32::from(ahead);
        return ahead;
    }
    if told.generation < own {
        told.generation = own;
        told.ahead = 0;
    }
    told.ahead += 1;
    false
}

/// Hands an event to the agent, or counts it as dropped.
#[inline(always)]
fn submit(question: &Question, guard: &Guard, rule: Rule, kind: EventKind) {
    if question.has_second != 0 && is_told_already(question.via, question.kind) {
        return;
    }
    let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
        count(DROPPED);
        return;
    };
    let event = entry.as_mut_ptr();
    // Field by field, since a record built on the stack would not leave the
    // callers enough of it. `comm` and `ifname` are sixteen bytes each.
    //
    // SAFETY: `event` points to room for a record, and every field is written;
    // the helpers have no preconditions.
    unsafe {
        let who = task::identity();
        (*event).pid = who.pid;
        (*event).tid = who.tid;
        (*event).uid = who.uid;
        (&raw mut (*event).comm).cast::<[u64; 2]>().write(who.name);
        (*event).layout = LAYOUT_VERSION;
        (*event).kind = kind as u16;
        (*event).via = question.via as u16;
        (*event).time = bpf_ktime_get_boot_ns();
        (*event).cgroup = guard.cgroup;
        (*event).policy = guard.index;
        (*event).rule = rule as u16;
        (*event).operation = question.kind as u16;
        (*event).errno = if matches!(kind, EventKind::Allowed) {
            0
        } else {
            question.errno
        };
        (*event).value = question.value;
        (*event).value_state = question.value_state;
        (*event).ifindex = question.ifindex;
        (*event).promiscuity_before = 0;
        (*event).promiscuity_after = 0;
        (*event).kernel_thread = 0;
        (*event).netns = 0;
        (*event).signal = 0;
        (*event).generation = generation();
        (&raw mut (*event).ifname)
            .cast::<[u64; 2]>()
            .write(question.name.words());
    }
    entry.submit(0);
    count(SUBMITTED);
}

const SUBMITTED: u32 = 0;
const DROPPED: u32 = 1;
const BREACH: u32 = 2;
const SUPPRESSED: u32 = 3;

/// Counts a refusal that decides nothing and is not reported.
pub fn count_quiet() {
    count(SUPPRESSED);
}

/// Counts an event that was handed on or dropped, or a breach.
#[inline(always)]
fn count(what: u32) {
    let Some(account) = ACCOUNT.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a live entry of the map.
    unsafe {
        match what {
            BREACH => add_one(&raw mut (*account).breaches),
            SUBMITTED => {
                add_one(&raw mut (*account).seen);
                add_one(&raw mut (*account).submitted);
            }
            SUPPRESSED => {
                add_one(&raw mut (*account).seen);
                add_one(&raw mut (*account).suppressed);
            }
            _ => {
                add_one(&raw mut (*account).seen);
                add_one(&raw mut (*account).dropped);
            }
        }
    }
}

/// Adds one in a single instruction: programs can be preempted by each other.
///
/// # Safety
/// `counter` must be a live counter of a map.
#[inline(always)]
pub unsafe fn add_one(counter: *mut u64) {
    // SAFETY: as the caller promises; maps are aligned to eight bytes. (The
    // target's `core` has no `fetch_add`; BPF has had the instruction from 3.18.)
    unsafe {
        asm!(
            "lock *(u64 *)({counter} + 0) += {one}",
            counter = in(reg) counter,
            one = in(reg) 1u64,
        );
    }
}
