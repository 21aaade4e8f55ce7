//! A TOML table under the eyes of the parser: typed access that notes faults.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Problem};
use super::nearest::nearest;

/// A TOML value with its place.
pub type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

/// A table, with the name that messages give it.
pub struct Table<'t, 'i> {
    name: &'static str,
    span: Range<usize>,
    entries: &'t DeTable<'i>,
}

impl<'t, 'i> Table<'t, 'i> {
    /// The table at the top of the file that begins at `start`.
    pub fn root(entries: &'t DeTable<'i>, start: usize) -> Self {
        Self {
            name: "the file",
            span: start..start,
            entries,
        }
    }

    /// A value that must be a table; `key` leads to it.
    pub fn open(
        name: &'static str,
        key: &str,
        value: Value<'t, 'i>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let entries = value.get_ref().as_table();
        if entries.is_none() {
            faults.push(wrong_type(&quoted(key), "a table", value));
        }
        Some(Self {
            name,
            span: value.span(),
            entries: entries?,
        })
    }

    /// The place of the table: of its header, or of the whole if it is inline.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The keys and values, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (Spanned<&'t str>, Value<'t, 'i>)> {
        self.entries
            .iter()
            .map(|(key, value)| (Spanned::new(key.span(), key.get_ref().as_ref()), value))
    }

    /// Refuses every key that is not among these.
    pub fn only(&self, known: &[&str], faults: &mut Faults) {
        for (key, _) in self.iter() {
            if !known.contains(key.get_ref()) {
                faults.push(unknown_key(&key, self.name, known));
            }
        }
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Value<'t, 'i>> {
        self.entries.get(key)
    }

    /// The value of a key that must be there.
    pub fn require(&self, key: &'static str, faults: &mut Faults) -> Option<Value<'t, 'i>> {
        let value = self.get(key);
        if value.is_none() {
            let table = self.name.to_owned();
            faults.push(Fault::new(Problem::MissingKey { key, table }, self.span()));
        }
        value
    }
}

fn unknown_key(key: &Spanned<&str>, table: &str, known: &[&str]) -> Fault {
    let problem = Problem::UnknownKey {
        key: key.get_ref().escape_debug().to_string(),
        table: table.to_owned(),
    };
    let fault = Fault::new(problem, key.span());
    match nearest(key.get_ref(), known.iter().copied()) {
        Some(word) => fault.help(format!("did you mean `{word}`?")),
        None => fault.help(format!("known keys here: {}", known.join(", "))),
    }
}

/// The fault of a value of another type.
pub fn wrong_type(what: &str, expected: &'static str, value: Value<'_, '_>) -> Fault {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    let problem = Problem::WrongType {
        what: what.to_owned(),
        expected,
        found,
    };
    Fault::new(problem, value.span())
}

fn quoted(key: &str) -> String {
    format!("`{key}`")
}

/// A value that must be a string.
pub fn text(key: &str, value: Value<'_, '_>, faults: &mut Faults) -> Option<Spanned<String>> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        faults.push(wrong_type(&quoted(key), "a string", value));
    }
    text.map(|text| Spanned::new(value.span(), text.to_owned()))
}

/// A value that must be an array; each entry goes through `read`, and those
/// that it cannot read are left out.
pub fn array<'t, 'i, T>(
    key: &str,
    expected: &'static str,
    value: Value<'t, 'i>,
    faults: &mut Faults,
    mut read: impl FnMut(Value<'t, 'i>, &mut Faults) -> Option<T>,
) -> Option<Spanned<Vec<T>>> {
    let Some(entries) = value.get_ref().as_array() else {
        faults.push(wrong_type(&quoted(key), expected, value));
        return None;
    };
    let read = entries.iter().filter_map(|entry| read(entry, faults));
    Some(Spanned::new(value.span(), read.collect()))
}

/// A value that must be one of a few words.
pub fn word<T: Copy>(
    key: &str,
    expected: &'static str,
    words: &[(&str, T)],
    value: Value<'_, '_>,
    faults: &mut Faults,
) -> Option<Spanned<T>> {
    let Some(found) = value.get_ref().as_str() else {
        faults.push(wrong_type(&quoted(key), expected, value));
        return None;
    };
    let meaning = words.iter().find(|(word, _)| *word == found);
    if meaning.is_none() {
        let problem = Problem::WrongWord {
            key: key.to_owned(),
            expected,
            found: found.to_owned(),
        };
        faults.push(Fault::new(problem, value.span()));
    }
    meaning.map(|(_, meaning)| Spanned::new(value.span(), *meaning))
}
