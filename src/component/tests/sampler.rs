//! `probabilistic_sampler` keeps what the Collector 0.155 keeps, and writes what it writes.
//!
//! The vectors are what its processor made of each line's item, a configuration a paragraph.

use super::{Through, attributes, refused, shown, span};
use crate::pdata::Signal;
use opentelemetry_proto::tonic::{logs::v1::LogRecord, trace::v1::Span};
use serde_json::{Value, json};

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let pairs = (0..hexadecimal.len() / 2).map(|at| &hexadecimal[2 * at..2 * at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// Each paragraph of vectors: its configuration, and its lines in parts.
fn vectors(text: &str) -> impl Iterator<Item = (&str, Vec<Vec<&str>>)> {
    text.trim().split("\n\n").map(|paragraph| {
        let (config, lines) = paragraph.split_once('\n').unwrap();
        (
            config,
            lines
                .lines()
                .map(|line| line.split(" | ").collect())
                .collect(),
        )
    })
}

#[test]
fn spans_are_kept_and_marked_as_the_collector_does_it() {
    let mut seen = 0;
    for (config, lines) in vectors(include_str!("vectors/sampled-spans.txt")) {
        let through = Through::new(
            &format!("  probabilistic_sampler: {config}"),
            "probabilistic_sampler",
        );
        for line in lines {
            let [id, state, priority, expected] = line[..] else {
                panic!("{line:?}")
            };
            let pairs = match priority {
                "-" => json!([]),
                priority => {
                    let value: Value = serde_json::from_str(priority).unwrap();
                    json!([["sampling.priority", value]])
                }
            };
            let before = Span {
                trace_id: bytes(id),
                trace_state: state.to_owned(),
                parent_span_id: vec![7; 8],
                ..span("n", pairs)
            };
            let sent = through.spans(json!([["k", 1]]), vec![before.clone()]);
            let sent = match &sent[..] {
                [] => "dropped".to_owned(),
                [(_, after)] => {
                    let state = after.trace_state.clone();
                    let before = Span {
                        trace_state: state.clone(),
                        ..before
                    };
                    assert_eq!(*after, before, "nothing else is changed");
                    format!("kept {state}").trim_end().to_owned()
                }
                _ => panic!("{sent:?}"),
            };
            assert_eq!(sent, expected.trim_end(), "{config}: {line:?}");
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn log_records_are_kept_and_marked_as_the_collector_does_it() {
    let mut seen = 0;
    for (config, lines) in vectors(include_str!("vectors/sampled-records.txt")) {
        let through = Through::of(
            Signal::Logs,
            &format!("  probabilistic_sampler: {config}"),
            "probabilistic_sampler",
        );
        for line in lines {
            let [id, pairs, expected] = line[..] else {
                panic!("{line:?}")
            };
            let id = if id == "-" { vec![] } else { bytes(id) };
            let record = LogRecord {
                trace_id: id,
                attributes: attributes(&serde_json::from_str(pairs).unwrap()),
                ..LogRecord::default()
            };
            match (through.record(record), expected.strip_prefix("kept ")) {
                (None, None) => {}
                (Some(record), Some(expected)) => {
                    let expected: Value = serde_json::from_str(expected).unwrap();
                    assert_eq!(shown(&record.attributes), expected, "{config}: {line:?}");
                }
                (sent, _) => panic!("{config}: {line:?}: {sent:?}"),
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}

#[test]
fn what_decided_is_counted() {
    let through = Through::new(
        "  probabilistic_sampler: {sampling_percentage: 100}",
        "probabilistic_sampler",
    );
    let spans = vec![
        span("a", json!([])),
        span("b", json!([["sampling.priority", 0]])),
    ];
    assert_eq!(through.spans(json!([]), spans).len(), 1);
    let page = through.metrics();
    let name = "otelcol_processor_probabilistic_sampler_count_traces_sampled";
    for (policy, sampled, count) in [
        ("trace_id_hash", true, 1),
        ("trace_id_hash", false, 0),
        ("sampling_priority", false, 1),
    ] {
        let series = format!("{name}{{policy=\"{policy}\",sampled=\"{sampled}\"}} {count}\n");
        assert!(page.contains(&series), "{series}: {page}");
    }
}

#[test]
fn shares_that_make_no_sense_are_refused() {
    for (keys, part) in [
        ("sampling_percentage: -1", "expected a percentage"),
        ("sampling_percentage: 1e-20", "expected a percentage"),
        ("sampling_percentage: .nan", "expected a percentage"),
        ("sampling_precision: 0", "1 to 14"),
        ("sampling_precision: 15", "1 to 14"),
        ("mode: random", "expected one of hash_seed"),
        ("attribute_source: span", "expected one of traceID"),
        ("hash_seed: 4294967296", "out of range"),
    ] {
        let said = refused(
            &format!("  probabilistic_sampler: {{{keys}}}"),
            "probabilistic_sampler",
        );
        assert!(said.contains(part), "{keys}: {said}");
    }
}
