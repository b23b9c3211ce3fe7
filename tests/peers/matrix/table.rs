//! The matrix as a table of `docs/naming.md`, and whether that page has it.

use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- matrix: begin -->";
const END: &str = "<!-- matrix: end -->";
/// Set to write the page instead of checking it.
const WRITE: &str = "WAYSPAN_WRITE_DOCS";

pub fn markdown(head: &[String], rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(head);
    line(&head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
    for row in rows {
        line(row);
    }
    out
}

/// Writes the table between the marks, or fails where another one stands there.
pub fn keep_current(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/naming.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("a mark where it begins");
    let (there, after) = rest.split_once(END).expect("a mark where it ends");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}\n{table}{END}{after}")).unwrap();
        return;
    }
    let lost = |of: &str, other: &str| -> String {
        let lines = of.trim().lines();
        let lost = lines.filter(|line| !other.lines().any(|l| l == *line));
        lost.map(|line| format!("\n  {line}")).collect()
    };
    assert!(
        there.trim() == table.trim(),
        "docs/naming.md has another matrix than was found. There:{}\nFound:{}\n\
         Where that is right: `{WRITE}=1 cargo test --features peers --test peers matrix`",
        lost(there, table),
        lost(table, there)
    );
}
