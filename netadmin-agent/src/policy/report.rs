//! Faults for a person to read: with line, column and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::fault::{Fault, Severity};
use super::source::Source;

/// How many faults are written out; what is wrong with the rest shows when
/// these are mended.
const MAX_SHOWN: usize = 50;

/// The faults of one file, with its text.
#[derive(Clone, Debug)]
pub struct Report {
    source: Source,
    faults: Vec<Fault>,
}

impl Report {
    pub(super) fn new(source: Source, faults: Vec<Fault>) -> Self {
        Self { source, faults }
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// The faults, in the order of the file.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Such as `2 errors`; they are all of one severity.
    pub fn count(&self) -> String {
        let severity = self.faults.first().map(|fault| fault.problem.severity());
        let word = match severity {
            Some(Severity::Warning) => "warning",
            _ => "error",
        };
        plural(self.faults.len(), word)
    }

    /// The faults with their lines and carets, in colour for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for fault in self.faults.iter().take(MAX_SHOWN) {
            text.push_str(&renderer.render(&[self.group(fault)]));
            text.push_str("\n\n");
        }
        let hidden = self.faults.len().saturating_sub(MAX_SHOWN);
        if hidden > 0 {
            text.push_str(&format!("and {} more\n\n", plural(hidden, "fault")));
        }
        text
    }

    fn group<'a>(&'a self, fault: &'a Fault) -> Group<'a> {
        let level = match fault.problem.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut snippet = Snippet::source(&self.source.text)
            .path(&self.source.name)
            .annotation(AnnotationKind::Primary.span(fault.span.clone()));
        if let Some((span, label)) = &fault.context {
            let annotation = AnnotationKind::Context.span(span.clone());
            snippet = snippet.annotation(annotation.label(label));
        }
        let group = level
            .primary_title(fault.problem.to_string())
            .element(snippet);
        match &fault.help {
            Some(help) => group.element(Level::HELP.message(help)),
            None => group,
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}
