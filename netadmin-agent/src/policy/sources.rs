//! The files that make up a policy: one, or those of a directory.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::LoadError;
use super::source::{MAX_BYTES, Source};

/// What policy files in a directory end in; others are not read.
const ENDING: &str = "toml";

/// The text of one policy, in one file or several. A place in it is one number, as
/// if the files followed each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// What to call it in messages: the file, or the directory.
    pub name: String,
    files: Vec<Source>,
}

impl From<Source> for Sources {
    fn from(source: Source) -> Self {
        Self {
            name: source.name.clone(),
            files: vec![source],
        }
    }
}

impl Sources {
    /// These files, in this order.
    pub fn new(name: String, files: Vec<Source>) -> Self {
        Self { name, files }
    }

    /// Reads a policy file, or a directory of them.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        if !path.is_dir() {
            return Ok(Source::read(path)?.into());
        }
        let name = path.display().to_string();
        let paths = files_in(path).map_err(|error| LoadError::Unreadable {
            path: name.clone(),
            error,
        })?;
        if paths.is_empty() {
            return Err(LoadError::NoFiles { path: name });
        }
        let mut sources = Self::new(name, Vec::new());
        for path in paths {
            sources.files.push(Source::read(&path)?);
            if sources.len() > MAX_BYTES {
                return Err(LoadError::TooLarge { path: sources.name });
            }
        }
        Ok(sources)
    }

    /// The files, each with the place where it begins.
    pub fn files(&self) -> impl Iterator<Item = (usize, &Source)> {
        let mut start = 0;
        self.files.iter().map(move |file| {
            let begins = start;
            start += file.text.len() + 1;
            (begins, file)
        })
    }

    /// Whether it came out of a directory.
    pub fn is_directory(&self) -> bool {
        self.files.len() != 1 || self.files[0].name != self.name
    }

    /// The file that a place is in, and where that file begins.
    pub fn file_at(&self, place: usize) -> (usize, &Source) {
        let before = self.files().filter(|(start, _)| *start <= place);
        before.last().unwrap_or((0, &NO_FILE))
    }

    /// The file that a span is in, and the span there.
    pub fn within(&self, span: &Range<usize>) -> (&Source, Range<usize>) {
        let (start, file) = self.file_at(span.start);
        let place = |place: usize| place.saturating_sub(start).min(file.text.len());
        (file, place(span.start)..place(span.end))
    }

    /// The line of a place in its file, counted from 1.
    pub fn line(&self, place: usize) -> usize {
        let (start, file) = self.file_at(place);
        file.line(place - start)
    }

    fn len(&self) -> usize {
        self.files.iter().map(|file| file.text.len() + 1).sum()
    }
}

static NO_FILE: Source = Source {
    name: String::new(),
    text: String::new(),
};

/// The policy files of a directory, in the order of their names. What begins with a
/// dot is somebody else's: an editor's, or how Kubernetes swaps a ConfigMap.
fn files_in(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if !hidden && path.extension() == Some(OsStr::new(ENDING)) {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// What is at a path, byte by byte: two of these are equal if nothing has changed.
pub type Snapshot = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Takes a snapshot of a policy file or directory.
pub fn snapshot(path: &Path) -> Snapshot {
    let paths = if path.is_dir() {
        files_in(path).unwrap_or_default()
    } else {
        vec![path.to_owned()]
    };
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).ok();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{load, load_sources};

    const ONE: &str = "version = 1\n[[policy]]\nname = \"one\"\nmatch.cgroups = [\"/a\"]\n\
        [policy.setsockopt]\nSO_DEBUG = \"deny\"\n";

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        directory
    }

    fn two() -> String {
        ONE.replace("one", "two").replace("/a", "/b")
    }

    #[test]
    fn a_directory_is_one_policy_in_the_order_of_names() {
        let files = [
            ("20-one.toml", ONE),
            ("10-two.toml", &two()),
            (".30.toml", "no"),
            ("40.txt", "no"),
        ];
        let directory = directory(&files);
        let set = load(directory.path()).expect("a good policy").set;
        let names: Vec<&str> = set.policies.iter().map(|policy| policy.name()).collect();
        assert_eq!(names, ["two", "one"]);
        // Lines are those of each file.
        let lines = set
            .policies
            .iter()
            .map(|policy| policy.rule_line(netadmin_common::Rule::Debug, None));
        assert_eq!(lines.collect::<Vec<_>>(), [Some(6), Some(6)]);
        assert!(set.policies[1].file.ends_with("20-one.toml"));
    }

    #[test]
    fn a_fault_is_told_with_its_file_line_and_column() {
        let bad = two().replace("\"deny\"", "\"dney\"");
        let directory = directory(&[("a.toml", ONE), ("b.toml", &bad)]);
        let told = load(directory.path()).expect_err("a fault");
        let LoadError::Faulty(report) = told else {
            panic!("{told}")
        };
        let text = report.render(false);
        assert!(text.contains("b.toml:6:12"), "{text}");
        assert!(report.first().contains("b.toml:6:12"), "{}", report.first());
    }

    #[test]
    fn one_name_in_two_files_is_told_with_both() {
        let directory = directory(&[("a.toml", ONE), ("b.toml", ONE)]);
        let told = load(directory.path()).expect_err("a fault");
        let LoadError::Faulty(report) = told else {
            panic!("{told}")
        };
        let text = report.render(false);
        assert!(
            text.contains("b.toml:3:8") && text.contains("a.toml:3"),
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_with_one_file_is_wrong_with_all() {
        for (text, words) in [
            ("", "b.toml is empty"),
            ("[", "b.toml:1"),
            ("x = 1", "b.toml:1:1"),
        ] {
            let directory = directory(&[("a.toml", ONE), ("b.toml", text)]);
            let told = match load(directory.path()).expect_err("a fault") {
                LoadError::Faulty(report) => report.render(false),
                error => error.to_string(),
            };
            assert!(told.contains(words), "{told}");
        }
        let none = directory(&[]);
        let told = load(none.path()).expect_err("no files").to_string();
        assert!(told.contains(".toml"), "{told}");
    }

    #[test]
    fn the_limits_hold_for_all_files_together() {
        let policy = |index| {
            let name = format!("p{index}");
            ONE.replace("one", &name)
                .replace("/a", &format!("/{index}"))
        };
        let file = |index| Source {
            name: format!("{index}.toml"),
            text: policy(index),
        };
        let sources = |count| Sources::new("d".to_owned(), (0..count).map(file).collect());
        assert!(load_sources(sources(512)).is_ok());
        assert!(load_sources(sources(513)).is_err());
    }

    #[test]
    fn a_snapshot_changes_with_each_change() {
        let directory = directory(&[("a.toml", ONE)]);
        let before = snapshot(directory.path());
        assert_eq!(before, snapshot(directory.path()));
        fs::write(directory.path().join("b.toml"), ONE).expect("written");
        assert_ne!(before, snapshot(directory.path()));
    }
}
