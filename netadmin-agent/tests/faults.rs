//! What the user is told of a wrong policy file, word by word.
//!
//! Each `faults/NAME.toml` has what it is told beside it, in `NAME.txt`. After
//! a change of the words, `BLESS=1 cargo test --test faults` writes the texts
//! anew; read their difference before committing it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use netadmin_agent::policy::{self, LoadError};

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir("tests/faults").expect("the directory of faults");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension() == Some(OsStr::new("toml")));
    files.sort();
    files
}

fn told(path: &Path) -> String {
    match policy::load(path) {
        Ok(loaded) => loaded.warnings.render(false),
        Err(LoadError::Faulty(report)) => report.render(false),
        Err(error) => format!("error: {error}\n"),
    }
}

#[test]
fn each_wrong_file_is_told_of_as_written_down() {
    let bless = std::env::var_os("BLESS").is_some();
    for file in files() {
        let told = told(&file);
        let beside = file.with_extension("txt");
        if bless {
            fs::write(&beside, &told).expect("written");
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(told, expected, "{}", file.display());
    }
}

#[test]
fn in_colour_the_words_are_the_same() {
    let source = policy::source::Source {
        name: "p.toml".to_owned(),
        text: "version = 9\n".to_owned(),
    };
    let Err(LoadError::Faulty(report)) = policy::load_source(source) else {
        panic!("a wrong version is a fault");
    };
    let coloured = report.render(true);
    assert!(coloured.contains("\x1b["));
    assert!(!report.render(false).contains('\x1b'));
}
