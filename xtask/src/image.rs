//! Unpacks a bzImage, so that the emulator does not have to.
//!
//! Emulated, the kernel's own decompressor takes a third of the boot. qemu
//! starts the ELF image inside directly where the kernel has CONFIG_PVH, as
//! Debian's have.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

/// How compressed payloads begin, and what unpacks them.
const FORMATS: &[(&[u8], &str)] = &[
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x1f\x8b", "gzip"),
];

/// The kernel's ELF image, if the format is known and the tool for it is there.
pub fn uncompressed(image: &[u8]) -> Option<Vec<u8>> {
    let payload = payload(image)?;
    let (_, program) = FORMATS
        .iter()
        .find(|(magic, _)| payload.starts_with(magic))?;
    // Some formats lack the size, which the kernel's build then appends to the payload.
    let without_size = &payload[..payload.len().checked_sub(4)?];
    let candidates = [without_size, payload];
    let unpacked = candidates.iter().find_map(|bytes| unpack(program, bytes))?;
    unpacked.starts_with(b"\x7fELF").then_some(unpacked)
}

/// The compressed part, which the boot header describes
/// (Documentation/arch/x86/boot.rst: `setup_sects`, `payload_offset`, `payload_length`).
fn payload(image: &[u8]) -> Option<&[u8]> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    let setup_sectors = usize::from(*image.get(0x1f1)?);
    let start = (setup_sectors + 1) * 512 + usize::try_from(number(0x248)?).ok()?;
    image.get(start..start + usize::try_from(number(0x24c)?).ok()?)
}

fn unpack(program: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut input = child.stdin.take()?;
    let output = thread::scope(|scope| {
        // A decompressor that gives up closes its end; its status tells.
        scope.spawn(move || drop(input.write_all(bytes)));
        child.wait_with_output().ok()
    })?;
    output.status.success().then_some(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::payload;

    #[test]
    fn the_boot_header_says_where_the_payload_is() {
        let mut image = vec![0; 0x1000];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248] = 16;
        image[0x24c] = 4;
        image[0x410..0x414].copy_from_slice(b"data");
        assert_eq!(payload(&image), Some(b"data".as_slice()));
    }

    #[test]
    fn other_files_have_no_payload() {
        assert_eq!(payload(b"\x7fELF"), None);
        assert_eq!(payload(&[0; 0x1000]), None);
    }
}
