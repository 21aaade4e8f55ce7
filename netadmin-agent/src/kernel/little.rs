//! BTF that knows the hooks and nothing else.
//!
//! aya wants the kernel's BTF to find the number of a hook's type, and makes an
//! object of each of its 150 000 types: most of the agent's start and memory.
//! Numbers are places in the list, so the other types become the smallest that
//! there are.

use super::btf::{Btf, KIND_FUNC, KIND_TYPEDEF};

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_LEN: u32 = 24;
const KIND_FORWARD: u32 = 7;

/// The BTF of the types with these names: functions, and typedefs.
pub fn btf(kernel: &Btf<'_>, hooks: &[String]) -> Vec<u8> {
    let mut found = kernel.numbers(&[KIND_FUNC, KIND_TYPEDEF], hooks);
    found.sort_unstable();
    let (mut types, mut strings) = (Vec::new(), vec![0]);
    let mut next = 1;
    for (number, kind, name) in found {
        for _ in next..number {
            append(&mut types, &[0, KIND_FORWARD << 24, 0]);
        }
        let place = u32::try_from(strings.len()).unwrap_or_default();
        append(&mut types, &[place, kind << 24, 0]);
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
        next = number + 1;
    }
    let len = |part: &[u8]| u32::try_from(part.len()).unwrap_or_default();
    let mut bytes = MAGIC.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&[VERSION, 0]);
    let sections = [HEADER_LEN, 0, len(&types), len(&types), len(&strings)];
    append(&mut bytes, &sections);
    [bytes, types, strings].concat()
}

fn append(bytes: &mut Vec<u8>, words: &[u32]) {
    words
        .iter()
        .for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An int without a name, a function and a typedef of one name each, and a
    /// function that nobody asks for.
    fn kernel() -> Vec<u8> {
        let strings = b"\0one\0two\0three\0";
        let mut types = Vec::new();
        append(&mut types, &[0, 1 << 24, 4, 32]);
        append(&mut types, &[9, KIND_FUNC << 24, 1]);
        append(&mut types, &[1, KIND_FUNC << 24, 1]);
        append(&mut types, &[5, KIND_TYPEDEF << 24, 1]);
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&[VERSION, 0]);
        let (types_len, strings_len) = (52, 15);
        append(
            &mut bytes,
            &[HEADER_LEN, 0, types_len, types_len, strings_len],
        );
        [bytes, types, strings.to_vec()].concat()
    }

    #[test]
    fn hooks_keep_their_numbers_and_aya_reads_them() {
        let kernel = kernel();
        let parsed = Btf::parse(&kernel).expect("BTF");
        let hooks = ["one", "two", "four"].map(str::to_owned);
        let bytes = btf(&parsed, &hooks);
        let little = Btf::parse(&bytes).expect("BTF");
        assert_eq!(little.function("one"), Some(3));
        assert_eq!(little.function("three"), None);
        let two = little.numbers(&[KIND_TYPEDEF], &hooks);
        assert_eq!(two, [(4, KIND_TYPEDEF, "two")]);
        aya::Btf::parse(&bytes, aya::Endianness::default()).expect("aya reads it");
    }
}
