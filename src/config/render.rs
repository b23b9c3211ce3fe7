/*!
A tree as YAML or JSON text, with what may be secret taken out.
*/

use super::{
    node::{Node, NodeValue, Resolved, Scalar},
    secrecy,
};
use serde_json::Value;

/// Writes `root` in block style.
pub(super) fn yaml(root: &Node, show_secrets: bool) -> String {
    let mut out = String::new();
    let show = match show_secrets {
        true => Show::Secrets,
        false => Show::Open,
    };
    block(root, 0, show, &mut out);
    out
}

/// Writes `root` as JSON, whose scalars have the types that YAML reads.
pub(super) fn json(root: &Node, show_secrets: bool) -> String {
    let show = match show_secrets {
        true => Show::Secrets,
        false => Show::Open,
    };
    format!("{:#}\n", value(root, show))
}

fn value(node: &Node, show: Show) -> Value {
    match &node.value {
        NodeValue::Map(entries) => {
            let entries = entries.iter();
            let entry =
                |(key, node): &(String, Node)| (key.clone(), value(node, show.below(key, node)));
            Value::Object(entries.map(entry).collect())
        }
        NodeValue::List(items) => items.iter().map(|item| value(item, show)).collect(),
        NodeValue::Scalar(_) if show == Show::Hidden && !node.is_null() => REDACTED.into(),
        NodeValue::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => value.into(),
            Resolved::Integer(value) => match i64::try_from(value) {
                Ok(value) => value.into(),
                Err(_) => scalar.text.as_str().into(),
            },
            Resolved::Float(value) if value.is_finite() => value.into(),
            Resolved::Float(_) => scalar.text.as_str().into(),
            Resolved::Text if show == Show::Secrets => scalar.text.as_str().into(),
            Resolved::Text => secrecy::without_userinfo(&scalar.text).into(),
        },
    }
}

/// What stands in the place of a secret.
const REDACTED: &str = "[REDACTED]";

/// How much of what may be secret is shown, on the way down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    /// All of it.
    Secrets,
    /// None, and this is no secret.
    Open,
    /// None, and this is below a key that holds secrets.
    Hidden,
}

impl Show {
    /// For the value of `key`.
    fn below(self, key: &str, value: &Node) -> Self {
        match self {
            Self::Open if secrecy::hides(key) => match value.value {
                // In `htpasswd: {file: x}` the inner key tells.
                NodeValue::Map(_) | NodeValue::List(_) => Self::Hidden,
                NodeValue::Scalar(_) if secrecy::is_open(key) => Self::Open,
                NodeValue::Scalar(_) => Self::Hidden,
            },
            Self::Hidden if secrecy::is_open(key) => Self::Open,
            other => other,
        }
    }
}

fn block(node: &Node, depth: usize, show: Show, out: &mut String) {
    match &node.value {
        NodeValue::Map(entries) => {
            for (key, value) in entries {
                indent(depth, out);
                scalar(
                    &Scalar {
                        text: key.clone(),
                        plain: false,
                    },
                    out,
                );
                out.push(':');
                below(value, depth + 1, show.below(key, value), out);
            }
        }
        NodeValue::List(items) => {
            for item in items {
                indent(depth, out);
                out.push('-');
                below(item, depth + 1, show, out);
            }
        }
        NodeValue::Scalar(_) => {
            indent(depth, out);
            leaf(node, show, out);
            out.push('\n');
        }
    }
}

/// The value after a key or a dash: on the same line if it is short.
fn below(node: &Node, depth: usize, show: Show, out: &mut String) {
    match &node.value {
        NodeValue::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        NodeValue::List(items) if items.is_empty() => out.push_str(" []\n"),
        NodeValue::Scalar(_) if node.is_null() => out.push('\n'),
        NodeValue::Scalar(_) => {
            out.push(' ');
            leaf(node, show, out);
            out.push('\n');
        }
        NodeValue::Map(_) | NodeValue::List(_) => {
            out.push('\n');
            block(node, depth, show, out);
        }
    }
}

fn leaf(node: &Node, show: Show, out: &mut String) {
    let NodeValue::Scalar(value) = &node.value else {
        return;
    };
    match show {
        Show::Secrets => scalar(value, out),
        Show::Hidden => out.push_str(&format!("'{REDACTED}'")),
        Show::Open => {
            let text = secrecy::without_userinfo(&value.text);
            let plain = value.plain;
            scalar(&Scalar { text, plain }, out);
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// Plain where that means the same, else in double quotes.
fn scalar(scalar: &Scalar, out: &mut String) {
    let text = &scalar.text;
    let tame = |c: char| c.is_ascii_alphanumeric() || "_-./:@+%".contains(c);
    let looks_plain = !text.is_empty()
        && text.chars().all(tame)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || "./_".contains(c))
        && !text.ends_with(':');
    let same = scalar.plain || Scalar::plain(text.as_str()).resolve() == Resolved::Text;
    if looks_plain && same {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Dollars were expanded; the file this prints will be again.
            '$' => out.push_str("$$"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::{super::yaml as reader, *};
    use proptest::prelude::*;

    #[test]
    fn secrets_are_taken_out() {
        let text = "e:\n  headers: {Authorization: Bearer x}\n  token: t\n  token_file: /run/t\n  a: [1, {b: }]\n  c: {}\n  \
                    tokens: [t, {file: /run/l}]\n  htpasswd: {file: /run/h, inline: t}\n  url: https://u:t@h/p\n";
        let root = reader::parse(0, text).unwrap();
        let hidden = yaml(&root, false);
        assert!(
            !hidden.contains("Bearer") && !hidden.contains(": t\n"),
            "{hidden}"
        );
        assert_eq!(
            hidden,
            "e:\n  headers:\n    Authorization: '[REDACTED]'\n  token: '[REDACTED]'\n  token_file: /run/t\n  \
             a:\n    - 1\n    -\n      b:\n  c: {}\n  \
             tokens:\n    - '[REDACTED]'\n    -\n      file: /run/l\n  \
             htpasswd:\n    file: /run/h\n    inline: '[REDACTED]'\n  url: \"https://***@h/p\"\n"
        );
        assert!(yaml(&root, true).contains("Authorization: \"Bearer x\""));
        let hidden: Value = serde_json::from_str(&json(&root, false)).unwrap();
        assert_eq!(
            hidden,
            serde_json::json!({"e": {
                "headers": {"Authorization": REDACTED}, "token": REDACTED, "token_file": "/run/t",
                "a": [1, {"b": null}], "c": {}, "tokens": [REDACTED, {"file": "/run/l"}],
                "htpasswd": {"file": "/run/h", "inline": REDACTED}, "url": "https://***@h/p",
            }})
        );
        let shown: Value = serde_json::from_str(&json(&root, true)).unwrap();
        assert_eq!(shown["e"]["headers"]["Authorization"], "Bearer x");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,20}|[a-z0-9:\\-.#'\"\\\\ \n\t~]{0,10}", plain: bool) {
            let mut out = String::new();
            let written = Scalar { text: text.clone(), plain };
            scalar(&written, &mut out);
            let root = reader::parse(0, &format!("k: {out}\n")).unwrap();
            let NodeValue::Scalar(read) = &root.get("k").unwrap().value else { panic!("{out}") };
            prop_assert_eq!(&read.text, &text.replace('$', "$$"));
            if !plain {
                prop_assert_eq!(read.resolve(), Resolved::Text);
            }
        }
    }
}
