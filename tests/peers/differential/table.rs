//! The tables of cases, as YAML.
//!
//! Idea: a case holds its components as text, so that both products read what
//! stands there, quotes and all. Each id, which stands at the start of a line,
//! gets the case's number, so that cases share a process.

use serde::Deserialize;
use std::fmt::Write;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The requests of cases that name none.
    #[serde(default)]
    requests: Vec<String>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(skip)]
    pub number: usize,
    /// One receiver, without its addresses.
    #[serde(default = "otlp")]
    pub receiver: String,
    /// Processors in their order.
    #[serde(default)]
    pub processors: String,
    /// One exporter, without its address.
    #[serde(default = "over_grpc")]
    pub exporter: String,
    /// Sets of requests by name.
    #[serde(default)]
    pub requests: Vec<String>,
    #[serde(default)]
    pub send: Encoding,
    #[serde(default)]
    pub compression: Compression,
    /// What the backend answers to the first requests of this case: codes of
    /// gRPC or of HTTP. All others are taken.
    #[serde(default)]
    pub backend: Vec<u16>,
    /// Waits until as many spans have arrived before the processes are
    /// stopped: for what is sent again, which is given up at the end.
    #[serde(default)]
    pub wait: usize,
    /// Why the products differ here, on purpose or not yet mended.
    pub differs: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Grpc,
    Proto,
    Json,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
    Deflate,
    Snappy,
}

fn otlp() -> String {
    "otlp:\n".to_owned()
}

fn over_grpc() -> String {
    "otlp_grpc:\n".to_owned()
}

/// The text of a table.
pub fn text(file: &str) -> String {
    let path = testkit::root().join("tests/differential").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Table {
    pub fn read(file: &str) -> Self {
        let table: Self =
            serde_saphyr::from_str(&text(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        table.numbered()
    }

    /// Cases that are made here.
    pub fn of(requests: &str, cases: Vec<Case>) -> Self {
        let requests = vec![requests.to_owned()];
        Self { requests, cases }.numbered()
    }

    fn numbered(self) -> Self {
        let mut table = self;
        for (number, case) in table.cases.iter_mut().enumerate() {
            case.number = number;
            if case.requests.is_empty() {
                case.requests.clone_from(&table.requests);
            }
            assert!(!case.requests.is_empty(), "{}: no requests", case.name);
        }
        table
    }
}

impl Case {
    /// No processors, and an exporter as it is by default.
    pub fn plain() -> Self {
        serde_saphyr::from_str("name: plain").expect("a case needs no more")
    }

    /// A case of these processors.
    pub fn of(name: &str, processors: String) -> Self {
        Self {
            name: name.to_owned(),
            processors,
            ..Self::plain()
        }
    }

    /// What is wrong, where these differences were found.
    pub fn verdict(&self, found: String) -> Option<String> {
        let name = &self.name;
        match &self.differs {
            None if found.is_empty() => None,
            None => Some(format!("{name}:\n{found}")),
            Some(_) if !found.is_empty() => None,
            Some(why) => Some(format!(
                "{name}: no longer differs, so take this away: {why}"
            )),
        }
    }
}

/// A file with these processors, numbered, that has nothing else to be refused for.
pub fn checked(all: &[String]) -> String {
    let mut ids = Vec::new();
    let mut processors = String::new();
    for (number, text) in all.iter().enumerate() {
        let (its, text) = numbered(text, number);
        ids.extend(its);
        processors.push_str(&text);
    }
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:4317'}}}}}}}}\n\
         processors:\n{processors}\
         exporters: {{debug: {{verbosity: basic}}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], processors: [{}], exporters: [debug]}}}}}}\n",
        ids.join(", ")
    )
}

/// The ids of a text of components, and the text with this suffix to each id.
pub fn numbered(text: &str, number: usize) -> (Vec<String>, String) {
    let mut ids = Vec::new();
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(':') {
            Some((id, rest)) if line.starts_with(|c: char| c.is_ascii_lowercase()) => {
                let id = match id.contains('/') {
                    true => format!("{id}-c{number}"),
                    false => format!("{id}/c{number}"),
                };
                let _ = writeln!(out, "  {id}:{rest}");
                ids.push(id);
            }
            _ => {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    (ids, out)
}
