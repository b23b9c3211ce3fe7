/*!
Merging of sources, left to right: maps deep, lists and scalars replaced, a
null wipes what was there (the Collector's rules).

The `config` crate does the merging. Its values have an origin, which it keeps for
scalars and lists: there stands the place. It keeps none for maps, so that each map
carries its place as an entry, [`PLACE`], which is merged like any other.
*/

use super::{
    diagnostic::Diagnostic,
    node::{Node, NodeValue, Place, Scalar, TextSpan},
};
use config::{Config, ConfigError, Map, Source, ValueKind};

/// `config` reads its top-level keys as path expressions (`a.b`, `a[0]`); below
/// the top it takes keys as they are. So everything goes below one key.
const ROOT: &str = "root";
/// The entry of a map that says where the map is written. No key of a file that
/// anyone would write.
const PLACE: &str = "\0place";

/// One parsed document, as `config` sees it.
#[derive(Clone, Debug)]
struct Document(config::Value);

impl Source for Document {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        Ok(Map::from_iter([(ROOT.to_owned(), self.0.clone())]))
    }
}

/// Merges `documents`, the later over the earlier. Each must be a map.
pub(super) fn merge(documents: &[Node]) -> Result<Node, Diagnostic> {
    let mut builder = Config::builder();
    for document in documents {
        builder = builder.add_source(Document(to_value(document)));
    }
    let mut merged = builder
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| Diagnostic::nowhere(format!("cannot merge the sources: {error}")))?;
    let empty = || Node::new(Place::start_of(0), NodeValue::Map(Vec::new()));
    Ok(merged.shift_remove(ROOT).map_or_else(empty, to_node))
}

fn to_value(node: &Node) -> config::Value {
    let place = origin(node.place);
    match &node.value {
        // A scalar in quotes is never a null or a number: its origin says so.
        NodeValue::Scalar(Scalar { text, plain: true }) => {
            config::Value::new(Some(&place), text.clone())
        }
        NodeValue::Scalar(Scalar { text, plain: false }) => {
            config::Value::new(Some(&format!("{place} quoted")), text.clone())
        }
        NodeValue::List(items) => {
            let items: Vec<_> = items.iter().map(to_value).collect();
            config::Value::new(Some(&place), items)
        }
        NodeValue::Map(entries) => {
            let entries = entries.iter();
            let mut map: Map<String, config::Value> = entries
                .map(|(key, node)| (key.clone(), to_value(node)))
                .collect();
            map.insert(PLACE.to_owned(), config::Value::new(Some(&place), ""));
            config::Value::new(None, map)
        }
    }
}

fn to_node(value: config::Value) -> Node {
    let place_of = |value: &config::Value| {
        let place = value.origin().and_then(place);
        place.unwrap_or_else(|| Place::start_of(0))
    };
    let place = place_of(&value);
    let quoted = value.origin().is_some_and(|o| o.ends_with("quoted"));
    match value.kind {
        ValueKind::Table(mut map) => {
            let place = map.shift_remove(PLACE).map_or(place, |at| place_of(&at));
            let entries = map.into_iter();
            let entries = entries.map(|(key, value)| (key, to_node(value)));
            Node::new(place, NodeValue::Map(entries.collect()))
        }
        ValueKind::Array(items) => {
            let items = items.into_iter().map(to_node);
            Node::new(place, NodeValue::List(items.collect()))
        }
        ValueKind::String(text) => {
            let plain = !quoted;
            Node::new(place, NodeValue::Scalar(Scalar { text, plain }))
        }
        other => Node::new(place, NodeValue::Scalar(Scalar::plain(other.to_string()))),
    }
}

/// A place as a text: the source, then line, column and width of the value, and
/// of the key if there is one.
fn origin(place: Place) -> String {
    let numbers = |span: TextSpan| format!("{} {} {}", span.line, span.column, span.width);
    let key = place.key.map(numbers).unwrap_or_default();
    format!("{} {} {key}", place.source, numbers(place.value))
}

fn place(origin: &str) -> Option<Place> {
    let mut numbers = origin.split(' ').map_while(|word| word.parse().ok());
    let source = numbers.next()?;
    let mut span = || {
        Some(TextSpan {
            line: numbers.next()?,
            column: numbers.next()?,
            width: numbers.next()?,
        })
    };
    let value = span()?;
    Some(Place {
        source,
        key: span(),
        value,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::{super::yaml, *};

    fn merged(sources: &[&str]) -> Node {
        let documents = sources
            .iter()
            .enumerate()
            .map(|(i, text)| yaml::parse(i, text).unwrap())
            .collect::<Vec<_>>();
        merge(&documents).unwrap()
    }

    /// The tree without its places.
    fn flat(node: &Node) -> String {
        match &node.value {
            NodeValue::Scalar(s) if s.plain => s.text.clone(),
            NodeValue::Scalar(s) => format!("{:?}", s.text),
            NodeValue::List(items) => {
                format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(","))
            }
            NodeValue::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(k, v)| format!("{k}:{}", flat(v)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    #[test]
    fn maps_merge_deep_and_lists_are_replaced() {
        let root = merged(&[
            "a: {x: 1, l: [1, 2, 3]}\nb: 1",
            "a: {y: 2, l: [4]}\nc: \"3\"",
        ]);
        assert_eq!(flat(&root), "{a:{x:1,l:[4],y:2},b:1,c:\"3\"}");
    }

    #[test]
    fn null_wipes_and_later_sources_start_over() {
        assert_eq!(flat(&merged(&["a: {x: 1}", "a:"])), "{a:~}");
        assert_eq!(
            flat(&merged(&["a: {x: 1}", "a: ~", "a: {y: 2}"])),
            "{a:{y:2}}"
        );
        assert_eq!(flat(&merged(&["a: {x: 1}", "a: {}"])), "{a:{x:1}}");
        assert_eq!(flat(&merged(&["a:", "a: {}"])), "{a:{}}");
    }

    #[test]
    fn keys_are_not_path_expressions() {
        let root = merged(&["a.b: 1\n\"x[3]\": 2\nA: {c.d: {\"\": 3}}"]);
        assert_eq!(flat(&root), "{a.b:1,x[3]:2,A:{c.d:{:3}}}");
    }

    #[test]
    fn places_follow_the_source_that_won() {
        let root = merged(&["a:\n  x: 1\n  y: 1", "\n\na: {x: \"2\"}"]);
        let a = root.get("a").unwrap();
        let (x, y) = (a.get("x").unwrap(), a.get("y").unwrap());
        assert_eq!((x.place.source, x.place.value.line), (1, 3));
        assert_eq!((y.place.source, y.place.value.line), (0, 3));
        assert_eq!(flat(a), "{x:\"2\",y:1}");
    }
}
