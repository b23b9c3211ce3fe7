//! Configuration: whatever the text, there is a configuration or a report in
//! which every mistake has its place.

use super::{Grammar, Target};
use std::{io, net::SocketAddr};
use wayspan::config::{Environment, Source};

pub const TARGET: Target = Target {
    name: "config",
    run,
    grammar: Grammar::Text,
};

/// Variables that refer to each other, and hosts that need no network.
struct Elsewhere;

impl Environment for Elsewhere {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "A" => Some("${B}".to_owned()),
            "B" => Some("[x, '${A}']".to_owned()),
            "PORT" => Some("4317".to_owned()),
            _ => None,
        }
    }

    fn addresses(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }
}

fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Which files there are is the machine's affair, and some never end.
    if text.contains("{file:") {
        return;
    }
    let source = Source::Text {
        name: "fuzzed.yaml".to_owned(),
        text: text.into_owned(),
    };
    match wayspan::component::load_with(&[source], &Elsewhere) {
        Ok(config) => {
            assert!(!config.pipelines.is_empty());
            assert!(config.warnings.iter().all(|warning| has_place(warning)));
        }
        Err(error) => {
            assert!(!error.errors().is_empty());
            for error in error.errors() {
                assert!(has_place(error), "no place: {error}");
            }
        }
    }
}

/// Whether this begins with `fuzzed.yaml:LINE:COLUMN: `.
pub fn has_place(message: &str) -> bool {
    let number = |text: Option<&str>| text.is_some_and(|t| t.parse::<u32>().is_ok_and(|n| n > 0));
    let mut parts = message.splitn(4, ':');
    parts.next() == Some("fuzzed.yaml")
        && number(parts.next())
        && number(parts.next())
        && parts.next().is_some_and(|rest| rest.starts_with(' '))
}
