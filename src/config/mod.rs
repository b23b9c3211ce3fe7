/*!
Configuration: the OpenTelemetry Collector's file format, as a tree and its reader.

The way of a file is load → merge → expand → read:

- `source` reads the text of each `--config`;
- `yaml` parses it into a tree whose every value knows its line and column;
- `layer` merges the trees, later over earlier;
- `expand` puts in environment variables and files;
- `keys` is the typed reader, by which each component reads its own section: a key
  is declared once, where it is read, and [`Manual`] lists what was declared.

No component is known here by name: `crate::component` has them, and the checked
configuration. Whatever is wrong goes into one report, with its place, so that an
operator sees all mistakes at once. Secrets stay out of it (`secrecy`).
`docs/configuration.md` lists every key.
*/

mod address;
mod diagnostic;
mod expand;
mod id;
pub(crate) mod keys;
mod layer;
mod manual;
mod node;
mod pairs;
mod raw;
mod reading;
mod render;
mod scalar;
mod secrecy;
mod secret;
mod source;
mod value;
mod yaml;

pub use address::{ListenAddress, UnixAddress};
pub(crate) use diagnostic::{Diagnostic, Findings, LoadError, Spot, Text, did_you_mean};
pub use id::Id;
pub(crate) use keys::{KeyReader, Mixed, Setting};
pub(crate) use manual::Manual;
pub(crate) use pairs::Pairs;
pub(crate) use raw::RawValue;
pub(crate) use reading::{Extensions, Reading};
pub(crate) use scalar::{bare_variable, host_port};
pub use secret::Secret;
pub use source::{Environment, Source};
pub(crate) use value::{Field, Word};

pub(crate) use node::{Node, Place, shorten};

/// What runs when no file is given: OTLP in on every address, the `mesh`
/// processor for the Kiali of the cluster, else for the newest, and out to
/// `$WAYSPAN_EXPORT_ENDPOINT`, or to the terminal when that is not set.
pub fn default_source() -> Source {
    Source::Default
}

/// A notation for a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// YAML, which can be loaded again.
    Yaml,
    /// JSON.
    Json,
}

/// The merged and expanded sources as one file, for `print-config`. Values
/// that may be secret (headers, tokens, passwords, private keys) are replaced unless
/// `show_secrets`.
///
/// # Errors
/// When a source cannot be read or expanded. The result is not checked further.
pub(crate) fn render(
    sources: &[Source],
    env: &dyn Environment,
    notation: Notation,
    show_secrets: bool,
) -> Result<String, LoadError> {
    let report = Findings::default();
    let mut texts = Vec::new();
    match tree(sources, env, &mut texts, &report) {
        Some(root) if !report.has_errors() => Ok(match notation {
            Notation::Yaml => render::yaml(&root, show_secrets),
            Notation::Json => render::json(&root, show_secrets),
        }),
        _ => Err(report.to_error(&texts)),
    }
}

/// The environment of this process.
pub(crate) fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads, merges and expands `sources`. None when that cannot be done, for reasons
/// that are in the report. `texts` gets what was read, for the excerpts in messages.
pub(crate) fn tree(
    sources: &[Source],
    env: &dyn Environment,
    texts: &mut Vec<Text>,
    report: &Findings,
) -> Option<Node> {
    let mut documents = Vec::new();
    for source in sources {
        match source.read(env, report) {
            Ok(read) => {
                for text in read {
                    let parsed = yaml::parse(texts.len(), &text.text);
                    texts.push(text);
                    let document = parsed
                        .and_then(map_only)
                        .and_then(|document| split_keys(document, &mut documents));
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
    match layer::merge(&documents) {
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
        document.value = node::NodeValue::Map(Vec::new());
    }
    match document.value {
        node::NodeValue::Map(_) => Ok(document),
        _ => Err(Diagnostic::at(
            document.place,
            format!(
                "expected receivers:, processors:, exporters:, service: and the like, found {}",
                document.describe()
            ),
        )),
    }
}

/// `a::b: c` is `a: {b: c}`; a document for each key, in order, where there is such a key.
fn split_keys(document: Node, documents: &mut Vec<Node>) -> Result<(), Diagnostic> {
    // The tree is walked recursively: its depth is bounded wherever it grows.
    const MAX_PARTS: usize = 32;
    let place = document.place;
    if !document.entries().iter().any(|(key, _)| key.contains("::")) {
        documents.push(document);
        return Ok(());
    }
    let node::NodeValue::Map(entries) = document.value else {
        return Ok(());
    };
    for (key, node) in entries {
        let key_place = node.place;
        if key.split("::").count() > MAX_PARTS {
            return Err(Diagnostic::at_key(key_place, "nested too deeply"));
        }
        let nested = key.rsplit("::").fold(node, |inner, part| {
            Node::new(
                key_place,
                node::NodeValue::Map(vec![(part.to_owned(), inner)]),
            )
        });
        documents.push(Node { place, ..nested });
    }
    Ok(())
}
