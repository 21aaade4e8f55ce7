//! What a module says about itself, in the `.modinfo` section of its ELF file.

use anyhow::{Context as _, Result, bail};

/// The parts of a module's information that loading it needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// Names of the modules it needs directly.
    pub depends: Vec<String>,
    /// The names under which the kernel may ask for it.
    pub aliases: Vec<String>,
}

impl ModInfo {
    /// Reads them from an uncompressed module.
    pub fn read(elf: &[u8]) -> Result<Self> {
        Ok(Self::parse(
            section(elf, ".modinfo").context("no .modinfo section")?,
        ))
    }

    /// Reads the `name=value` strings, each ended by a NUL byte.
    fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        for entry in section.split(|&byte| byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            if let Some(names) = entry.strip_prefix("depends=") {
                let names = names.split(',').filter(|name| !name.is_empty());
                info.depends.extend(names.map(str::to_owned));
            } else if let Some(alias) = entry.strip_prefix("alias=") {
                info.aliases.push(alias.to_owned());
            }
        }
        info
    }
}

/// The content of a section of a little-endian 64-bit ELF file.
fn section<'a>(elf: &'a [u8], wanted: &str) -> Result<&'a [u8]> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        bail!("not a little-endian 64-bit ELF file");
    }
    let table = number(elf, 0x28, 8)?;
    let (size, count) = (number(elf, 0x3a, 2)?, number(elf, 0x3c, 2)?);
    let content = |index: usize| {
        let header = table + index * size;
        let (start, length) = (
            number(elf, header + 0x18, 8)?,
            number(elf, header + 0x20, 8)?,
        );
        elf.get(start..start + length)
            .context("a section lies outside the file")
    };
    let names = content(number(elf, 0x3e, 2)?)?;
    for index in 0..count {
        let name = names
            .get(number(elf, table + index * size, 4)?..)
            .unwrap_or_default();
        if name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0) {
            return content(index);
        }
    }
    bail!("no section {wanted}")
}

fn number(bytes: &[u8], offset: usize, width: usize) -> Result<usize> {
    let field = bytes
        .get(offset..offset + width)
        .context("the file is cut off")?;
    Ok(field
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::{ModInfo, section};

    #[test]
    fn depends_and_aliases_are_found() {
        let info = ModInfo::parse(b"license=GPL\0alias=rtnl-link-bridge\0depends=stp,llc\0");
        assert_eq!(info.depends, ["stp", "llc"]);
        assert_eq!(info.aliases, ["rtnl-link-bridge"]);
    }

    #[test]
    fn a_module_without_needs_has_an_empty_entry() {
        assert_eq!(ModInfo::parse(b"depends=\0").depends, [""; 0]);
    }

    #[test]
    fn a_cut_off_file_is_an_error() {
        assert!(section(b"\x7fELF\x02\x01\x01", ".modinfo").is_err());
        assert!(section(b"#!/bin/sh", ".modinfo").is_err());
    }
}
