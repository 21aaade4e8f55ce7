//! `netadmin-agent operations`: the catalogue, for people.

use std::fmt::Write;

use netadmin_common::OperationKind;

use crate::exit::Exit;
use crate::output;

/// Prints one line for each operation.
pub fn operations() -> anyhow::Result<Exit> {
    output::print(&table())?;
    Ok(Exit::Success)
}

fn table() -> String {
    let names = OperationKind::ALL.iter().map(|kind| kind.name().len());
    let width = names.max().unwrap_or(0);
    OperationKind::ALL
        .iter()
        .fold(String::new(), |mut text, kind| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:<width$}  {}", kind.name(), kind.summary());
            text
        })
}

/// docs/OPERATIONS.md, of which a test checks that it is this.
pub fn document() -> String {
    let mut text = String::from(HEAD);
    let mut area = "";
    for kind in OperationKind::ALL {
        let own = kind.name().split('.').next().unwrap_or_default();
        if own != area {
            area = own;
            let _ = write!(text, "\n## {area}\n\n{COLUMNS}");
        }
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            kind.name(),
            kind.summary(),
            kernel(*kind)
        );
    }
    text
}

const HEAD: &str = "# Operations

What a guarded task can be allowed or refused. `netadmin-agent operations` prints
the same list; both come from `netadmin-common/src/catalogue.rs`. The names are
those of events and of `explain`, and, from `setsockopt` on, of
[`[policy.net_admin]`](POLICY.md#policynet_admin), where `link.*` stands for all
that begins so.

(`BLESS=1 cargo test -p netadmin-agent --test operations` writes this file.)
";

const COLUMNS: &str = "| operation | meaning | in the kernel |\n| --- | --- | --- |\n";

fn kernel(kind: OperationKind) -> String {
    let names = kind.kernel().split(", ").filter(|name| !name.is_empty());
    let marked: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    marked.join(", ")
}
