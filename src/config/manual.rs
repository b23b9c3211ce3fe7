/*!
The keys that readers declared, as tables of the documentation.
*/

use std::fmt::Write as _;

/// The tables of all keys.
#[derive(Clone, Debug, Default)]
pub struct Manual {
    tables: Vec<KeyTable>,
}

/// The keys of one component, or of a section that several share.
#[derive(Clone, Debug)]
pub struct KeyTable {
    /// What it lists: `exporters.otlp_grpc`.
    pub name: String,
    rows: Vec<Row>,
    /// Keys that are accepted and change nothing.
    ignored: Vec<String>,
    /// Keys that the Collector has and that are an error here.
    refused: Vec<String>,
}

#[derive(Clone, Debug)]
struct Row {
    key: String,
    kind: String,
    default: String,
    effect: &'static str,
}

impl Manual {
    /// All tables, in the order in which they were begun.
    pub fn tables(&self) -> &[KeyTable] {
        &self.tables
    }

    /// Begins a table. None if there is one of this name, which is then complete.
    pub(super) fn begin(&mut self, name: &str) -> Option<usize> {
        if self.tables.iter().any(|table| table.name == name) {
            return None;
        }
        self.tables.push(KeyTable {
            name: name.to_owned(),
            rows: Vec::new(),
            ignored: Vec::new(),
            refused: Vec::new(),
        });
        Some(self.tables.len() - 1)
    }

    pub(super) fn add(
        &mut self,
        table: usize,
        key: String,
        (kind, default): (String, String),
        effect: &'static str,
    ) {
        if let Some(table) = self.tables.get_mut(table) {
            table.rows.push(Row {
                key,
                kind,
                default,
                effect,
            });
        }
    }

    pub(super) fn add_ignored(&mut self, table: usize, key: String) {
        if let Some(table) = self.tables.get_mut(table) {
            table.ignored.push(key);
        }
    }

    pub(super) fn add_refused(&mut self, table: usize, key: String) {
        if let Some(table) = self.tables.get_mut(table) {
            table.refused.push(key);
        }
    }
}

impl KeyTable {
    /// The table in Markdown, and below it the keys without effect.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| key | type | default | effect |\n|---|---|---|---|\n");
        for row in &self.rows {
            let Row {
                key,
                kind,
                default,
                effect,
            } = row;
            // Writing to a String cannot fail.
            let _ = writeln!(out, "| `{key}` | {kind} | {default} | {effect} |");
        }
        for (said, keys) in [
            ("Accepted with a warning, without effect", &self.ignored),
            ("Refused where the component is used", &self.refused),
        ] {
            if !keys.is_empty() {
                let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                let _ = writeln!(out, "\n{said}: {}.", keys.join(", "));
            }
        }
        out
    }
}
