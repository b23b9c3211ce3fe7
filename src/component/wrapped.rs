/*!
Files that have a collector's configuration inside: an object of Kubernetes, or the values
of a chart. What is around it would be reported key by key.
*/

use crate::config::{Diagnostic, Node, Reading};

/// As deep as `spec.config`, and one more.
const DEPTH: usize = 3;

/// Reports a tree that only has a configuration inside. Returns true if it is one.
pub(super) fn is_wrapped(root: &Node, cx: &Reading<'_>) -> bool {
    let Some((path, found)) = inside(root, DEPTH) else {
        return false;
    };
    let message = format!(
        "the collector's configuration stands in {} here",
        path.join(".")
    );
    let help = match root.get("apiVersion") {
        Some(_) => {
            let path: Vec<_> = path.iter().map(|key| key.replace('.', "\\.")).collect();
            let path = path.join(".");
            format!(
                "give wayspan that alone, as kubectl get prints it with -o jsonpath='{{.{path}}}'"
            )
        }
        None => {
            "give wayspan that alone; what a chart adds to it shows in helm template".to_owned()
        }
    };
    let diagnostic = Diagnostic::at_key(found.place, message).help(help);
    cx.report().error(diagnostic);
    true
}

/// The keys that lead to a configuration inside of `node`, and the node there.
fn inside(node: &Node, depth: usize) -> Option<(Vec<&str>, &Node)> {
    if depth == 0 || node.get("service").is_some() {
        return None;
    }
    node.entries().iter().find_map(|(key, value)| {
        if is_configuration(value) {
            return Some((vec![key.as_str()], value));
        }
        let (mut path, found) = inside(value, depth - 1)?;
        path.insert(0, key);
        Some((path, found))
    })
}

fn is_configuration(node: &Node) -> bool {
    const SECTIONS: [&str; 3] = ["receivers", "exporters", "service"];
    match node.text() {
        Some(text) => {
            let has = |section: &str| text.lines().any(|line| line.starts_with(section));
            SECTIONS.into_iter().all(has)
        }
        None => SECTIONS.iter().all(|section| node.get(section).is_some()),
    }
}
