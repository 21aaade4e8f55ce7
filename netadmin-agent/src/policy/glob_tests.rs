use netadmin_common::glob::{GlobStep, GlobWalk, PATH_LEN, PathRecord};
use proptest::prelude::*;

use super::*;

fn glob(text: &str) -> PathGlob {
    PathGlob::parse(text).expect("a glob")
}

#[test]
fn a_star_stays_within_its_component() {
    assert!(glob("/a/*/c").matches("/a/b/c"));
    assert!(!glob("/a/*").matches("/a/b/c"));
    assert!(!glob("/a/*").matches("/a"));
    assert!(glob("/*.slice").matches("/kubepods.slice"));
    assert!(glob("/cri-*-x*.scope").matches("/cri-ab-c-xy.scope"));
}

#[test]
fn two_stars_are_any_number_of_components_none_included() {
    for path in ["/a", "/a/b", "/a/b/c"] {
        assert!(glob("/a/**").matches(path), "{path}");
    }
    assert!(glob("/a/**/d").matches("/a/d"));
    assert!(glob("/a/**/d").matches("/a/b/c/d"));
    assert!(!glob("/a/**/d").matches("/a/b/c"));
    assert!(!glob("/a/**").matches("/ab"));
}

#[test]
fn a_glob_without_a_star_is_one_path() {
    assert!(glob("/a/b").matches("/a/b"));
    assert!(!glob("/a/b").matches("/a/b/c"));
    assert!(glob("/").matches("/"));
    assert!(!glob("/").matches("/a"));
    assert!(!glob("/a").matches("a"));
}

#[test]
fn a_question_mark_is_one_character_not_one_byte() {
    assert!(glob("/pod?").matches("/podä"));
    assert!(!glob("/pod?").matches("/pod"));
    assert!(!glob("/pod?").matches("/pod/"));
}

#[test]
fn classes_have_ranges_and_complements() {
    assert!(glob("/pod[0-9a]").matches("/pod7"));
    assert!(glob("/pod[0-9a]").matches("/poda"));
    assert!(!glob("/pod[0-9a]").matches("/podb"));
    assert!(glob("/pod[!0-9]").matches("/podb"));
    assert!(!glob("/pod[!0-9]").matches("/pod7"));
    assert!(glob("/a[*]").matches("/a*"));
    assert!(!glob("/a[*]").matches("/ab"));
}

#[test]
fn a_backslash_stands_for_itself_as_in_names_that_systemd_writes() {
    assert!(glob(r"/system-a\x2db.slice").matches(r"/system-a\x2db.slice"));
}

#[test]
fn what_is_no_glob_is_refused() {
    let wrong = [
        ("", GlobError::Empty),
        ("a/b", GlobError::Relative),
        ("**", GlobError::Relative),
        ("/a//b", GlobError::EmptyComponent),
        ("/a/", GlobError::EmptyComponent),
        ("/a/../b", GlobError::DotComponent),
        ("/a**", GlobError::DoubleStarWithin),
        ("/a[b", GlobError::OpenClass),
        ("/a[b/c]", GlobError::OpenClass),
        ("/a[]", GlobError::EmptyClass),
        ("/a[z-a]", GlobError::UpsideDown('z', 'a')),
        ("/a\n", GlobError::Control),
    ];
    for (text, error) in wrong {
        assert_eq!(PathGlob::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_wider_glob_covers_a_narrower_one() {
    let covered = [
        ("/a/**", "/a/b"),
        ("/a/**", "/a/**"),
        ("/a/**", "/a/*/c/**"),
        ("/**", "/a/**/b"),
        ("/a/*", "/a/b*"),
        ("/a/?", "/a/[b-c]"),
        ("/a/[b-c]", "/a/b"),
        ("/a/[b-c]", "/a/[b-c]"),
    ];
    for (wide, narrow) in covered {
        assert!(glob(wide).covers(&glob(narrow)), "{wide} {narrow}");
    }
    let open = [
        ("/a/b", "/a/*"),
        ("/a/*", "/a/**"),
        ("/a/*/**", "/a/**"),
        ("/a/?", "/a/*"),
        ("/a/[b-c]", "/a/?"),
    ];
    for (narrow, wide) in open {
        assert!(!glob(narrow).covers(&glob(wide)), "{narrow} {wide}");
    }
}

#[test]
fn many_stars_take_no_long_time() {
    let pattern = format!("/{}b", "*a".repeat(100));
    let deep = format!("/{}b", "**/a/".repeat(100));
    assert!(!glob(&pattern).matches(&format!("/{}", "a".repeat(4000))));
    assert!(!glob(&deep).matches(&"/a".repeat(2000)));
}

/// The definition, without any cleverness.
fn naive(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skip| naive(rest, &path[skip..])),
        ([first, rest @ ..], [name, below @ ..]) => {
            naive_name(first.as_bytes(), name.as_bytes()) && naive(rest, below)
        }
        _ => false,
    }
}

fn naive_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| naive_name(rest, &name[skip..])),
        ([b'?', rest @ ..], [_, after @ ..]) => naive_name(rest, after),
        ([b'[', b'!', member, b']', rest @ ..], [first, after @ ..]) => {
            member != first && naive_name(rest, after)
        }
        ([first, rest @ ..], [other, after @ ..]) => first == other && naive_name(rest, after),
        _ => false,
    }
}

fn split(text: &str) -> Vec<&str> {
    let rest = &text[1..];
    if rest.is_empty() {
        Vec::new()
    } else {
        rest.split('/').collect()
    }
}

fn a_glob() -> impl Strategy<Value = String> {
    let component = prop_oneof![
        2 => Just("**".to_owned()),
        5 => "(a|b|\\*a|\\?|\\[!a\\]|b\\*){1,3}",
        1 => Just("*".to_owned()),
    ];
    let joined = |parts: Vec<String>| format!("/{}", parts.join("/"));
    prop::collection::vec(component, 0..5).prop_map(joined)
}

/// What the programs' matcher says to a path.
fn in_the_kernel(glob: &PathGlob, path: &str) -> GlobStep {
    let record = glob.to_record(0);
    let mut subject = PathRecord {
        len: 0,
        cut: 0,
        bytes: [0; PATH_LEN],
    };
    if path != "/" {
        subject.len = path.len() as u32;
        subject.bytes[..path.len()].copy_from_slice(path.as_bytes());
    }
    let mut walk = GlobWalk::default();
    for _ in 0..1 << 16 {
        match walk.step(&record, &subject) {
            GlobStep::More => {}
            step => return step,
        }
    }
    panic!("{glob} against {path} takes too many steps")
}

fn answer(matches: bool) -> GlobStep {
    if matches {
        GlobStep::Match
    } else {
        GlobStep::NoMatch
    }
}

#[test]
fn the_programs_know_characters_and_classes() {
    for (pattern, path, expected) in [
        ("/pod-[0-9]*/main", "/pod-7x/main", GlobStep::Match),
        ("/pod-[0-9]*/main", "/pod-x7/main", GlobStep::NoMatch),
        ("/a[!b]c", "/a\u{e4}c", GlobStep::Match),
        ("/a[!b]c", "/abc", GlobStep::NoMatch),
        ("/?x", "/\u{1f980}x", GlobStep::Match),
        ("/??x", "/\u{e4}x", GlobStep::NoMatch),
        ("/[\u{e4}]", "/\u{e4}", GlobStep::Unsure),
    ] {
        assert_eq!(
            in_the_kernel(&glob(pattern), path),
            expected,
            "{pattern} {path}"
        );
    }
}

#[test]
fn a_glob_that_is_too_long_for_the_programs_is_left_to_the_agent() {
    let long = format!("/a/{}/b", "x".repeat(300));
    assert_eq!(in_the_kernel(&glob(&long), &long), GlobStep::Unsure);
    assert_eq!(in_the_kernel(&glob(&long), "/b"), GlobStep::NoMatch);
}

proptest! {
    #[test]
    fn the_programs_match_as_the_agent_does(pattern in a_glob(), path in "(/[ab]{1,4}){1,5}|/") {
        prop_assume!(PathGlob::parse(&pattern).is_ok());
        let glob = glob(&pattern);
        prop_assert_eq!(in_the_kernel(&glob, &path), answer(glob.matches(&path)));
    }

    #[test]
    fn matching_is_as_defined(pattern in a_glob(), path in "(/[ab]{1,4}){1,5}|/") {
        prop_assume!(PathGlob::parse(&pattern).is_ok());
        let expected = naive(&split(&pattern), &split(&path));
        prop_assert_eq!(glob(&pattern).matches(&path), expected);
    }

    #[test]
    fn a_covered_glob_matches_nothing_of_its_own(
        wide in a_glob(),
        narrow in a_glob(),
        path in "(/[ab]{1,3}){1,4}|/",
    ) {
        prop_assume!(PathGlob::parse(&wide).is_ok() && PathGlob::parse(&narrow).is_ok());
        let (wide, narrow) = (glob(&wide), glob(&narrow));
        if wide.covers(&narrow) && narrow.matches(&path) {
            prop_assert!(wide.matches(&path));
        }
    }

    #[test]
    fn any_text_is_a_glob_or_an_error(text in any::<String>(), path in any::<String>()) {
        if let Ok(glob) = PathGlob::parse(&text) {
            glob.matches(&path);
            prop_assert!(glob.covers(&glob));
        }
    }
}
