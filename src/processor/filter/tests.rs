//! Conditions and what the Collector 0.155 leaves where they hold: `tests/ottl/conditions.txt`, over
//! `tests/ottl/request.json`. A paragraph has the context, conditions, and behind `=` the spans
//! that are left, with their events.

use super::{list::List, rewriter::Filter, stats::FilterStats};
use crate::{
    ottl::{Context, compile_conditions},
    pdata::{Index, Keys, Signal, admit, json::request_from_json},
    pipeline::{IndexedRequest, Rewriter, Rewritten},
    processor::{matching::Selection, ottl::ErrorMode},
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// What is left of the request: a word, or a line for each span.
fn outcome(paragraph: &str) -> Vec<String> {
    let (mut context, mut conditions) = (None, Vec::new());
    for line in paragraph.lines() {
        if let Some(name) = line.strip_prefix("context: ") {
            context = Context::of(name);
        } else if !line.starts_with(['=', '#']) {
            conditions.push(line);
        }
    }
    if compile_conditions(&conditions, context).is_err() {
        return vec!["refused".to_owned()];
    }
    let json = include_bytes!("../../../tests/ottl/request.json");
    let request = request_from_json(Signal::Traces, json).unwrap();
    let mut index = Index::default();
    let admitted = admit(Signal::Traces, &request, &Keys::default(), &mut index).unwrap();
    let stats = FilterStats::default();
    let tests = List::new(context, &conditions, ErrorMode::Propagate).compile();
    let mut filter = Filter::new(tests, Selection::default(), "filter", stats.clone());
    let piece = IndexedRequest {
        request: &admitted.bytes,
        index: &index,
        most: 1 << 20,
    };
    let mut out = Vec::new();
    let left = match filter.rewrite(&piece, &mut out) {
        Err(_) => return vec!["fails".to_owned()],
        Ok(Rewritten::Unchanged) => &request,
        Ok(Rewritten::Changed) => &out,
    };
    let left = ExportTraceServiceRequest::decode(&left[..]).unwrap();
    let scopes = left.resource_spans.iter().flat_map(|r| &r.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|scope| &scope.spans).collect();
    filter.end();
    assert_eq!(stats.dropped.get(), 2 - spans.len() as u64);
    let line = |span: &&opentelemetry_proto::tonic::trace::v1::Span| {
        let events = span.events.iter().map(|event| format!(" +{}", event.name));
        span.name.clone() + &events.collect::<String>()
    };
    match spans.is_empty() {
        true => vec!["nothing".to_owned()],
        false => spans.iter().map(line).collect(),
    }
}

#[test]
fn conditions_drop_what_they_drop_in_the_collector() {
    let text = include_str!("../../../tests/ottl/conditions.txt");
    let mut wrong = Vec::new();
    let mut count = 0;
    for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
        let expected: Vec<&str> = paragraph
            .lines()
            .filter_map(|line| line.strip_prefix("= "))
            .collect();
        let found = outcome(paragraph);
        count += 1;
        if found != expected {
            wrong.push(format!("{paragraph}\n  found {found:#?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(count >= 30, "{count} paragraphs");
}
