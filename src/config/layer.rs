/*!
Merging of sources, left to right: maps deep, lists and scalars replaced, a
null wipes what was there (the Collector's rules).

The `config` crate does the merging. It keeps no place for maps and no
spelling of scalars, so those are kept beside it, by path: what stands at a path
after merging was written by the last source that has this path.
*/

use super::{
    diagnostic::Diagnostic,
    node::{Node, Place, Scalar, Value},
};
use config::{Config, ConfigError, Map, Source, ValueKind};
use std::collections::HashMap;

/// `config` reads its top-level keys as path expressions (`a.b`, `a[0]`); below
/// the top it takes keys as they are. So everything goes below one key.
const ROOT: &str = "root";

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

/// Where a path was last written, and how.
struct Written {
    place: Place,
    plain: bool,
}

type Places = HashMap<Vec<String>, Written>;

/// Merges `documents`, the later over the earlier. Each must be a map.
pub(super) fn merge(documents: Vec<Node>) -> Result<Node, Diagnostic> {
    let mut places = Places::new();
    let mut builder = Config::builder();
    for document in &documents {
        let value = to_value(document, &mut Vec::new(), &mut places);
        builder = builder.add_source(Document(value));
    }
    let mut merged = builder
        .build()
        .and_then(|config| config.collect())
        .map_err(|error| Diagnostic::nowhere(format!("cannot merge the sources: {error}")))?;
    let root = merged.shift_remove(ROOT).unwrap_or_else(empty_map);
    Ok(to_node(root, &mut Vec::new(), &places))
}

fn empty_map() -> config::Value {
    config::Value::new(None, Map::<String, config::Value>::new())
}

fn to_value(node: &Node, path: &mut Vec<String>, places: &mut Places) -> config::Value {
    let mut below = |key: String, node: &Node, places: &mut Places| {
        path.push(key);
        let value = to_value(node, path, places);
        path.pop();
        value
    };
    let (plain, kind) = match &node.value {
        Value::Scalar(scalar) => (scalar.plain, ValueKind::String(scalar.text.clone())),
        Value::List(items) => {
            let item = |(i, item): (usize, &Node)| below(i.to_string(), item, places);
            (
                false,
                ValueKind::Array(items.iter().enumerate().map(item).collect()),
            )
        }
        Value::Map(entries) => {
            let entry =
                |(key, node): &(String, Node)| (key.clone(), below(key.clone(), node, places));
            (false, ValueKind::Table(entries.iter().map(entry).collect()))
        }
    };
    places.insert(
        path.clone(),
        Written {
            place: node.place,
            plain,
        },
    );
    config::Value::new(None, kind)
}

fn to_node(value: config::Value, path: &mut Vec<String>, places: &Places) -> Node {
    let mut below = |key: String, value: config::Value| {
        path.push(key);
        let node = to_node(value, path, places);
        path.pop();
        node
    };
    let value = match value.kind {
        ValueKind::Table(map) => Value::Map(
            map.into_iter()
                .map(|(key, value)| (key.clone(), below(key, value)))
                .collect(),
        ),
        ValueKind::Array(items) => Value::List(
            items
                .into_iter()
                .enumerate()
                .map(|(i, item)| below(i.to_string(), item))
                .collect(),
        ),
        ValueKind::String(text) => Value::Scalar(Scalar {
            text,
            plain: places.get(path).is_some_and(|w| w.plain),
        }),
        other => Value::Scalar(Scalar::plain(other.to_string())),
    };
    let place = places
        .get(path)
        .map_or_else(|| Place::start_of(0), |w| w.place);
    Node::new(place, value)
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
            .collect();
        merge(documents).unwrap()
    }

    /// The tree without its places.
    fn flat(node: &Node) -> String {
        match &node.value {
            Value::Scalar(s) if s.plain => s.text.clone(),
            Value::Scalar(s) => format!("{:?}", s.text),
            Value::List(items) => {
                format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(","))
            }
            Value::Map(entries) => {
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
    fn null_wipes_and_later_sources_start_anew() {
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
