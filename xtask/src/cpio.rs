//! Writes initramfs archives: cpio in the "newc" format.
//!
//! The kernel's documentation (`driver-api/early-userspace/buffer-format`)
//! describes it: a header of thirteen hexadecimal fields, the name, the
//! content, each padded to four bytes. Archives may simply be concatenated.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const REGULAR: u32 = 0o100_644;
const SYMLINK: u32 = 0o120_777;

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
    entries: u32,
}

impl Archive {
    /// Adds a directory and those above it.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.directories.contains(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY, &[])
    }

    /// Adds a file that is only read.
    pub fn file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.parents(path)?;
        self.entry(path, REGULAR, content)
    }

    /// Adds a program.
    pub fn program(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.parents(path)?;
        self.entry(path, EXECUTABLE, content)
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.parents(path)?;
        self.entry(path, SYMLINK, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.entry("TRAILER!!!", 0, &[])?;
        Ok(self.bytes)
    }

    fn parents(&mut self, path: &str) -> Result<()> {
        let parent = Path::new(path).parent().and_then(Path::to_str);
        parent.map_or(Ok(()), |parent| self.directory(parent))
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let name = path.trim_start_matches('/');
        let size = u32::try_from(content.len())
            .with_context(|| format!("{name} is too large for an initramfs"))?;
        let name_size = u32::try_from(name.len() + 1).context("the name is too long")?;
        // A number of its own for each entry: equal ones would be hard links.
        self.entries += 1;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            name_size,
            0,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").into_bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    type TestResult = anyhow::Result<()>;

    #[test]
    fn header_is_110_bytes_and_content_starts_on_a_multiple_of_four() -> TestResult {
        let mut archive = Archive::default();
        archive.file("a", b"hello")?;
        // 110 for the header, 2 for the name: no padding before the content.
        assert_eq!(archive.bytes[..6], *b"070701");
        assert_eq!(archive.bytes[110..112], *b"a\0");
        assert_eq!(archive.bytes[112..117], *b"hello");
        assert_eq!(archive.bytes.len(), 120);
        Ok(())
    }

    #[test]
    fn fields_say_mode_and_size() -> TestResult {
        let mut archive = Archive::default();
        archive.program("a", b"hello")?;
        assert_eq!(archive.bytes[14..22], *b"000081ed");
        assert_eq!(archive.bytes[54..62], *b"00000005");
        Ok(())
    }

    #[test]
    fn parents_are_added_once() -> TestResult {
        let mut archive = Archive::default();
        archive.file("/usr/bin/a", b"")?;
        archive.file("/usr/bin/b", b"")?;
        assert_eq!(
            archive
                .directories
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
            ["usr", "usr/bin"]
        );
        assert_eq!(archive.entries, 4);
        Ok(())
    }

    #[test]
    fn the_archive_ends_with_a_trailer_and_can_be_concatenated() -> TestResult {
        let mut archive = Archive::default();
        archive.link("sh", "busybox")?;
        let bytes = archive.finish()?;
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
        assert_eq!(bytes.len() % 4, 0);
        Ok(())
    }
}
