//! Statements and what the Collector 0.155 makes of them: `tests/ottl/statements.txt` and `functions.txt`, over `tests/ottl/request.json`.
//! A paragraph has the context, conditions (`?`), statements, and behind `=` what comes out: lines that went and came.

mod render;

use super::{list::List, passes::Pass, rewriter::Transform};
use crate::{
    ottl::{Context, compile_statements},
    pdata::{Index, Keys, Signal, admit, json::request_from_json},
    pipeline::{IndexedRequest, Rewriter, Rewritten},
    processor::ottl::ErrorMode,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use render::{differences, render};

pub(super) fn request() -> Vec<u8> {
    request_from_json(
        Signal::Traces,
        include_bytes!("../../../tests/ottl/request.json"),
    )
    .unwrap()
}

/// Runs lists over a request.
pub(super) fn run(lists: &[List], request: &[u8]) -> Result<Vec<u8>, String> {
    let mut index = Index::default();
    let keys = Keys::default();
    let admitted = admit(Signal::Traces, request, &keys, &mut index).unwrap();
    let groups = lists.iter().map(|list| list.compile().unwrap()).collect();
    let mut transform = Transform::new(Pass::plan(groups), "transform");
    let most = 64 * request.len();
    let piece = IndexedRequest {
        request: &admitted.bytes,
        index: &index,
        most,
    };
    let mut out = Vec::new();
    match transform.rewrite(&piece, &mut out) {
        Ok(Rewritten::Unchanged) => Ok(request.to_vec()),
        Ok(Rewritten::Changed) => {
            let mut index = Index::default();
            let checked = admit(Signal::Traces, &out, &keys, &mut index).unwrap();
            assert_eq!(checked.bytes, out, "what is written is canonical");
            Ok(out)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What becomes of the request: a word, or the lines that went and came.
fn outcome(paragraph: &str) -> Vec<String> {
    let (mut context, mut statements, mut conditions) = (None, Vec::new(), Vec::new());
    for line in paragraph.lines() {
        if let Some(name) = line.strip_prefix("context: ") {
            match Context::of(name) {
                Some(of) => context = Some(of),
                None => return vec!["refused".to_owned()],
            }
        } else if let Some(condition) = line.strip_prefix("? ") {
            conditions.push(condition);
        } else if !line.starts_with(['=', '#']) {
            statements.push(line);
        }
    }
    if compile_statements(&statements, &conditions, context).is_err() {
        return vec!["refused".to_owned()];
    }
    let list = List::new(context, &statements, &conditions, ErrorMode::Propagate);
    let request = request();
    let Ok(written) = run(&[list], &request) else {
        return vec!["fails".to_owned()];
    };
    let decoded = |bytes: &[u8]| render(&ExportTraceServiceRequest::decode(bytes).unwrap());
    let lines = differences(&decoded(&request), &decoded(&written));
    if lines.is_empty() {
        vec!["unchanged".to_owned()]
    } else {
        lines
    }
}

#[test]
fn statements_do_what_they_do_in_the_collector() {
    let texts = [
        include_str!("../../../tests/ottl/statements.txt"),
        include_str!("../../../tests/ottl/functions.txt"),
    ];
    let mut wrong = Vec::new();
    let mut count = 0;
    let paragraphs = texts.iter().flat_map(|text| text.split("\n\n"));
    for paragraph in paragraphs.filter(|p| !p.trim().is_empty()) {
        let expected = paragraph.lines().filter_map(|line| line.strip_prefix("= "));
        let expected: Vec<&str> = expected.collect();
        let found = outcome(paragraph);
        count += 1;
        if found != expected {
            let what: Vec<_> = paragraph
                .lines()
                .filter(|line| !line.starts_with('='))
                .collect();
            wrong.push(format!(
                "{}\n  expected {expected:#?}\n  found {found:#?}",
                what.join("\n")
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(count > 300, "{count} paragraphs");
}

/// Whatever a list makes of a request stays within what the request may grow to, and takes no more memory on the way.
#[test]
fn no_statement_multiplies_a_request_without_end() {
    let request = request();
    for statements in [
        vec![
            r#"set(span.attributes["a"], Concat([span.attributes["a"], span.attributes["http.url"], span.name], "........"))"#;
            200
        ],
        vec![
            r#"set(span.attributes["a"], Concat([span.attributes["http.url"], span.attributes["a"], span.attributes["a"]], "x"))"#;
            64
        ],
        vec![
            r#"set(span.attributes["l"], [span.attributes["l"], span.attributes["l"], span.name])"#;
            64
        ],
        vec![r#"set(span.attributes["new"][1000000000], 1)"#],
        vec![
            r#"replace_all_patterns(span.attributes, "value", "", "0123456789012345678901234567890123456789")"#;
            40
        ],
        vec![
            r#"set(resource.attributes["a"], Concat([resource.attributes["a"], span.name, resource.attributes["a"]], "x"))"#;
            64
        ],
        vec![r#"merge_maps(span.attributes, {"m": span.attributes}, "upsert")"#; 64],
        vec![r#"set(span.attributes["m"], {"x": span.attributes, "y": span.attributes})"#; 64],
    ] {
        let list = List::new(None, &statements, &[], ErrorMode::Silent);
        let written = run(&[list], &request).unwrap();
        // A span more than the limit, at most: the engine refuses what is beyond.
        let limit = 64 * request.len();
        assert!(
            written.len() <= 4 * limit,
            "{}: {}",
            statements[0],
            written.len()
        );
        // Lists in lists cannot be nested deeper than protobuf allows.
        ExportTraceServiceRequest::decode(&written[..]).unwrap();
    }
}
