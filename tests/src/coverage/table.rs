//! The table in SECURITY.md.

use netadmin_bypass::attack::{Arrival, Route};
use netadmin_bypass::ways::{Path, paths};

use super::cell::{ABIS, By, Cell, Evidence, abi_name, cells_of};
use super::{KNOWN_OPEN, KnownOpen};

/// The evidence that cells have besides being tried: numbered notes.
#[derive(Default)]
struct Notes(Vec<Evidence>);

impl Notes {
    /// `yes`, a note's number, or several.
    fn mark(&mut self, cells: impl Iterator<Item = Cell>) -> String {
        let mut marks = Vec::new();
        for cell in cells {
            let mark = match cell.evidence() {
                Some(Evidence::Tried) => "yes".to_owned(),
                Some(other) => format!("[{}]", self.number(other)),
                None => "**none**".to_owned(),
            };
            if !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        match marks.is_empty() {
            true => "–".to_owned(),
            false => marks.join(" "),
        }
    }

    fn number(&mut self, evidence: Evidence) -> usize {
        let known = self.0.iter().position(|note| *note == evidence);
        known.unwrap_or_else(|| {
            self.0.push(evidence);
            self.0.len() - 1
        }) + 1
    }

    fn lines(&self) -> String {
        let line = |(place, note): (usize, &Evidence)| {
            let text = match note {
                Evidence::Test(name) => format!("shown by `{name}`"),
                Evidence::Reason(text) => (*text).to_owned(),
                Evidence::Tried => String::new(),
            };
            format!("{}. {text}\n", place + 1)
        };
        self.0.iter().enumerate().map(line).collect()
    }
}

/// The table, its notes, and what is known to be open.
pub fn table() -> String {
    let mut notes = Notes::default();
    let abis: Vec<_> = ABIS
        .iter()
        .map(|(build, abi)| abi_name(*build, *abi))
        .collect();
    let subjects: Vec<_> = By::ALL[1..].iter().map(|by| by.name()).collect();
    let head = format!(
        "| path | {} | other arrivals | {} |\n|{}\n",
        abis.join(" | "),
        subjects.join(" | "),
        " --- |".repeat(2 + abis.len() + subjects.len())
    );
    let rows: String = paths().iter().map(|path| row(path, &mut notes)).collect();
    format!("{head}{rows}\n{}{}", notes.lines(), known_open())
}

fn row(path: &'static Path, notes: &mut Notes) -> String {
    let usual_process = |cell: &Cell| cell.by == By::ALL[0] && cell.route.arrival == Arrival::Usual;
    let mut columns = vec![path.name.to_owned()];
    for (build, abi) in ABIS {
        let cells = cells_of(path).filter(usual_process);
        let is_here = move |cell: &Cell| cell.build == build && cell.route.abi == abi;
        columns.push(notes.mark(cells.filter(is_here)));
    }
    let is_other = |cell: &Cell| cell.by == By::ALL[0] && cell.route.arrival != Arrival::Usual;
    columns.push(notes.mark(cells_of(path).filter(is_other)));
    for by in &By::ALL[1..] {
        let is_here = |cell: &Cell| cell.by == *by && cell.route == Route::USUAL;
        columns.push(notes.mark(cells_of(path).filter(is_here)));
    }
    format!("| {} |\n", columns.join(" | "))
}

fn known_open() -> String {
    if KNOWN_OPEN.is_empty() {
        return "\nNone of these is known to be open.\n".to_owned();
    }
    let line = |known: &KnownOpen| format!("- `{}`: {}\n", known.path, known.reason);
    let lines: String = KNOWN_OPEN.iter().map(line).collect();
    format!("\nOpen, as far as is known:\n\n{lines}")
}
