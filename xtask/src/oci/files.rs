//! The files of an image, as a tar archive that is always the same.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};
use tar::{Builder, EntryType, Header};

/// One file of an archive.
#[derive(Clone, Debug)]
pub struct File {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

impl File {
    /// One that can be run.
    pub fn program(path: &str, content: Vec<u8>) -> Self {
        Self::new(path, 0o755, content)
    }

    /// One that is only read.
    pub fn data(path: &str, content: Vec<u8>) -> Self {
        Self::new(path, 0o644, content)
    }

    fn new(path: &str, mode: u32, content: Vec<u8>) -> Self {
        let path = path.trim_start_matches('/').to_owned();
        Self {
            path,
            mode,
            content,
        }
    }
}

/// Files and the directories above them: owner root, time 0, in the order given.
pub fn archive(files: &[File]) -> Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let mut directories = BTreeSet::new();
    for file in files {
        let parents: Vec<_> = Path::new(&file.path).ancestors().skip(1).collect();
        for parent in parents.into_iter().rev() {
            if !parent.as_os_str().is_empty() && directories.insert(parent.to_owned()) {
                let path = format!("{}/", parent.display());
                append(&mut archive, EntryType::Directory, &path, 0o755, &[])?;
            }
        }
        append(
            &mut archive,
            EntryType::Regular,
            &file.path,
            file.mode,
            &file.content,
        )?;
    }
    archive.into_inner().context("end a tar archive")
}

fn append(
    archive: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len().try_into().context("a size")?);
    archive
        .append_data(&mut header, path, content)
        .with_context(|| format!("add {path} to a tar archive"))
}

/// A program that asks for a loader would need libraries, which the image has not.
pub fn require_static(program: &[u8]) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(program).context("not an ELF program")?;
    let endian = header.endian().context("an ELF header")?;
    let machine = header.e_machine(endian);
    if machine != elf::EM_X86_64 {
        bail!("its machine is {machine}, not x86-64");
    }
    let segments = header
        .program_headers(endian, program)
        .context("an ELF header")?;
    if segments
        .iter()
        .any(|segment| segment.p_type(endian) == PT_INTERP)
    {
        bail!("it is linked dynamically");
    }
    Ok(())
}
