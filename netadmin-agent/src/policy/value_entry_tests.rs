use proptest::prelude::*;

use super::*;

const MARK: SocketOption = SocketOption::Mark;
const PRIORITY: SocketOption = SocketOption::Priority;
const MIN: i64 = i32::MIN as i64;
const MAX: i64 = i32::MAX as i64;

#[test]
fn each_form_reads_as_documented() {
    let forms = [
        ("13", 13..=13),
        ("-1", -1..=-1),
        ("0x20000", 0x20000..=0x20000),
        ("0..=6", 0..=6),
        (" 0 ..= 6 ", 0..=6),
        ("-2..=-1", -2..=-1),
        ("7..", 7..=MAX),
        ("..=6", MIN..=6),
        (">0", 1..=MAX),
        (">= 1", 1..=MAX),
        ("<6", MIN..=5),
        ("<=5", MIN..=5),
    ];
    for (text, range) in forms {
        assert_eq!(read_text(text, PRIORITY), Ok(range), "{text:?}");
    }
}

#[test]
fn hexadecimal_is_the_32_bits_that_the_kernel_is_given() {
    assert_eq!(read_text("0xffffffff", PRIORITY), Ok(-1..=-1));
    assert_eq!(read_text("0xffffffff", MARK), Ok(0xffff_ffff..=0xffff_ffff));
    assert_eq!(read_text("0x80000000", PRIORITY), Ok(MIN..=MIN));
    assert_eq!(read_text("0x80000000..=0xffffffff", PRIORITY), Ok(MIN..=-1));
}

#[test]
fn a_mark_is_unsigned_and_an_int_is_not() {
    assert_eq!(read_text("..=5", MARK), Ok(0..=5));
    assert_eq!(read_text("4294967295", MARK), Ok(4294967295..=4294967295));
    for (text, option) in [
        ("-1", MARK),
        ("4294967296", MARK),
        ("0x100000000", MARK),
        ("2147483648", PRIORITY),
        ("99999999999999999999", PRIORITY),
    ] {
        let error = read_text(text, option).expect_err(text);
        assert!(matches!(error, EntryError::OutOfDomain { .. }), "{text}");
    }
}

#[test]
fn upside_down_ranges_and_empty_comparisons_are_errors() {
    let upside_down = EntryError::UpsideDown { first: 6, last: 0 };
    assert_eq!(read_text("6..=0", PRIORITY), Err(upside_down));
    assert!(read_text("0..=0xffffffff", PRIORITY).is_err());
    assert!(read_text("<0", MARK).is_err());
    assert!(read_text(">2147483647", PRIORITY).is_err());
}

#[test]
fn a_range_says_whether_its_end_belongs_to_it() {
    for text in ["0..6", "..", "..6"] {
        let error = read_text(text, PRIORITY).expect_err(text);
        assert!(matches!(error, EntryError::HalfOpen(_)), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "", "x", "0x", "--1", "1 2", "+1", "0x-1", "1_000", "1..=", "=5", "..=", ">", "1...=3",
    ] {
        assert!(read_text(text, PRIORITY).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_values_of_the_option_or_an_error(text in "[-0-9a-fx.=<> ]{0,12}") {
        for option in SocketOption::ALL {
            if let Ok(range) = read_text(&text, option) {
                prop_assert!(!range.is_empty());
                prop_assert!(domain(option).contains(range.start()));
                prop_assert!(domain(option).contains(range.end()));
            }
        }
    }

    #[test]
    fn hexadecimal_agrees_with_the_programs(raw in any::<u32>()) {
        for option in SocketOption::ALL {
            let value = option.widen(raw);
            prop_assert_eq!(read_text(&format!("{raw:#x}"), option), Ok(value..=value));
        }
    }
}
