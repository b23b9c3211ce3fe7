//! No input panics, hangs or takes the memory.

use super::{MINIMAL, load, load_in, text};
use proptest::prelude::*;

/// Words of the format, so that random files get past the first check.
fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "receivers",
        "otlp",
        "protocols",
        "grpc",
        "http",
        "endpoint",
        "processors",
        "mesh",
        "batch",
        "timeout",
        "kiali",
        "version",
        "exporters",
        "debug",
        "otlp_grpc",
        "tls",
        "headers",
        "service",
        "pipelines",
        "traces",
        "extensions",
        "health_check",
        "telemetry",
        "metrics",
        "readers",
        "localhost:0",
        "5s",
        "-1",
        "1e999",
        "${env:A}",
        "${A:-${B}}",
        "~",
        "''",
        "&a",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "<<",
        "|",
        ">",
        "\u{0}",
        "\t",
        "é",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&[text(MINIMAL), text(&String::from_utf8_lossy(&bytes))]);
    }

    #[test]
    fn words_of_the_format(words in prop::collection::vec(word(), 0..60)) {
        let yaml = words.join(" ");
        let _ = load_in(&[text(MINIMAL), text(&yaml)], &[("A", "${B}"), ("B", "[x, '${A}']")]);
    }

    /// A good file with a piece put in, cut or doubled.
    #[test]
    fn damaged_files(at in 0usize..300, cut in 0usize..20, piece in word()) {
        let mut yaml: Vec<char> = MINIMAL.chars().collect();
        let at = at.min(yaml.len());
        let end = (at + cut).min(yaml.len());
        yaml.splice(at..end, piece.chars());
        let _ = load(&[text(&yaml.into_iter().collect::<String>())]);
    }
}

#[test]
fn aliases_and_depth_are_bounded() {
    let mut laughs = String::from("a0: &a0 [x]\n");
    for i in 1..40 {
        laughs.push_str(&format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
    }
    assert!(load(&[text(&laughs)]).unwrap_err().contains("more than"));
    let deep = format!("receivers: {}", "{a: ".repeat(10_000));
    assert!(load(&[text(&deep)]).is_err());
    let deep = format!("receivers: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(load(&[text(&deep)]).is_err());
    let keys = format!("yaml:{}: 1", vec!["a"; 200].join("::"));
    assert!(
        load(&[keys.parse().unwrap()])
            .unwrap_err()
            .contains("nested too deeply")
    );
}
