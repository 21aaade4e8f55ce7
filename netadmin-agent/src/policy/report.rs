//! Faults for a person to read: with line, column and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::fault::{Fault, Severity};
use super::sources::Sources;

/// How many faults are written out; what is wrong with the rest shows when
/// these are mended.
const MAX_SHOWN: usize = 50;

/// The faults of a policy, with its text.
#[derive(Clone, Debug)]
pub struct Report {
    source: Sources,
    faults: Vec<Fault>,
}

impl Report {
    pub(super) fn new(source: Sources, faults: Vec<Fault>) -> Self {
        Self { source, faults }
    }

    /// The name of the file, or of the directory.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// Which of both it is.
    pub fn kind(&self) -> &'static str {
        if self.source.is_directory() {
            "directory"
        } else {
            "file"
        }
    }

    /// The first fault in one line: `FILE:LINE:COLUMN: what`.
    pub fn first(&self) -> String {
        let Some(fault) = self.faults.first() else {
            return String::new();
        };
        let (file, span) = self.source.within(&fault.span);
        let before = file.text.get(..span.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = 1 + before[line_start..].chars().count();
        let line = file.line(span.start);
        format!("{}:{line}:{column}: {}", file.name, fault.problem)
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
        let (file, span) = self.source.within(&fault.span);
        let title = level.primary_title(fault.problem.to_string());
        let mut snippet = Snippet::source(&file.text)
            .path(&file.name)
            .annotation(AnnotationKind::Primary.span(span));
        let mut elsewhere = None;
        if let Some((span, label)) = &fault.context {
            let (other, span) = self.source.within(span);
            let annotation = AnnotationKind::Context.span(span).label(label);
            if std::ptr::eq(other, file) {
                snippet = snippet.annotation(annotation);
            } else {
                let other = Snippet::source(&other.text).path(&other.name);
                elsewhere = Some(other.annotation(annotation));
            }
        }
        let mut group = title.element(snippet);
        if let Some(other) = elsewhere {
            group = group.element(other);
        }
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
