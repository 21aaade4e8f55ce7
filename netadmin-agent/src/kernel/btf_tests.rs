//! A small BTF, written by hand, and damaged in every way.

use proptest::prelude::*;

use super::*;

/// `struct s { u32 a; struct { u32 b; union { u32 c; u32 d:4; } }; t e; }` with
/// `typedef struct in { u32 f; u32 g; } t`.
fn sample() -> Vec<u8> {
    let strings = b"\0u32\0s\0a\0b\0c\0d\0e\0t\0in\0f\0g\0";
    let at = |name: &str| {
        let pattern = format!("\0{name}\0");
        let found = strings
            .windows(pattern.len())
            .position(|window| window == pattern.as_bytes());
        u32::try_from(found.expect("a name of the sample") + 1).expect("small")
    };
    let composite = |kind: u32, len: u32| kind << 24 | len;
    let bit_fields = 1 << 31;
    #[rustfmt::skip]
    let words = [
        at("u32"), KIND_INT << 24, 4, 32,                                    // 1
        0, composite(KIND_UNION, 2) | bit_fields, 4,                         // 2
        at("c"), 1, 0,  at("d"), 1, 4 << 24 | 4,
        0, composite(KIND_STRUCT, 2), 8,                                     // 3
        at("b"), 1, 0,  0, 2, 32,
        at("in"), composite(KIND_STRUCT, 2), 8,                              // 4
        at("f"), 1, 0,  at("g"), 1, 32,
        at("t"), KIND_TYPEDEF << 24, 4,                                      // 5
        at("s"), composite(KIND_STRUCT, 3), 20,                              // 6
        at("a"), 1, 0,  0, 3, 32,  at("e"), 5, 96,
    ];
    let types: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("small").to_ne_bytes();
    let mut file = MAGIC.to_ne_bytes().to_vec();
    file.extend([1, 0]);
    file.extend(24u32.to_ne_bytes());
    file.extend(0u32.to_ne_bytes());
    file.extend(len(&types));
    file.extend(len(&types));
    file.extend(len(strings));
    file.extend(&types);
    file.extend(strings);
    file
}

#[test]
fn fields_are_found_also_within_anonymous_members_and_typedefs() {
    let file = sample();
    let btf = Btf::parse(&file).expect("valid");
    assert_eq!(btf.size("s"), Some(20));
    assert_eq!(btf.offset("s", "a"), Some(0));
    assert_eq!(btf.offset("s", "b"), Some(4));
    assert_eq!(btf.offset("s", "c"), Some(8));
    assert_eq!(btf.offset("s", "e"), Some(12));
    assert_eq!(btf.offset("s", "e.g"), Some(16));
}

#[test]
fn what_is_not_there_or_begins_within_a_byte_is_not_found() {
    let file = sample();
    let btf = Btf::parse(&file).expect("valid");
    assert_eq!(btf.offset("s", "d"), None, "a bit field at bit 4");
    assert_eq!(btf.offset("s", "z"), None);
    assert_eq!(btf.offset("s", "a.b"), None);
    assert_eq!(btf.offset("t", "f"), None, "a typedef is no struct");
}

#[test]
fn other_bytes_are_refused() {
    assert_eq!(Btf::parse(b"").err(), Some(BtfError::Magic));
    assert_eq!(Btf::parse(b"\x7fELF....").err(), Some(BtfError::Magic));
    let file = sample();
    assert_eq!(Btf::parse(&file[..40]).err(), Some(BtfError::Damaged));
}

/// Whatever kernel runs the tests.
#[test]
fn the_running_kernel_is_read() {
    let Ok(file) = std::fs::read(super::super::layout::VMLINUX_BTF) else {
        return;
    };
    let btf = Btf::parse(&file).expect("the kernel's BTF");
    assert!(btf.offset("task_struct", "thread_info.status").is_some());
    assert!(btf.offset("net_device", "adj_list.lower").is_some());
}

proptest! {
    #[test]
    fn damage_never_panics(place in 0usize..300, byte: u8, cut in 0usize..300) {
        let mut file = sample();
        let len = file.len();
        file[place % len] = byte;
        file.truncate(len - cut % len);
        if let Ok(btf) = Btf::parse(&file) {
            let _ = btf.offset("s", "e.g");
        }
    }
}
