//! The table of configurations that one of the products refuses, or both do.

use super::{side::Product, table};
use serde::Deserialize;
use std::fs;
use tempfile::TempDir;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    /// Processors, as in the other tables.
    processors: String,
    /// Who takes it, and why only one does.
    #[serde(default)]
    taken: Taken,
    differs: Option<String>,
}

#[derive(Deserialize, Default, PartialEq, Eq, Debug, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Taken {
    #[default]
    Neither,
    Both,
    Collector,
    Wayspan,
}

#[test]
fn refused() {
    let file = "refused.yaml";
    let rows: Vec<Given> =
        serde_saphyr::from_str(&table::text(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let dir = TempDir::new().unwrap();
    let mut wrong = Vec::new();
    for row in &rows {
        let config = dir.path().join("config.yaml");
        fs::write(
            &config,
            table::checked(std::slice::from_ref(&row.processors)),
        )
        .unwrap();
        let said = Product::BOTH.map(|product| {
            let mut command = product.command(&["validate"], &config);
            let output = command.output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), words)
        });
        let taken = match (said[0].0, said[1].0) {
            (true, true) => Taken::Both,
            (true, false) => Taken::Collector,
            (false, true) => Taken::Wayspan,
            (false, false) => Taken::Neither,
        };
        let one_does = matches!(row.taken, Taken::Collector | Taken::Wayspan);
        assert_eq!(
            one_does,
            row.differs.is_some(),
            "{}: why one alone takes it",
            row.name
        );
        if taken != row.taken {
            wrong.push(format!(
                "{}: taken by {taken:?}, not {:?}\n--- Collector\n{}\n--- wayspan\n{}",
                row.name, row.taken, said[0].1, said[1].1
            ));
        }
    }
    println!("  {file}: {} configurations", rows.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
