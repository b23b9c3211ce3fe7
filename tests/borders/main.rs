/*!
The borders of the source tree, read from its `use` lines: rooms depend one way,
files have no circles, and the way of a span is as `docs/architecture.md` says.

A path is resolved to the file that defines what it names: the longest prefix
that is a module, and beyond a re-export of a `mod.rs` the module that this
names. A room's face (`mod.rs`) may name its own files, and they may name each
other; tests are not looked at.
*/
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod source;

use source::Tree;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The rooms from top to bottom. A room may use those in rows below its own,
/// and nothing in its own row but itself.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["service"],
    &["component"],
    &[
        "receiver",
        "processor",
        "connector",
        "exporter",
        "extension",
    ],
    &["net", "pipeline", "http", "kafka"],
    &["queue", "auth", "tls", "threads"],
    &["mesh", "ottl"],
    &["telemetry"],
    &["config", "backoff", "reload", "turns", "zipkin"],
    &["pdata", "htpasswd", "random", "regexp", "prometheus"],
];

fn row(room: &str) -> usize {
    ROWS.iter()
        .position(|rooms| rooms.contains(&room))
        .unwrap_or_else(|| panic!("src/{room} has no row in tests/borders: give it one"))
}

#[test]
fn rooms_depend_one_way() {
    let tree = Tree::read();
    let mut back = BTreeSet::new();
    for (from, to) in tree.arrows() {
        let (above, below) = (source::room(from), source::room(to));
        if above != below && row(above) >= row(below) {
            back.insert(format!("{from} uses {to}"));
        }
    }
    assert!(
        back.is_empty(),
        "these arrows run back, or between rooms of one row:\n{}",
        Vec::from_iter(back).join("\n")
    );
}

#[test]
fn files_have_no_circles() {
    let tree = Tree::read();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in tree.arrows() {
        uses.entry(from).or_default().insert(to);
    }
    let circles = source::circles(&uses);
    let lines = circles.iter().map(|files| files.join(" <-> "));
    assert!(circles.is_empty(), "{}", Vec::from_iter(lines).join("\n"));
}

/// `docs/architecture.md` lists the main files of a span's way, each with the
/// function at which it hands on and the one that takes over in the next:
///
/// ```text
/// 1. [`src/service/shard.rs`](../src/service/shard.rs): `run` hands on to `serve`
/// ```
#[test]
fn the_way_of_a_span_is_as_the_documents_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let steps: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && line.contains("](../src/"))
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    assert!(
        (5..=10).contains(&steps.len()),
        "ten main files at most, and not fewer than five: {}",
        steps.len()
    );
    let mut expected: Option<&str> = None;
    for step in steps {
        // A step may name further functions on its way: the last two count.
        let [file, .., function, next] = step[..] else {
            panic!("a step names its file, its function and the next: {step:?}")
        };
        let code = fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let defines = |name: &str| {
            ["(", "<"]
                .iter()
                .any(|open| code.contains(&format!("fn {name}{open}")))
        };
        assert!(defines(function), "{file} has no function {function}");
        if let Some(name) = expected {
            assert!(defines(name), "{file} does not take over at {name}");
        }
        let calls = code.contains(&format!("{next}(")) || code.contains(&format!("{next}::<"));
        // From the outlet to the exporter there is a queue: nobody calls there.
        assert!(
            calls || file == "src/pipeline/outlet.rs",
            "{file} does not call {next}"
        );
        expected = Some(next);
    }
}
