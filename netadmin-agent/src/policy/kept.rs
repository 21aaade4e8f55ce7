//! The last policy that was in force, kept for a boot at which the policy file
//! cannot be used: bpffs is empty then, and nothing would be enforced.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::source::Source;
use super::sources::Sources;
use super::{LoadError, Loaded, load, load_sources};

/// The file's name in the service's own directory.
const NAME: &str = "policy-in-force.toml";

/// Begins each file of a directory, followed by `N bytes of FILE`.
const MARK: &str = "# netadmin-agent keeps ";

/// Where the service manager lets the agent keep something, if it does.
#[derive(Clone, Debug)]
pub struct Kept(Option<PathBuf>);

impl Kept {
    /// In `$STATE_DIRECTORY`, as systemd's `StateDirectory=` sets it.
    pub fn of_this_service() -> Self {
        let directories = env::var_os("STATE_DIRECTORY").unwrap_or_default();
        let first = env::split_paths(&directories).next();
        Self(first.filter(|path| path.is_absolute()))
    }

    /// In this directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(Some(directory.into()))
    }

    /// Keeps the policy that has just come into force: all of it, or the one before.
    pub fn save(&self, source: &Sources) -> io::Result<()> {
        let Some(directory) = &self.0 else {
            return Ok(());
        };
        let draft = directory.join(format!("{NAME}.new"));
        let file = fs::File::create(&draft)?;
        io::Write::write_all(&mut &file, pack(source).as_bytes())?;
        // Before it takes the old one's place: a machine may lose power.
        file.sync_all()?;
        fs::rename(&draft, directory.join(NAME))
    }

    /// The policy file, or what was in force before if that cannot be used; the
    /// error of the file comes with it then. If there is neither, the error alone.
    pub fn load_or_last(&self, path: &Path) -> Result<(Loaded, Option<LoadError>), LoadError> {
        let error = match load(path) {
            Ok(loaded) => return Ok((loaded, None)),
            Err(error) => error,
        };
        let kept = self
            .0
            .as_ref()
            .map(|directory| load_kept(&directory.join(NAME)));
        match kept {
            Some(Ok(last)) => Ok((last, Some(error))),
            _ => Err(error),
        }
    }
}

fn load_kept(path: &Path) -> Result<Loaded, LoadError> {
    let files = fs::read_to_string(path).ok().and_then(|text| unpack(&text));
    match files {
        Some(files) => load_sources(Sources::new(path.display().to_string(), files)),
        None => load(path),
    }
}

/// All files in one: a single one as it is, those of a directory with a mark before
/// each.
fn pack(sources: &Sources) -> String {
    let files = sources.files().map(|(_, file)| {
        let (name, len) = (file.name.replace('\n', "?"), file.text.len());
        format!("{MARK}{len} bytes of {name}\n{}\n", file.text)
    });
    match sources.files().next() {
        Some((_, file)) if !sources.is_directory() => file.text.clone(),
        _ => files.collect(),
    }
}

/// The files of a directory, if it was one.
fn unpack(mut text: &str) -> Option<Vec<Source>> {
    let mut files = Vec::new();
    while let Some(marked) = text.strip_prefix(MARK) {
        let (head, rest) = marked.split_once('\n')?;
        let (len, name) = head.split_once(" bytes of ")?;
        let (file, rest) = rest.split_at_checked(len.parse().ok()?)?;
        files.push(Source {
            name: name.to_owned(),
            text: file.to_owned(),
        });
        text = rest.strip_prefix('\n')?;
    }
    (text.is_empty() && !files.is_empty()).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version = 1\n[[policy]]\nname = \"a\"\nmatch.cgroups = [\"/a\"]\n\
        [policy.setsockopt]\nSO_DEBUG = \"deny\"\n";

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    /// A policy file with this text, and what is kept beside it.
    fn with(text: &str) -> (tempfile::TempDir, PathBuf, Kept) {
        let directory = directory();
        let path = directory.path().join("policy.toml");
        fs::write(&path, text).expect("written");
        let kept = Kept::at(directory.path());
        (directory, path, kept)
    }

    #[test]
    fn a_good_file_is_taken_and_can_be_kept() {
        let (directory, path, kept) = with(GOOD);
        let (loaded, error) = kept.load_or_last(&path).expect("a policy");
        assert!(error.is_none());
        kept.save(&loaded.source).expect("kept");
        let text = fs::read_to_string(directory.path().join(NAME)).expect("the kept one");
        assert_eq!(text, GOOD);
    }

    #[test]
    fn a_bad_or_missing_file_gives_way_to_the_last_in_force_and_its_error_is_told() {
        let (_directory, path, kept) = with(GOOD);
        let loaded = load(&path).expect("a policy");
        kept.save(&loaded.source).expect("kept");
        fs::write(&path, "version = 2\n").expect("written");
        let (last, error) = kept.load_or_last(&path).expect("the last one");
        assert_eq!(last.set.policies[0].name, "a");
        assert!(error.is_some());
        fs::remove_file(&path).expect("removed");
        let (last, error) = kept.load_or_last(&path).expect("the last one");
        assert_eq!(last.set.policies.len(), 1);
        assert!(matches!(error, Some(LoadError::Unreadable { .. })));
    }

    #[test]
    fn without_one_that_was_in_force_a_bad_file_is_an_error() {
        let (_directory, path, kept) = with("version = 2\n");
        assert!(kept.load_or_last(&path).is_err());
        assert!(Kept(None).load_or_last(&path).is_err());
    }

    #[test]
    fn where_nothing_can_be_kept_keeping_is_no_error() {
        let source = Source {
            name: "a".to_owned(),
            text: GOOD.to_owned(),
        };
        Kept(None).save(&source.into()).expect("nothing to do");
    }

    #[test]
    fn the_files_of_a_directory_are_kept_with_their_names() {
        let (directory, path, kept) = with("version = 2\n");
        let files = directory.path().join("policy.d");
        fs::create_dir(&files).expect("made");
        for name in ["a", "b"] {
            let text = GOOD.replace("\"a\"", &format!("\"{name}\""));
            fs::write(files.join(format!("{name}.toml")), text).expect("written");
        }
        let loaded = load(&files).expect("a policy");
        kept.save(&loaded.source).expect("kept");
        let (last, error) = kept.load_or_last(&path).expect("the last one");
        assert!(error.is_some());
        let names = last.set.policies.iter().map(|policy| policy.name());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
        assert!(last.set.policies[1].file.ends_with("policy.d/b.toml"));
    }
}
