//! The records that programs and agent share, pinned: a change of any of these
//! numbers must raise `LAYOUT_VERSION`, and then this table.

use std::mem::{offset_of, size_of};

use netadmin_common::call::CallRecord;
use netadmin_common::event::{EventAccount, EventRecord};
use netadmin_common::glob::{GLOB_LEN, GlobRecord};
use netadmin_common::grants::{Grant, Grants};
use netadmin_common::guard::{GuardEntry, Handover};
use netadmin_common::pieces::NetAdminRecord;
use netadmin_common::policy::{OptionRecord, PolicyRecord, PromiscuousRecord};
use netadmin_common::{Exception, LAYOUT_VERSION, Range, Text, ValueSet};

/// The version that the table below is of.
const VERSION: u32 = 9;

/// Checks size and offsets; a field that is not in the table does not compile.
macro_rules! layout {
    ($record:ident, $size:literal, $($field:ident: $offset:literal),+) => {
        let _ = |record: $record| {
            let $record { $($field: _),+ } = record;
        };
        assert_eq!(size_of::<$record>(), $size, "{}", stringify!($record));
        $(assert_eq!(
            offset_of!($record, $field),
            $offset,
            "{}.{}",
            stringify!($record),
            stringify!($field)
        );)+
    };
}

#[test]
fn a_change_of_layout_raises_the_version() {
    assert_eq!(LAYOUT_VERSION, VERSION, "renew the table with the version");
    layout!(GuardEntry, 24, banks: 0, cgroup: 16);
    layout!(GlobRecord, 264, policy: 0, len: 4, code: 8);
    assert_eq!(GLOB_LEN, 256);
    layout!(Handover, 8, generation: 0, ahead: 4);
    layout!(CallRecord, 72, command: 0, state: 4, reported_option: 8, seen_option: 12, reported_piece: 16, asked: 20, asked_reported: 24, level: 28, optname: 32, control: 36, control_value: 40, control_valid: 44, seen: 48, judged_by: 52, subject: 56, copy: 64);
    layout!(EventAccount, 40, seen: 0, submitted: 8, suppressed: 16, dropped: 24, breaches: 32);
    layout!(EventRecord, 120, layout: 0, kind: 4, via: 6, time: 8, cgroup: 16, pid: 24, tid: 28, uid: 32, policy: 36, rule: 40, operation: 42, errno: 44, value: 48, value_state: 56, ifindex: 60, promiscuity_before: 64, promiscuity_after: 68, kernel_thread: 72, netns: 76, signal: 80, generation: 84, comm: 88, ifname: 104);
    layout!(Range, 16, first: 0, last: 8);
    layout!(ValueSet, 264, len: 0, reserved: 4, ranges: 8);
    layout!(Exception, 40, by: 0, reserved: 4, text: 8, mask: 24);
    layout!(PromiscuousRecord, 328, flags: 0, len: 4, exceptions: 8);
    layout!(OptionRecord, 272, rule: 0, reserved: 4, allowed: 8);
    layout!(NetAdminRecord, 64, refused: 0, denied: 32);
    layout!(Grant, 72, pieces: 0, on: 32);
    layout!(Grants, 584, len: 0, reserved: 4, list: 8);
    layout!(PolicyRecord, 2344, mode: 0, reserved: 4, net_admin: 8, grants: 72, promiscuous: 656, options: 984);
    assert_eq!((size_of::<Text>(), align_of::<Text>()), (16, 8));
}

#[test]
fn records_have_no_padding_that_is_not_a_field() {
    // Each size is the sum of its fields: what is written has no stale bytes.
    let event = 4 + 2 + 2 + 8 + 8 + 4 * 4 + 2 + 2 + 4 + 8 + 4 * 8 + 16 + 16;
    assert_eq!(size_of::<EventRecord>(), event);
    assert_eq!(size_of::<PolicyRecord>(), 8 + 64 + 584 + 328 + 5 * 272);
    assert_eq!(size_of::<GuardEntry>() + size_of::<CallRecord>(), 24 + 72);
}
