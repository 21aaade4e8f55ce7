//! The reference of the operations is what the catalogue says.
//!
//! After a change of the catalogue, `BLESS=1 cargo test --test operations`
//! writes docs/OPERATIONS.md anew.

use std::fs;

use netadmin_agent::policy::operation_pattern::OperationPattern;

#[test]
fn the_reference_is_current() {
    let path = "../docs/OPERATIONS.md";
    let text = netadmin_agent::operations::document();
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, &text).expect("written");
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == text, "docs/OPERATIONS.md is not current");
}

#[test]
fn where_the_kernel_asks_comes_to_operations_that_there_are() {
    let table = include_str!("../../docs/capability-sites.txt");
    let lines: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(lines.len() > 100);
    for line in lines {
        let mut words = line.split(' ');
        let place = words.next().expect("a path");
        let mut names = words.peekable();
        assert!(names.peek().is_some(), "{place} comes to nothing");
        for name in names.filter(|name| *name != "-") {
            let known = OperationPattern::parse(name).is_ok();
            assert!(known, "{place}: there is no operation {name}");
        }
    }
}
