//! Reads the machine's apt sources, to learn which mirror it uses.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where this machine gets Debian from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// URI of the main archive.
    pub main: String,
    /// URI of the security archive, if the machine uses it.
    pub security: Option<String>,
    /// The keyring the sources name.
    pub signed_by: Option<String>,
}

/// One archive with its suites, from either format.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    uris: Vec<String>,
    suites: Vec<String>,
    signed_by: Option<String>,
}

impl Mirror {
    /// Reads `/etc/apt` and picks the mirror of the release that runs here.
    pub fn of_this_machine() -> Result<Self> {
        let release = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
        let codename = codename(&release).context("/etc/os-release has no VERSION_CODENAME")?;
        let mut sources = Vec::new();
        for path in source_files(Path::new("/etc/apt")) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let is_deb822 = path
                .extension()
                .is_some_and(|extension| extension == "sources");
            sources.extend(if is_deb822 {
                stanzas(&text)
            } else {
                one_liners(&text)
            });
        }
        Self::pick(&sources, codename).with_context(|| {
            format!("/etc/apt lists no archive of Debian {codename}: add one, its mirror is used")
        })
    }

    fn pick(sources: &[Source], codename: &str) -> Option<Self> {
        let of_suite = |suite: &str| {
            let has_suite = |source: &&Source| source.suites.iter().any(|name| name == suite);
            sources.iter().find(has_suite)
        };
        let main = of_suite(codename)?;
        let security = of_suite(&format!("{codename}-security"));
        Some(Self {
            main: main.uris.first()?.clone(),
            security: security.and_then(|source| source.uris.first().cloned()),
            signed_by: main.signed_by.clone(),
        })
    }
}

fn codename(os_release: &str) -> Option<&str> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"'))
}

/// `sources.list` and the files of `sources.list.d`, in name order.
fn source_files(etc: &Path) -> Vec<PathBuf> {
    let parts = fs::read_dir(etc.join("sources.list.d"))
        .into_iter()
        .flatten();
    let mut files: Vec<_> = parts.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "list" || end == "sources")
    });
    files.sort();
    let main = etc.join("sources.list");
    if main.exists() {
        files.insert(0, main);
    }
    files
}

/// The deb822 format: stanzas of fields, which may continue on indented lines.
fn stanzas(text: &str) -> Vec<Source> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let stanzas = lines.split(|line| line.trim().is_empty());
    stanzas.filter_map(stanza).collect()
}

fn stanza(lines: &[&str]) -> Option<Source> {
    let mut source = Source::default();
    let (mut is_binary, mut is_enabled, mut current) = (false, true, String::new());
    for line in lines {
        let value = if line.starts_with([' ', '\t']) {
            line
        } else {
            let (name, value) = line.split_once(':')?;
            current = name.to_ascii_lowercase();
            value
        };
        let mut words = value.split_whitespace().map(str::to_owned);
        match current.as_str() {
            "types" => is_binary |= value.split_whitespace().any(|word| word == "deb"),
            "enabled" => is_enabled = value.trim() != "no",
            "uris" => source.uris.extend(words),
            "suites" => source.suites.extend(words),
            "signed-by" => source.signed_by = words.find(|word| word.starts_with('/')),
            _ => {}
        }
    }
    (is_binary && is_enabled && !source.uris.is_empty()).then_some(source)
}

/// The older format: `deb [options] uri suite components...`.
fn one_liners(text: &str) -> Vec<Source> {
    text.lines().filter_map(one_liner).collect()
}

fn one_liner(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb")?;
    let mut rest = rest.strip_prefix([' ', '\t'])?.trim();
    let mut source = Source::default();
    if let Some(with_options) = rest.strip_prefix('[') {
        let (options, after) = with_options.split_once(']')?;
        let keyring = options
            .split_whitespace()
            .find_map(|word| word.strip_prefix("signed-by="));
        source.signed_by = keyring.map(str::to_owned);
        rest = after.trim();
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    source.uris.push(words.next()?);
    source.suites.push(words.next()?);
    Some(source)
}

#[cfg(test)]
mod tests {
    use super::{Mirror, codename, one_liners, stanzas};

    const DEB822: &str = "\
Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs:
 http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
";

    const ONE_LINE: &str = "\
# deb http://old.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/a.gpg] http://mirror.example/debian bookworm main contrib
deb http://mirror.example/security bookworm-security main
";

    fn mirror(signed_by: &str) -> Mirror {
        Mirror {
            main: "http://mirror.example/debian".to_owned(),
            security: Some("http://mirror.example/security".to_owned()),
            signed_by: Some(signed_by.to_owned()),
        }
    }

    #[test]
    fn deb822_sources_give_the_mirror() {
        let expected = mirror("/usr/share/keyrings/debian-archive-keyring.gpg");
        assert_eq!(Mirror::pick(&stanzas(DEB822), "bookworm"), Some(expected));
    }

    #[test]
    fn one_line_sources_give_the_mirror() {
        assert_eq!(
            Mirror::pick(&one_liners(ONE_LINE), "bookworm"),
            Some(mirror("/keys/a.gpg"))
        );
    }

    #[test]
    fn a_machine_of_another_release_has_no_mirror_for_this_one() {
        assert_eq!(Mirror::pick(&stanzas(DEB822), "trixie"), None);
    }

    #[test]
    fn the_codename_may_be_quoted() {
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=\"trixie\"\n"),
            Some("trixie")
        );
        assert_eq!(
            codename("ID=debian\nVERSION_CODENAME=trixie\n"),
            Some("trixie")
        );
    }
}
