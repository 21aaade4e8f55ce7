//! The maps. Their names and value types are part of the layout that a later
//! agent takes over: see [`netadmin_common::LAYOUT_VERSION`].

use core::ptr;

use aya_ebpf::{
    bindings::{
        BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE,
    },
    helpers::generated::bpf_task_storage_get,
    macros::{btf_map, map},
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use netadmin_common::{
    GuardEntry, PolicyRecord,
    call::CallRecord,
    ethtool::Sight,
    event::{EventAccount, HISTORY_LEN},
    glob::{GlobRecord, MAX_GLOBS},
    guard::{BANK_WORDS, BANKS, ENTERED_LEN, Handover, POLICY_NAME_LEN},
};

use crate::{
    hooks::datagram::Judgement,
    kernel::{stack::DEPTH, task},
};

/// Most cgroups that can be guarded at a time; the agent may say otherwise.
const MAX_CGROUPS: u32 = 32_768;
/// Most policies that can be in force at a time, in each bank; and after these the one
/// that [`crate::unentered`] cgroups are under.
const MAX_POLICIES: u32 = 512 * BANKS as u32 + 1;
/// Operations of threads that are remembered while one agent takes over from
/// another; others may be reported twice.
const MAX_REPORTED: u32 = 8192;
/// Ids of generic netlink families: `GENL_MAX_ID` + 1 (linux/genetlink.h).
const GENL_IDS: u32 = 1024;
/// Bytes of events that wait for the agent.
const EVENTS_LEN: u32 = 1 << 20;
/// Bytes of cgroup births and deaths that wait for the agent. (It looks at the whole
/// tree if there were more.)
const CGROUP_EVENTS_LEN: u32 = 1 << 18;

/// Cgroup id to what guards it. The one lookup of an unguarded task.
#[map]
pub static GUARDS: HashMap<u64, GuardEntry> =
    HashMap::with_max_entries(MAX_CGROUPS, BPF_F_NO_PREALLOC);

/// By the end of an id: 1 if a cgroup with such an id was ever entered in `GUARDS`. Set
/// before that, and never taken back, since ids share a place: what has 0 here has no
/// entry, and needs no lookup.
#[map]
pub static ENTERED: Array<u8> = Array::with_max_entries(ENTERED_LEN, 0);

/// The epoch in force, whose bank holds the policies in force; then words about the globs
/// of each bank.
#[map]
pub static BANK: Array<u32> = Array::with_max_entries(BANK_WORDS, 0);

/// The globs of both banks, each in the order of its policies.
#[map]
pub static GLOBS: Array<GlobRecord> = Array::with_max_entries((BANKS * MAX_GLOBS) as u32, 0);

/// Policy index to the policy's name; for agents and `status` alone.
#[map]
pub static NAMES: Array<[u8; POLICY_NAME_LEN]> = Array::with_max_entries(MAX_POLICIES, 0);

/// One word: 1 while two agents' programs are attached. Shared by all versions.
#[map]
pub static OVERLAP: Array<u32> = Array::with_max_entries(1, 0);

/// Thread id, way and operation (32, 16 and 16 bits) to who has reported it, while
/// two agents' programs are attached. Shared by all versions. (No task storage,
/// which `cgroup/setsockopt` programs may not use.)
#[map]
pub static HANDOVER: LruHashMap<u64, Handover> = LruHashMap::with_max_entries(MAX_REPORTED, 0);

/// What the set's agent has done, as JSON; for agents and `status` alone.
#[map]
pub static HISTORY: Array<[u8; HISTORY_LEN]> = Array::with_max_entries(1, 0);

/// Policy index to policy.
#[map]
pub static POLICIES: Array<PolicyRecord> = Array::with_max_entries(MAX_POLICIES, 0);

/// Id of a generic netlink family to the operation that it is, a
/// [`netadmin_common::OperationKind`]; 0 for one that is not known.
#[map]
pub static FAMILIES: Array<u32> = Array::with_max_entries(GENL_IDS, 0);

/// What `ethtool_sight` saw; for as long as the agent learns.
#[map]
pub static SIGHT: Array<Sight> = Array::with_max_entries(1, 0);

/// Where functions of the kernel lie, see [`crate::kernel::symbols`]: the first
/// address of each, and the one after its last.
#[map]
pub static SYMBOLS: Array<u64> = Array::with_max_entries(16, 0);

/// The return addresses of a guarded task's capability question.
#[btf_map]
pub static STACKS: TaskStorage<[u64; DEPTH]> = TaskStorage::new();

/// Refusals, for the agent to report.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_LEN, 0);

/// What the agent has to act upon: births and deaths of cgroups, and breaches.
/// Apart from `EVENTS`, so that a flood of refusals hides none.
#[map]
pub static CGROUP_EVENTS: RingBuf = RingBuf::with_byte_size(CGROUP_EVENTS_LEN, 0);

/// How many births and deaths of cgroups found no room in `CGROUP_EVENTS`.
#[map]
pub static LOST: Array<u64> = Array::with_max_entries(1, 0);

/// What became of the refusals.
#[map]
pub static ACCOUNT: PerCpuArray<EventAccount> = PerCpuArray::with_max_entries(1, 0);

/// The call that a guarded task is in, from its first hook to its capability
/// question. Goes with the task, so that it neither evicts nor fills up.
#[btf_map]
pub static CALLS: TaskStorage<CallRecord> = TaskStorage::new();

/// The judgement of the datagram that a guarded task sends.
#[btf_map]
pub static JUDGEMENTS: TaskStorage<Judgement> = TaskStorage::new();

/// A value of its own for each task. (Laid out as the loader expects a map's
/// definition; aya-ebpf has the other local storages, not yet this one.)
#[repr(C)]
pub struct TaskStorage<T> {
    r#type: *const [i32; BPF_MAP_TYPE_TASK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the fields are placeholders for the loader and never dereferenced.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }

    /// The current task's value, zeroed at first; `None` if there is no memory
    /// for it, or if the kernel is at work on this task's storages.
    #[inline(always)]
    pub fn of_current(&self) -> Option<&'static mut T> {
        // SAFETY: the map outlives the program, and the value the task's call;
        // only the task itself touches it.
        unsafe {
            bpf_task_storage_get(
                ptr::from_ref(self).cast_mut().cast(),
                task::current(),
                ptr::null_mut(),
                u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE),
            )
            .cast::<T>()
            .as_mut()
        }
    }
}
