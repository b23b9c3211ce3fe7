/*!
A tree as YAML text, with what may be secret taken out.
*/

use super::node::{Node, Resolved, Scalar, Value};

/// Writes `root` in block style.
pub(super) fn yaml(root: &Node, show_secrets: bool) -> String {
    let mut out = String::new();
    block(root, 0, show_secrets, &mut out);
    out
}

/// Keys whose values the Collector treats as opaque.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // Where a secret is, is none.
    !key.ends_with("_file")
        && [
            "token",
            "password",
            "secret",
            "key_pem",
            "client_secret",
            "htpasswd",
            "credentials",
        ]
        .iter()
        .any(|word| key.contains(word))
}

fn block(node: &Node, depth: usize, show: bool, out: &mut String) {
    match &node.value {
        Value::Map(entries) => {
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
                if !show && is_secret(key) && !value.is_null() {
                    out.push_str(" '[REDACTED]'\n");
                } else if !show && key == "headers" {
                    redacted(value, depth + 1, out);
                } else {
                    below(value, depth + 1, show, out);
                }
            }
        }
        Value::List(items) => {
            for item in items {
                indent(depth, out);
                out.push('-');
                below(item, depth + 1, show, out);
            }
        }
        Value::Scalar(_) => {
            indent(depth, out);
            leaf(node, out);
            out.push('\n');
        }
    }
}

/// The value after a key or a dash: on the same line if it is short.
fn below(node: &Node, depth: usize, show: bool, out: &mut String) {
    match &node.value {
        Value::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Value::List(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Scalar(_) if node.is_null() => out.push('\n'),
        Value::Scalar(_) => {
            out.push(' ');
            leaf(node, out);
            out.push('\n');
        }
        Value::Map(_) | Value::List(_) => {
            out.push('\n');
            block(node, depth, show, out);
        }
    }
}

/// Header names without their values.
fn redacted(headers: &Node, depth: usize, out: &mut String) {
    match &headers.value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            for (name, _) in entries {
                indent(depth, out);
                scalar(
                    &Scalar {
                        text: name.clone(),
                        plain: false,
                    },
                    out,
                );
                out.push_str(": '[REDACTED]'\n");
            }
        }
        _ if headers.is_null() => out.push('\n'),
        _ => out.push_str(" '[REDACTED]'\n"),
    }
}

fn leaf(node: &Node, out: &mut String) {
    if let Value::Scalar(value) = &node.value {
        scalar(value, out);
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
        let text = "e:\n  headers: {Authorization: Bearer x}\n  token: t\n  token_file: /run/t\n  a: [1, {b: }]\n  c: {}\n";
        let root = reader::parse(0, text).unwrap();
        let hidden = yaml(&root, false);
        assert!(
            !hidden.contains("Bearer") && !hidden.contains(": t\n"),
            "{hidden}"
        );
        assert_eq!(
            hidden,
            "e:\n  headers:\n    Authorization: '[REDACTED]'\n  token: '[REDACTED]'\n  token_file: /run/t\n  \
             a:\n    - 1\n    -\n      b:\n  c: {}\n"
        );
        assert!(yaml(&root, true).contains("Authorization: \"Bearer x\""));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,20}|[a-z0-9:\\-.#'\"\\\\ \n\t~]{0,10}", plain: bool) {
            let mut out = String::new();
            let written = Scalar { text: text.clone(), plain };
            scalar(&written, &mut out);
            let root = reader::parse(0, &format!("k: {out}\n")).unwrap();
            let Value::Scalar(read) = &root.get("k").unwrap().value else { panic!("{out}") };
            prop_assert_eq!(&read.text, &text.replace('$', "$$"));
            if !plain {
                prop_assert_eq!(read.resolve(), Resolved::Text);
            }
        }
    }
}
