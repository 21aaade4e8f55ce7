//! The reference of the operations is what the catalogue says.
//!
//! After a change of the catalogue, `BLESS=1 cargo test --test operations`
//! writes docs/OPERATIONS.md anew.

use std::fs;

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
