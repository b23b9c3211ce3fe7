/*!
YAML text to a located tree.

`granit-parser` gives events with their places; this module builds the tree,
resolves aliases and merge keys (`<<`), and bounds both, so that a few lines of
aliases that refer to each other cannot fill the memory.
*/

use super::{
    diagnostic::Diagnostic,
    node::{Node, NodeValue, Place, Scalar, TextSpan, shorten},
};
use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput};
use std::collections::HashMap;

/// Maps and lists inside each other. Real files have 8.
const MAX_DEPTH: usize = 64;
/// Values in a source after aliases are resolved. Real files have hundreds.
const MAX_NODES: usize = 50_000;

/// Reads the first and only document of `text`; source number `source`.
/// An empty text is an empty map.
pub(super) fn parse(source: usize, text: &str) -> Result<Node, Diagnostic> {
    // A byte order mark is legal before the first line and part of no key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.emit_comments = false;
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        source,
        anchors: HashMap::new(),
        nodes: 0,
    };
    builder.document()
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    source: usize,
    anchors: HashMap<usize, Anchor>,
    nodes: usize,
}

struct Anchor {
    node: Node,
    nodes: usize,
    height: usize,
}

/// A finished node and how deep it goes.
struct Built {
    node: Node,
    height: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event if root.is_none() => root = Some(self.node(event, span, None, 0)?.node),
                _ => return Err(self.error(span, "a second YAML document; only one is read")),
            }
        }
        Ok(root
            .unwrap_or_else(|| Node::new(Place::start_of(self.source), NodeValue::Map(Vec::new()))))
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, TextSpan)>, Diagnostic> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok(Some((event, place(&span)))),
                Some(Err(error)) => {
                    let marker = error.marker();
                    let span = TextSpan {
                        line: marker.line().max(1),
                        column: marker.col() + 1,
                        width: 1,
                    };
                    return Err(self.error(span, &format!("not valid YAML: {}", error.info())));
                }
            }
        }
    }

    fn inner(&mut self, opened: TextSpan) -> Result<(Event<'t>, TextSpan), Diagnostic> {
        self.next()?
            .ok_or_else(|| self.error(opened, "not valid YAML: it ends inside this"))
    }

    fn error(&self, value: TextSpan, message: &str) -> Diagnostic {
        Diagnostic::at(
            Place {
                source: self.source,
                key: None,
                value,
            },
            message,
        )
    }

    fn node(
        &mut self,
        event: Event<'t>,
        span: TextSpan,
        key: Option<TextSpan>,
        depth: usize,
    ) -> Result<Built, Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(self.error(span, "nested too deeply"));
        }
        self.count(1, span)?;
        let before = self.nodes;
        let place = Place {
            source: self.source,
            key,
            value: span,
        };
        let (anchor, built) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let string = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let plain = style == ScalarStyle::Plain && !string;
                let value = NodeValue::Scalar(Scalar {
                    text: text.into_owned(),
                    plain,
                });
                (
                    anchor,
                    Built {
                        node: Node::new(place, value),
                        height: 0,
                    },
                )
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, height) = self.list(span, depth)?;
                (
                    anchor,
                    Built {
                        node: Node::new(place, NodeValue::List(items)),
                        height,
                    },
                )
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, height) = self.map(span, depth)?;
                (
                    anchor,
                    Built {
                        node: Node::new(place, NodeValue::Map(entries)),
                        height,
                    },
                )
            }
            Event::Alias(anchor) => return self.alias(anchor, place, depth),
            _ => return Err(self.error(span, "not valid YAML: a value is missing")),
        };
        if anchor != 0 {
            let (node, height) = (built.node.clone(), built.height);
            self.anchors.insert(
                anchor,
                Anchor {
                    node,
                    nodes: self.nodes - before,
                    height,
                },
            );
        }
        Ok(built)
    }

    fn count(&mut self, nodes: usize, span: TextSpan) -> Result<(), Diagnostic> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases included");
            return Err(self.error(span, &message));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, place: Place, depth: usize) -> Result<Built, Diagnostic> {
        let Some(anchor) = self.anchors.get(&id) else {
            return Err(self.error(
                place.value,
                "an alias of something that is not complete yet",
            ));
        };
        let (nodes, height) = (anchor.nodes, anchor.height);
        if depth + height > MAX_DEPTH {
            return Err(self.error(place.value, "nested too deeply"));
        }
        // Counted before it is copied: this is what bounds the copies.
        self.count(nodes, place.value)?;
        let mut node = self
            .anchors
            .get(&id)
            .map(|a| a.node.clone())
            .unwrap_or_else(|| Node::new(place, NodeValue::Scalar(Scalar::plain(""))));
        node.place.key = place.key;
        Ok(Built { node, height })
    }

    fn list(&mut self, opened: TextSpan, depth: usize) -> Result<(Vec<Node>, usize), Diagnostic> {
        let (mut items, mut height) = (Vec::new(), 0);
        loop {
            let (event, span) = self.inner(opened)?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((items, height));
            }
            let built = self.node(event, span, None, depth + 1)?;
            height = height.max(built.height + 1);
            items.push(built.node);
        }
    }

    fn map(
        &mut self,
        opened: TextSpan,
        depth: usize,
    ) -> Result<(Vec<(String, Node)>, usize), Diagnostic> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        let (mut merged, mut height) = (Vec::new(), 0);
        loop {
            let (event, span) = self.inner(opened)?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.error(span, "a key must be a plain word")),
            };
            let (event, value_span) = self.inner(opened)?;
            let built = self.node(event, value_span, Some(span), depth + 1)?;
            height = height.max(built.height + 1);
            if key == "<<" {
                merged.push(built.node);
                continue;
            }
            if let Some(line) = lines.insert(key.clone(), span.line) {
                let key = shorten(&key);
                let message = format!("key \"{key}\" appears twice here, first on line {line}");
                return Err(self.error(span, &message));
            }
            entries.push((key, built.node));
        }
        for node in merged {
            self.merge_key(node, &mut entries, &mut lines)?;
        }
        Ok((entries, height))
    }

    /// `<<: *base` adds the keys of `base` that are not there yet.
    fn merge_key(
        &self,
        node: Node,
        entries: &mut Vec<(String, Node)>,
        lines: &mut HashMap<String, usize>,
    ) -> Result<(), Diagnostic> {
        let maps = match node.value {
            NodeValue::List(items) => items,
            _ => vec![node],
        };
        for map in maps {
            let NodeValue::Map(inherited) = map.value else {
                return Err(Diagnostic::at(
                    map.place,
                    "`<<` takes a map or a list of maps",
                ));
            };
            for (key, value) in inherited {
                if !lines.contains_key(&key) {
                    lines.insert(key.clone(), value.place.value.line);
                    entries.push((key, value));
                }
            }
        }
        Ok(())
    }
}

fn place(span: &granit_parser::Span) -> TextSpan {
    TextSpan {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        width: if span.start.line() == span.end.line() {
            span.len().max(1)
        } else {
            // Maps and lists span lines: point at their start.
            1
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn text(node: &Node) -> &str {
        match &node.value {
            NodeValue::Scalar(scalar) => &scalar.text,
            _ => panic!("not a scalar: {node:?}"),
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let root = parse(3, "a:\n  b: word\n  c: [1, \"é\"]\n").unwrap();
        let b = root.get("a").unwrap().get("b").unwrap();
        assert_eq!(text(b), "word");
        assert_eq!(b.place.source, 3);
        assert_eq!(
            b.place.key.unwrap(),
            TextSpan {
                line: 2,
                column: 3,
                width: 1
            }
        );
        assert_eq!(
            b.place.value,
            TextSpan {
                line: 2,
                column: 6,
                width: 4
            }
        );
        let NodeValue::List(items) = &root.get("a").unwrap().get("c").unwrap().value else {
            panic!()
        };
        assert_eq!(
            items[1].place.value,
            TextSpan {
                line: 3,
                column: 10,
                width: 3
            }
        );
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let root = parse(0, "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: *x\n").unwrap();
        assert_eq!(text(root.get("y").unwrap().get("a").unwrap()), "1");
        assert_eq!(text(root.get("y").unwrap().get("b").unwrap()), "3");
        assert_eq!(text(root.get("z").unwrap().get("b").unwrap()), "2");
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (yaml, message) in [
            ("a: 1\na: 2\n", "appears twice"),
            ("a: 1\n---\nb: 2\n", "second YAML document"),
            ("? [a]\n: 1\n", "must be a plain word"),
            ("a: [1\n", "not valid YAML"),
            ("<<: 3\n", "takes a map"),
            ("a: &a [*a]\n", ""),
        ] {
            let error = parse(0, yaml).unwrap_err();
            assert!(
                error.message.contains(message),
                "{yaml:?}: {}",
                error.message
            );
        }
    }

    #[test]
    fn aliases_cannot_multiply_without_end() {
        let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let items = vec![format!("*a{}", i - 1); 10].join(", ");
            yaml.push_str(&format!("a{i}: &a{i} [{items}]\n"));
        }
        assert!(parse(0, &yaml).unwrap_err().message.contains("more than"));
        // Depth may not be smuggled in through aliases either.
        let mut yaml = String::from("a0: &a0 x\n");
        for i in 1..100 {
            yaml.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
        }
        assert!(parse(0, &yaml).unwrap_err().message.contains("too deeply"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        for depth in [66, 300, 100_000] {
            let yaml = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert!(parse(0, &yaml).is_err());
            assert!(parse(0, &"{a: ".repeat(depth)).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*|[-a-c:{}\\[\\],&*!|>?#'\"\\\\ \\n\\t<~%@$]{0,80}") {
            let _ = parse(0, &text);
        }
    }
}
