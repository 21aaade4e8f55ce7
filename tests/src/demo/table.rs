//! The table: each attempt, unguarded and guarded, side by side.

use super::options::Options;
use super::outcome::Outcome;
use super::paint::{Color, Paint, wrap};

/// Width of a verdict, such as `succeeds`.
const VERDICT: usize = 9;
/// Width of what the kernel says, such as `reads 16777216`.
const AFTERWARDS: usize = 14;
const GAP: usize = 2;
const INDENT: &str = "  ";

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    /// The heading under which it stands.
    pub section: &'static str,
    /// What was done.
    pub label: &'static str,
    /// Whether it was to be refused.
    pub is_attack: bool,
    /// What came of it unguarded.
    pub unguarded: Outcome,
    /// What came of it guarded, if that was tried.
    pub guarded: Option<Outcome>,
}

impl Row {
    /// Unguarded everything succeeds; guarded the attacks do not.
    pub fn is_as_it_should_be(&self) -> bool {
        let guarded = self.guarded.as_ref();
        self.unguarded.succeeded
            && guarded.is_none_or(|outcome| outcome.succeeded != self.is_attack)
    }
}

/// How the table looks.
#[derive(Debug)]
pub struct Table {
    paint: Paint,
    width: usize,
}

impl Table {
    /// A table as the options say.
    pub fn new(options: &Options) -> Self {
        Self {
            paint: Paint {
                color: options.color,
            },
            width: options.width,
        }
    }

    /// What is said before anything runs.
    pub fn introduction(&self, policy: &str) -> String {
        let title = "Root in a container: an own network namespace, NET_ADMIN and NET_RAW";
        let mut text = format!("\n{}\n\n", self.paint.with(Color::Strong, title));
        text.push_str("The policy:\n");
        for line in policy.lines() {
            let line = format!("    {line}");
            text.push_str(&format!("{}\n", self.paint.with(Color::Faint, &line)));
        }
        text + "\n"
    }

    /// The whole table, and the verdict.
    pub fn render(&self, rows: &[Row]) -> String {
        let mut text = self.heading();
        let mut section = "";
        for row in rows {
            if row.section != section {
                section = row.section;
                let heading = self.paint.with(Color::Strong, section);
                text.push_str(&format!("\n{heading}\n"));
            }
            text.push_str(&self.row(row));
        }
        text + "\n" + &self.verdict(rows) + "\n"
    }

    fn side() -> usize {
        VERDICT + 1 + AFTERWARDS
    }

    fn label_width(&self) -> usize {
        self.width - INDENT.len() - 2 * (GAP + Self::side())
    }

    fn heading(&self) -> String {
        let (label, side) = (INDENT.len() + self.label_width() + GAP, Self::side());
        let line = format!("{:label$}{:side$}  {}", "", "UNGUARDED", "GUARDED");
        let legend = "promiscuity: the device's count, as `ip -d link` shows it afterwards\n\
                      reads: what getsockopt says afterwards";
        format!(
            "\n{}\n\n{}\n",
            self.paint.with(Color::Faint, legend),
            self.paint.with(Color::Strong, &line)
        )
    }

    fn row(&self, row: &Row) -> String {
        let width = self.label_width();
        let mut lines = wrap(row.label, width).into_iter();
        let first = lines.next().unwrap_or_default();
        let unguarded = self.outcome(&row.unguarded, row.is_attack, true);
        let guarded = row.guarded.as_ref();
        let guarded = guarded.map(|outcome| self.outcome(outcome, row.is_attack, false));
        let guarded = guarded.unwrap_or_default();
        let line = format!("{INDENT}{first:width$}  {unguarded}  {guarded}");
        let mut text = format!("{}\n", line.trim_end());
        for line in lines {
            text.push_str(&format!("{INDENT}  {line}\n"));
        }
        if let Some(report) = row.guarded.as_ref().and_then(Outcome::report) {
            for line in wrap(&report, self.width - 6) {
                let line = self.paint.with(Color::Faint, &line);
                text.push_str(&format!("      {line}\n"));
            }
        }
        text
    }

    /// Verdict and state, padded before they are coloured.
    fn outcome(&self, outcome: &Outcome, is_attack: bool, unguarded: bool) -> String {
        let word = match (is_attack, outcome.succeeded) {
            (true, true) => "succeeds",
            (true, false) => "refused",
            (false, true) => "works",
            (false, false) => "fails",
        };
        let is_good = outcome.succeeded != (is_attack && !unguarded);
        let color = match (is_attack && unguarded, is_good) {
            // That an attack succeeds unguarded is as expected, and not good.
            (true, _) | (false, false) => Color::Bad,
            (false, true) => Color::Good,
        };
        let verdict = self.paint.with(color, &format!("{word:VERDICT$}"));
        format!("{verdict} {:AFTERWARDS$}", outcome.afterwards)
    }

    /// One line that says how it went.
    fn verdict(&self, rows: &[Row]) -> String {
        let count = |attack: bool, good: &dyn Fn(&Row) -> bool| {
            let of_kind = rows.iter().filter(|row| row.is_attack == attack);
            of_kind.filter(|row| good(row)).count()
        };
        let any = |_: &Row| true;
        let (attacks, works) = (count(true, &any), count(false, &any));
        let open = count(true, &|row| row.unguarded.succeeded);
        let text = if rows.iter().any(|row| row.guarded.is_none()) {
            format!("Unguarded, {open} of {attacks} attacks succeed.")
        } else {
            let refused = count(true, &Row::is_as_it_should_be);
            let working = count(false, &Row::is_as_it_should_be);
            format!(
                "Unguarded, {open} of {attacks} attacks succeed; guarded, {refused} of {attacks} \
                 are refused, and {working} of {works} everyday commands work."
            )
        };
        let all_good = rows.iter().all(Row::is_as_it_should_be);
        let color = if all_good { Color::Good } else { Color::Bad };
        let text = wrap(&text, self.width).join("\n");
        self.paint.with(color, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Outcome, Row, Table};

    fn row(label: &'static str, is_attack: bool, guarded_succeeds: bool) -> Row {
        let outcome = |succeeded| Outcome {
            succeeded,
            afterwards: "promiscuity 0".to_owned(),
            events: Vec::new(),
        };
        Row {
            section: "Section",
            label,
            is_attack,
            unguarded: outcome(true),
            guarded: Some(outcome(guarded_succeeds)),
        }
    }

    fn table(width: usize, color: bool) -> Table {
        Table::new(&Options {
            color,
            width,
            without_agent: false,
        })
    }

    #[test]
    fn plain_text_keeps_its_width_and_has_no_escapes() {
        let rows = [row(
            "a label that is too long for one line of it",
            true,
            false,
        )];
        let text = table(100, false).render(&rows);
        assert!(!text.contains('\x1b'));
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        assert!(text.contains("1 of 1 are refused"), "{text}");
    }

    #[test]
    fn an_attack_that_gets_through_and_work_that_fails_are_not_as_they_should_be() {
        assert!(row("", true, false).is_as_it_should_be());
        assert!(!row("", true, true).is_as_it_should_be());
        assert!(row("", false, true).is_as_it_should_be());
        assert!(!row("", false, false).is_as_it_should_be());
    }
}
