//! The findings, for people and for programs.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::ground::Ground;
use crate::trial::{Outcome, Verdict, attempt};
use crate::ways::Way;

/// What came of one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The path.
    pub path: String,
    /// The calling convention.
    pub abi: String,
    /// The call that carries it.
    pub arrival: String,
    /// Who makes it.
    pub subject: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Everything that a run has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this shape.
    pub schema: u32,
    /// The program's version.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// Where the devices were made.
    pub place: String,
    /// How many ways are open.
    pub open: usize,
    /// How many are closed.
    pub closed: usize,
    /// How many there was nothing to try of.
    pub absent: usize,
    /// How many it could not be seen of.
    pub unknown: usize,
    /// One for each way.
    pub ways: Vec<Finding>,
}

impl Finding {
    /// Tries a way.
    pub fn of(way: &Way) -> Self {
        Self {
            path: way.path.name.to_owned(),
            abi: way.route.abi.name().to_owned(),
            arrival: way.route.arrival.name().to_owned(),
            subject: way.subject.name().to_owned(),
            outcome: attempt(way),
        }
    }
}

impl Report {
    /// Sums up.
    pub fn new(ground: Ground, ways: Vec<Finding>) -> Self {
        let count = |verdict| {
            let is = |finding: &&Finding| finding.outcome.verdict == verdict;
            ways.iter().filter(is).count()
        };
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: kernel_release(),
            place: ground.name().to_owned(),
            open: count(Verdict::Open),
            closed: count(Verdict::Closed),
            absent: count(Verdict::Absent),
            unknown: count(Verdict::Unknown),
            ways,
        }
    }

    /// What a program that is asked for this report exits with.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self { open: 1.., .. } => 1,
            Self { unknown: 1.., .. } => 4,
            Self { closed: 0, .. } => 3,
            _ => 0,
        }
    }

    /// One JSON object.
    pub fn write_json(&self, output: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *output, self)?;
        writeln!(output)
    }

    /// An aligned table.
    pub fn write_table(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "kernel {}, in {}\n", self.kernel, self.place)?;
        let head = ["PATH", "ABI", "ARRIVAL", "BY", "VERDICT", ""].map(str::to_owned);
        let rows: Vec<_> = [head]
            .into_iter()
            .chain(self.ways.iter().map(row))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3, 4].map(width);
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line += &format!("{cell:width$}  ");
            }
            writeln!(output, "{}", (line + &row[5]).trim_end())?;
        }
        let Self {
            open,
            closed,
            absent,
            unknown,
            ..
        } = self;
        writeln!(
            output,
            "\n{open} open, {closed} closed, {absent} absent, {unknown} unknown"
        )
    }
}

fn row(finding: &Finding) -> [String; 6] {
    let outcome = &finding.outcome;
    let verdict = match outcome.verdict {
        Verdict::Open => "OPEN",
        Verdict::Closed => "closed",
        Verdict::Absent => "absent",
        Verdict::Unknown => "UNKNOWN",
    };
    let errno = outcome.errno.map(errno_name).unwrap_or_default();
    let note = [errno, outcome.note.clone()];
    let note: Vec<_> = note.into_iter().filter(|part| !part.is_empty()).collect();
    [
        finding.path.clone(),
        finding.abi.clone(),
        finding.arrival.clone(),
        finding.subject.clone(),
        verdict.to_owned(),
        note.join(", "),
    ]
}

fn errno_name(errno: i32) -> String {
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::EACCES => "EACCES",
        libc::EINVAL => "EINVAL",
        libc::ENODEV => "ENODEV",
        libc::ENOSYS => "ENOSYS",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EROFS => "EROFS",
        libc::ENOENT => "ENOENT",
        libc::EBUSY => "EBUSY",
        libc::ENOTTY => "ENOTTY",
        _ => return format!("errno {errno}"),
    };
    name.to_owned()
}

fn kernel_release() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
