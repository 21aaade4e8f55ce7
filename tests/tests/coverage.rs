//! Every combination of path, ABI, arrival and subject has a test or a reason,
//! and SECURITY.md says which.

use std::fs;
use std::path::Path;

use netadmin_tests::coverage::{Evidence, KNOWN_OPEN, cells, table};
use netadmin_tests::trials;

const BEGIN: &str = "<!-- coverage: begin -->\n";
const END: &str = "<!-- coverage: end -->\n";
const UPDATE: &str = "NETADMIN_UPDATE_COVERAGE";

#[test]
fn every_cell_has_a_test_or_a_reason() {
    let gaps: Vec<_> = cells().filter(|cell| cell.evidence().is_none()).collect();
    let names: Vec<_> = gaps.iter().map(|cell| cell.name()).collect();
    assert!(names.is_empty(), "{} gaps: {names:#?}", names.len());
}

#[test]
fn every_test_that_a_cell_names_is_there() {
    let names: Vec<_> = trials()
        .iter()
        .map(|trial| trial.name().to_owned())
        .collect();
    for cell in cells() {
        if let Some(Evidence::Test(test)) = cell.evidence() {
            let exists = names.iter().any(|name| name == test);
            assert!(exists, "{}: there is no test {test}", cell.name());
        }
    }
}

#[test]
fn what_is_known_to_be_open_is_a_path() {
    for known in KNOWN_OPEN {
        let exists = cells().any(|cell| cell.path.name == known.path);
        assert!(exists, "there is no path {}", known.path);
    }
}

#[test]
fn security_md_has_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../SECURITY.md");
    let text = fs::read_to_string(&file).expect("read SECURITY.md");
    let (before, rest) = text.split_once(BEGIN).expect("the table's begin");
    let (there, after) = rest.split_once(END).expect("the table's end");
    if there == table() {
        return;
    }
    if std::env::var_os(UPDATE).is_some() {
        let text = format!("{before}{BEGIN}{}{END}{after}", table());
        fs::write(&file, text).expect("write SECURITY.md");
        return;
    }
    panic!("SECURITY.md is out of date: run `{UPDATE}=1 cargo test -p netadmin-tests coverage`");
}
