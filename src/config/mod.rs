/*!
Configuration: the OpenTelemetry Collector's file format, to a checked value.

The way of a file is load → merge → expand → check:

- `source` reads the text of each `--config`;
- `yaml` parses it into a tree whose every value knows its line and column;
- `layer` merges the trees, later over earlier;
- `expand` puts in environment variables and files;
- `de` reads the tree, by serde, into the strict shapes of `raw`;
- `check` turns those into a [`Config`], on which the rest of the program relies.

Whatever is wrong goes into one report, with its place, so that an operator
sees all mistakes at once. `docs/configuration.md` lists every key.
*/

mod check;
mod checked;
mod de;
mod diagnostic;
mod expand;
mod inspect;
mod layer;
mod memory;
mod node;
mod raw;
mod render;
mod scalar;
mod secrecy;
mod security;
mod source;
mod yaml;

pub use checked::*;
pub use diagnostic::LoadError;
pub use inspect::{Guard, Inspect};
pub use source::{Environment, Source, UnsupportedSource};

use diagnostic::{Diagnostic, Report, Text};
use node::{Node, Value};

/// What runs when no file is given: OTLP in on every address, the `mesh`
/// processor for the newest Kiali, and out to `$WAYSPAN_EXPORT_ENDPOINT`, or to
/// the terminal when that is not set.
pub fn default_source() -> Source {
    Source::Default
}

/// Loads `sources`, the later merged over the earlier, with the environment of
/// this process. Host names of addresses to listen on are resolved.
///
/// # Errors
/// When a source cannot be read or anything in it cannot be honoured. The
/// error shows every mistake with its place.
pub fn load(sources: &[Source]) -> Result<Config, LoadError> {
    load_with(sources, &process)
}

/// As [`load`], with `env` as the environment.
///
/// # Errors
/// As [`load`].
pub fn load_with(sources: &[Source], env: &dyn Environment) -> Result<Config, LoadError> {
    load_by(sources, env, None)
}

/// As [`load`], and has `inspect` look at what the settings in use name.
///
/// # Errors
/// As [`load`], and what `inspect` finds, at its place.
pub fn load_inspected(sources: &[Source], inspect: Inspect<'_>) -> Result<Config, LoadError> {
    load_by(sources, &process, Some(inspect))
}

fn load_by(
    sources: &[Source],
    env: &dyn Environment,
    inspect: Option<Inspect<'_>>,
) -> Result<Config, LoadError> {
    let report = Report::default();
    let mut texts = Vec::new();
    let config = merged(sources, env, &mut texts, &report)
        .filter(|_| !report.has_errors())
        .and_then(|root| check::check(&root, env, inspect, &report));
    match config {
        Some(mut config) if !report.has_errors() => {
            config.warnings = report.warnings(&texts);
            Ok(config)
        }
        _ => Err(report.into_error(&texts)),
    }
}

/// The merged and expanded sources as one YAML file, for `print-config`. Values
/// that may be secret (headers, tokens, passwords, private keys) are replaced unless
/// `show_secrets`.
///
/// # Errors
/// When a source cannot be read or expanded. The result is not checked further.
pub fn render(sources: &[Source], show_secrets: bool) -> Result<String, LoadError> {
    let report = Report::default();
    let mut texts = Vec::new();
    match merged(sources, &process, &mut texts, &report) {
        Some(root) if !report.has_errors() => Ok(render::yaml(&root, show_secrets)),
        _ => Err(report.into_error(&texts)),
    }
}

/// The environment of this process.
fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads, merges and expands. None when that cannot be done, for reasons that
/// are in the report.
fn merged(
    sources: &[Source],
    env: &dyn Environment,
    texts: &mut Vec<Text>,
    report: &Report,
) -> Option<Node> {
    let mut documents = Vec::new();
    for source in sources {
        match source.read(env) {
            Ok(read) => {
                for text in read {
                    let parsed = yaml::parse(texts.len(), &text.text);
                    texts.push(text);
                    let document = parsed.and_then(map_only).and_then(|document| {
                        if source.splits_keys() {
                            return split_keys(document, &mut documents);
                        }
                        documents.push(document);
                        Ok(())
                    });
                    if let Err(error) = document {
                        report.error(error);
                    }
                }
            }
            Err(error) => report.error(error),
        }
    }
    if report.has_errors() {
        return None;
    }
    match layer::merge(documents) {
        Ok(mut root) => {
            expand::expand(&mut root, env, report);
            Some(root)
        }
        Err(error) => {
            report.error(error);
            None
        }
    }
}

fn map_only(mut document: Node) -> Result<Node, Diagnostic> {
    if document.is_null() {
        document.value = Value::Map(Vec::new());
    }
    match document.value {
        Value::Map(_) => Ok(document),
        _ => Err(Diagnostic::at(
            document.place,
            format!(
                "expected receivers:, processors:, exporters:, service: and the like, found {}",
                document.describe()
            ),
        )),
    }
}

/// `a::b: c` is `a: {b: c}`; a document for each such key, in order.
fn split_keys(document: Node, documents: &mut Vec<Node>) -> Result<(), Diagnostic> {
    // The tree is walked recursively: its depth is bounded wherever it grows.
    const MAX_PARTS: usize = 32;
    let place = document.place;
    let Value::Map(entries) = document.value else {
        return Ok(());
    };
    for (key, node) in entries {
        let key_place = node.place;
        if key.split("::").count() > MAX_PARTS {
            return Err(Diagnostic::at_key(key_place, "nested too deeply"));
        }
        let nested = key.rsplit("::").fold(node, |inner, part| {
            Node::new(key_place, Value::Map(vec![(part.to_owned(), inner)]))
        });
        documents.push(Node { place, ..nested });
    }
    Ok(())
}
