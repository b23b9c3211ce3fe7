//! Forms that other collectors' files have, and what wayspan says of each.
//!
//! Idea: `forms.txt` has a form a paragraph, over the minimal configuration. The
//! comments below a form are all that must be said of it, warnings or errors, each
//! with its place, and nothing besides: one cause, one message. `# env: NAME=VALUE`
//! sets a variable. A form without a comment is taken in silence.

use super::{MINIMAL, load_in};
use std::{fs, path::Path};
use wayspan::config::Source;

#[test]
fn each_form_gets_its_verdict_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/forms.txt");
    let text = fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for form in text.trim().split("\n\n") {
        let (comments, yaml): (Vec<_>, Vec<_>) =
            form.lines().partition(|line| line.starts_with("# "));
        let env: Vec<_> = comments
            .iter()
            .filter_map(|line| line.strip_prefix("# env: ")?.split_once('='))
            .collect();
        let expected: Vec<_> = comments
            .iter()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| !line.starts_with("env: "))
            .collect();
        let sources = [("minimal.yaml", MINIMAL.to_owned()), ("f", yaml.join("\n"))];
        let sources = sources.map(|(name, text)| Source::Text {
            name: name.to_owned(),
            text,
        });
        let said = match load_in(&sources, &env) {
            Ok(config) => {
                let warnings = config.warnings.iter();
                warnings.map(|said| format!("warning {said}")).collect()
            }
            Err(errors) => heads(&errors),
        };
        let fits = said.len() == expected.len()
            && expected.iter().all(|expected| {
                let (place, part) = expected.split_once(": ").expect("a place and a text");
                let kind = place.strip_prefix("warning ").map_or("", |_| "warning ");
                let place = place.trim_start_matches("warning ");
                let head = format!("{kind}f:{place}: ");
                said.iter()
                    .any(|said| said.starts_with(&head) && said.contains(part))
            });
        if !fits {
            wrong.push(format!("{form}\ngot:\n{}", said.join("\n")));
        }
        count += 1;
    }
    assert!(count > 40, "{count} forms");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Each error of a report on one line: its head, and what helps.
fn heads(errors: &str) -> Vec<String> {
    let paragraphs = errors.split("\n\n");
    paragraphs
        .filter(|paragraph| paragraph.starts_with("f:") || paragraph.starts_with("minimal"))
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect()
}
