/*!
Expansion of `${env:NAME}`, `${NAME}`, `${env:NAME:-default}`, `${file:path}`,
`${https://host/path}` and `${yaml:text}` in values; `$$` is a dollar sign. (The Collector's rules.)

An expansion that is the whole value is read as YAML, so `${env:PORT}` can be a
number and `${file:exporters.yaml}` a map; a key that wants a string gets the
text as it stood. Inside a longer value it is text. What is inserted is
expanded in turn, within bounds.
*/

use super::{
    diagnostic::{Diagnostic, Findings},
    node::{Node, NodeValue, Place, Scalar},
    source::{Environment, fetch, read_file},
    yaml,
};
use std::path::Path;

/// Expansions in one value, nested ones included; the Collector's own bound.
const MAX_STEPS: usize = 1000;
/// Expansions inside each other, in either direction.
const MAX_DEPTH: usize = 32;
/// Characters one value may grow to.
const MAX_TEXT: usize = 4 << 20;

/// Expands every value in `root`, in place.
pub(super) fn expand(root: &mut Node, env: &dyn Environment, report: &Findings) {
    let mut steps = 0;
    if let Err(error) = (Expander { env, report }).node(root, &mut steps, 0) {
        report.error(error);
    }
}

struct Expander<'a> {
    env: &'a dyn Environment,
    report: &'a Findings,
}

impl Expander<'_> {
    fn node(&self, node: &mut Node, steps: &mut usize, depth: usize) -> Result<(), Diagnostic> {
        match &mut node.value {
            NodeValue::List(items) => {
                for item in items {
                    self.child(item, steps, depth)?;
                }
            }
            NodeValue::Map(entries) => {
                for (_, value) in entries {
                    self.child(value, steps, depth)?;
                }
            }
            NodeValue::Scalar(scalar) if scalar.text.contains('$') => {
                let text = std::mem::take(&mut scalar.text);
                self.scalar(node, &text, steps, depth)?;
            }
            NodeValue::Scalar(_) => {}
        }
        Ok(())
    }

    /// At the top each value has its own account and its own error; below an
    /// expansion the account is that of the value being expanded.
    fn child(&self, node: &mut Node, steps: &mut usize, depth: usize) -> Result<(), Diagnostic> {
        if depth > 0 {
            return self.node(node, steps, depth);
        }
        if let Err(error) = self.node(node, &mut 0, 0) {
            self.report.error(error);
        }
        Ok(())
    }

    fn scalar(
        &self,
        node: &mut Node,
        text: &str,
        steps: &mut usize,
        depth: usize,
    ) -> Result<(), Diagnostic> {
        let place = node.place;
        let Some(inner) = whole(text) else {
            let text = self.text(text, place, steps, depth)?;
            node.value = NodeValue::Scalar(Scalar { text, plain: false });
            return Ok(());
        };
        let fetched = self.fetch(inner, place, steps, depth)?;
        // A map or a list is expanded value by value; text as text.
        let structure = yaml::parse(place.source, &fetched).ok().filter(|n| {
            !fetched.trim().is_empty() && matches!(n.value, NodeValue::List(_) | NodeValue::Map(_))
        });
        match structure {
            Some(mut structure) => {
                relocate(&mut structure, place);
                self.node(&mut structure, steps, depth + 1)?;
                node.value = structure.value;
                node.original = Some(fetched);
            }
            None => {
                let text = self.text(&fetched, place, steps, depth + 1)?;
                node.value = NodeValue::Scalar(Scalar::plain(text.trim()));
                if !text.trim().is_empty() {
                    node.original = Some(text);
                }
            }
        }
        Ok(())
    }

    /// `text` with every expansion in it replaced by its text.
    fn text(
        &self,
        text: &str,
        place: Place,
        steps: &mut usize,
        depth: usize,
    ) -> Result<String, Diagnostic> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(body) = rest.strip_prefix('{') {
                let end = closing(body)
                    .ok_or_else(|| Diagnostic::at(place, "`${` without its closing `}`"))?;
                let inner = body.get(..end).unwrap_or_default();
                let fetched = self.fetch(inner, place, steps, depth)?;
                out.push_str(&self.text(&fetched, place, steps, depth + 1)?);
                rest = body.get(end + 1..).unwrap_or_default();
            } else {
                out.push('$');
            }
            if out.len() > MAX_TEXT {
                return Err(Diagnostic::at(place, "expands to more than 4 MiB"));
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    /// What `${inner}` stands for, not yet expanded itself.
    fn fetch(
        &self,
        inner: &str,
        place: Place,
        steps: &mut usize,
        depth: usize,
    ) -> Result<String, Diagnostic> {
        *steps += 1;
        if *steps > MAX_STEPS || depth > MAX_DEPTH {
            return Err(Diagnostic::at(
                place,
                "expands without end: it refers to itself",
            ));
        }
        // `${env:A_${B}}`: the inside first.
        let inner = if inner.contains('$') {
            self.text(inner, place, steps, depth + 1)?
        } else {
            inner.to_owned()
        };
        match inner.split_once(':') {
            Some(("env", variable)) => self.variable(variable, place),
            Some(("file", path)) => match read_file(Path::new(path), self.report) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err(Diagnostic::at(place, error.message)),
            },
            Some(("http" | "https", _)) => {
                fetch(&inner, self.env).map_err(|error| Diagnostic::at(place, error.message))
            }
            Some(("yaml", text)) => Ok(text.to_owned()),
            Some((scheme, rest)) if !rest.starts_with('-') => {
                let message = format!("`${{{scheme}:…}}` is not supported");
                Err(Diagnostic::at(place, message).help("supported: env, file, http, https, yaml"))
            }
            _ => self.variable(&inner, place),
        }
    }

    /// `NAME` or `NAME:-default`.
    fn variable(&self, variable: &str, place: Place) -> Result<String, Diagnostic> {
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let mut chars = name.chars();
        let valid = chars
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            let message = format!("\"{name}\" is not the name of an environment variable");
            return Err(Diagnostic::at(place, message)
                .help("write ${env:NAME}, or $$ for a dollar sign itself"));
        }
        Ok(match (self.env.variable(name), default) {
            // As in a shell, `:-` also replaces an empty variable.
            (Some(value), None) => value,
            (Some(value), Some(default)) if value.is_empty() => default.to_owned(),
            (Some(value), Some(_)) => value,
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                let message = format!("environment variable {name} is not set; taken as empty");
                self.report.warn(Diagnostic::at(place, message));
                String::new()
            }
        })
    }
}

/// The inside of `${…}`, if that is all there is.
fn whole(text: &str) -> Option<&str> {
    let body = text.strip_prefix("${")?;
    let end = closing(body)?;
    (end + 1 == body.len()).then(|| body.get(..end)).flatten()
}

/// Where the brace opened before `body` closes.
fn closing(body: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut previous = '\0';
    for (i, c) in body.char_indices() {
        match c {
            '{' if previous == '$' => open += 1,
            '}' if open == 0 => return Some(i),
            '}' => open -= 1,
            _ => {}
        }
        previous = c;
    }
    None
}

/// Puts a tree that came out of an expansion where the expansion stands.
fn relocate(node: &mut Node, place: Place) {
    node.place = place;
    match &mut node.value {
        NodeValue::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        NodeValue::Map(entries) => entries
            .iter_mut()
            .for_each(|(_, value)| relocate(value, place)),
        NodeValue::Scalar(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        Some(
            match name {
                "HOST" => "10.0.0.1",
                "PORT" => "4317",
                "ZEROS" => "0123",
                "WHICH" => "HOST",
                "LIST" => "[a, '${HOST}']",
                "MAPLIKE" => "key: value",
                "NEST" => "${env:HOST}:${PORT}",
                "LOOP" => "x${env:LOOP}",
                "BOMB" => "${BOMB}${BOMB}",
                "LISTBOMB" => "['${LISTBOMB}', '${LISTBOMB}']",
                "EMPTY" => "",
                _ => return None,
            }
            .to_owned(),
        )
    }

    fn expanded(value: &str) -> (Node, Findings) {
        let report = Findings::default();
        let mut root = yaml::parse(0, &format!("k: {value}")).unwrap();
        expand(&mut root, &env, &report);
        (root.get("k").unwrap().clone(), report)
    }

    fn text(value: &str) -> String {
        let (node, report) = expanded(value);
        assert!(!report.has_errors(), "{value}: {report:?}");
        match node.value {
            NodeValue::Scalar(scalar) => scalar.text,
            other => panic!("{value}: {other:?}"),
        }
    }

    #[test]
    fn variables_in_every_spelling() {
        assert_eq!(text("${env:HOST}"), "10.0.0.1");
        assert_eq!(text("${HOST}"), "10.0.0.1");
        assert_eq!(text("${env:HOST}:4317"), "10.0.0.1:4317");
        assert_eq!(text("'${HOST}:${env:PORT}'"), "10.0.0.1:4317");
        assert_eq!(text("${env:${WHICH}}"), "10.0.0.1");
        assert_eq!(text("${NEST}"), "10.0.0.1:4317");
        assert_eq!(text("${env:NONE:-a:-b}"), "a:-b");
        assert_eq!(text("${NONE:-d}"), "d");
        assert_eq!(text("${EMPTY:-d}"), "d");
        assert_eq!(text("${env:NONE:-}"), "");
        assert_eq!(text("${env:NONE:-${HOST}}"), "10.0.0.1");
        assert_eq!(text("a$$b $$${HOST} $x $"), "a$b $10.0.0.1 $x $");
        assert_eq!(text("$${HOST}"), "${HOST}");
    }

    #[test]
    fn unset_is_a_warning_and_empty() {
        let (node, report) = expanded("${env:NONE}");
        assert!(node.is_null());
        let warnings = report.warnings(&[]);
        assert_eq!(
            warnings,
            ["environment variable NONE is not set; taken as empty"]
        );
    }

    #[test]
    fn whole_values_are_yaml_and_keep_their_text() {
        let (node, _) = expanded("${ZEROS}");
        assert_eq!(node.original.as_deref(), Some("0123"));
        let (node, _) = expanded("${MAPLIKE}");
        assert!(node.get("key").is_some());
        assert_eq!(node.original.as_deref(), Some("key: value"));
        let (node, _) = expanded("${LIST}");
        let NodeValue::List(items) = node.value else {
            panic!()
        };
        assert_eq!(items[1].original.as_deref(), Some("10.0.0.1"));
        assert_eq!(items[1].place.value.line, 1);
    }

    #[test]
    fn endless_and_malformed_expansions_are_errors() {
        for value in [
            "${LOOP}",
            "${BOMB}",
            "${LISTBOMB}",
            "${HOST",
            "x${HOST",
            "${env:a b}",
            "${}",
            "${http://x}",
            "${file:/nonexistent/file}",
        ] {
            let (_, report) = expanded(&format!("\"{value}\""));
            assert!(report.has_errors(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(text in "[$\\{\\}:a-cé\\-]{0,40}") {
            let report = Findings::default();
            let place = Place::start_of(0);
            let mut node = Node::new(place, NodeValue::Scalar(Scalar { text, plain: true }));
            expand(&mut node, &|_: &str| Some("${a}b".to_owned()), &report);
        }
    }
}
