//! The little of BTF that the agent needs: where a struct keeps a field.
//!
//! The format is documented in Documentation/bpf/btf.rst. Types are numbered
//! in the order in which they lie in the file, from 1. Reading nothing but
//! structs takes a tenth of the time and memory of a general library, and the
//! agent does it at every start.

use std::collections::HashMap;

/// Why bytes are no BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// They begin with something else.
    #[error("not in BTF format, or of another byte order")]
    Magic,
    /// They end too early, or a length in them is wrong.
    #[error("truncated or damaged BTF")]
    Damaged,
}

const MAGIC: u16 = 0xeb9f;
/// `sizeof(struct btf_type)`, in bytes.
const TYPE_LEN: usize = 12;
/// `sizeof(struct btf_member)`, in bytes.
const MEMBER_LEN: usize = 12;

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
pub const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
pub const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// How deep anonymous structs and type modifiers are followed.
const MAX_DEPTH: u32 = 16;

/// The types of a BTF file.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`; the first is number 1.
    starts: Vec<u32>,
    /// Structs by name.
    structs: HashMap<&'a [u8], u32>,
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    info: u32,
    size_or_type: u32,
    members: usize,
}

impl Type {
    fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn len(self) -> usize {
        (self.info & 0xffff) as usize
    }

    /// Whether a member's offset holds a bit field's size as well.
    fn kind_flag(self) -> bool {
        self.info >> 31 != 0
    }
}

impl<'a> Btf<'a> {
    /// Reads the index of the types in `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let magic = bytes.get(..2).and_then(|magic| magic.try_into().ok());
        if magic.map(u16::from_ne_bytes) != Some(MAGIC) {
            return Err(BtfError::Magic);
        }
        let word = |offset| word(bytes, offset).ok_or(BtfError::Damaged);
        let header = word(4)? as usize;
        let types = section(bytes, header, word(8)?, word(12)?)?;
        let strings = section(bytes, header, word(16)?, word(20)?)?;
        let mut btf = Self {
            types,
            strings,
            starts: Vec::new(),
            structs: HashMap::new(),
        };
        btf.index()?;
        Ok(btf)
    }

    fn index(&mut self) -> Result<(), BtfError> {
        let mut start = 0;
        while start < self.types.len() {
            let found = self.type_at(start).ok_or(BtfError::Damaged)?;
            self.starts
                .push(u32::try_from(start).map_err(|_| BtfError::Damaged)?);
            if found.kind() == KIND_STRUCT
                && let Some(name) = self.name(found.name)
            {
                let number = u32::try_from(self.starts.len()).map_err(|_| BtfError::Damaged)?;
                self.structs.entry(name).or_insert(number);
            }
            start = found.members + trailing(found).ok_or(BtfError::Damaged)?;
        }
        Ok(())
    }

    /// The number of a struct.
    pub fn structure(&self, name: &str) -> Option<u32> {
        self.structs.get(name.as_bytes()).copied()
    }

    /// The size of a struct, in bytes.
    pub fn size(&self, name: &str) -> Option<u64> {
        let found = self.resolve(self.structure(name)?)?;
        Some(u64::from(found.size_or_type))
    }

    /// The number of a function.
    pub fn function(&self, name: &str) -> Option<u32> {
        let names = [name.to_owned()];
        let found = self.numbers(&[KIND_FUNC], &names);
        found.first().map(|(number, ..)| *number)
    }

    /// Number, kind and name of the types of these kinds and names.
    pub fn numbers<'n>(&self, kinds: &[u32], names: &'n [String]) -> Vec<(u32, u32, &'n str)> {
        let wanted = self.starts.iter().zip(1..).filter_map(|(start, number)| {
            let found = self.type_at(*start as usize)?;
            if !kinds.contains(&found.kind()) {
                return None;
            }
            let name = names.iter().find(|name| self.is_named(found, name))?;
            Some((number, found.kind(), name.as_str()))
        });
        wanted.collect()
    }

    /// (Without looking for the end of a name that is another.)
    fn is_named(&self, found: Type, name: &str) -> bool {
        let rest = self.strings.get(found.name as usize..).unwrap_or_default();
        rest.starts_with(name.as_bytes()) && rest.get(name.len()) == Some(&0)
    }

    /// The offset in bytes of the field that `path` (names joined by dots)
    /// names in a struct. `None` if there is no such field, or if it does not
    /// begin at a byte.
    pub fn offset(&self, container: &str, path: &str) -> Option<u64> {
        let mut number = *self.structs.get(container.as_bytes())?;
        let mut bits = 0;
        for name in path.split('.') {
            let (offset, field) = self.member(self.resolve(number)?, name.as_bytes(), MAX_DEPTH)?;
            bits += offset;
            number = field;
        }
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// The offset in bits and the type of a member, also of one within an
    /// anonymous struct or union.
    fn member(&self, container: Type, name: &[u8], depth: u32) -> Option<(u64, u32)> {
        if !matches!(container.kind(), KIND_STRUCT | KIND_UNION) || depth == 0 {
            return None;
        }
        (0..container.len()).find_map(|place| {
            let start = container.members + place * MEMBER_LEN;
            let number = word(self.types, start + 4)?;
            let raw = word(self.types, start + 8)?;
            let bits = u64::from(if container.kind_flag() {
                raw & 0x00ff_ffff
            } else {
                raw
            });
            match self.name(word(self.types, start)?)? {
                found if found == name => Some((bits, number)),
                [] => {
                    let (inner, found) = self.member(self.resolve(number)?, name, depth - 1)?;
                    Some((bits + inner, found))
                }
                _ => None,
            }
        })
    }

    /// The type behind typedefs and modifiers.
    fn resolve(&self, mut number: u32) -> Option<Type> {
        for _ in 0..MAX_DEPTH {
            let start = *self.starts.get(number.checked_sub(1)? as usize)?;
            let found = self.type_at(start as usize)?;
            match found.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    number = found.size_or_type;
                }
                _ => return Some(found),
            }
        }
        None
    }

    fn type_at(&self, start: usize) -> Option<Type> {
        Some(Type {
            name: word(self.types, start)?,
            info: word(self.types, start + 4)?,
            size_or_type: word(self.types, start + 8)?,
            members: start + TYPE_LEN,
        })
    }

    fn name(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        rest.get(..end)
    }
}

/// How many bytes follow a `struct btf_type`; `None` for a kind unheard of.
fn trailing(found: Type) -> Option<usize> {
    Some(match found.kind() {
        KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION => found.len() * MEMBER_LEN,
        KIND_ENUM | KIND_FUNC_PROTO => found.len() * 8,
        KIND_DATASEC | KIND_ENUM64 => found.len() * 12,
        // PTR, FWD, FUNC, FLOAT and the modifiers.
        2 | 7..=12 | 16 | KIND_TYPE_TAG => 0,
        _ => return None,
    })
}

fn section(bytes: &[u8], header: usize, offset: u32, len: u32) -> Result<&[u8], BtfError> {
    let start = header
        .checked_add(offset as usize)
        .ok_or(BtfError::Damaged)?;
    let end = start.checked_add(len as usize).ok_or(BtfError::Damaged)?;
    bytes.get(start..end).ok_or(BtfError::Damaged)
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[path = "btf_tests.rs"]
mod tests;
