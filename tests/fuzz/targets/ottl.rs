//! OTTL: whatever a list of statements says, it is refused with its place, or run; what is allocated then, and what comes out, is
//! bounded by the request, and what comes out is a request.
//!
//! A line is a statement for spans, or for what it begins with (`resource:`, `scope:`, `spanevent:`), or a condition of a
//! filter (`?`).

use super::{Grammar, Target, config};
use allocation_counter::measure;
use std::{fs, path::Path};
use wayspan::{
    config::Source,
    pdata::{Index, Keys, Signal, admit, json::request_from_json_within},
    pipeline::{IndexedRequest, ProcessorInstance, RewriteError, Rewriter},
};

/// Times a request's length, what statements may make of it.
const EXPANSION: usize = 64;
/// Times that, what is allocated on the way: the arena, the messages under edit, what is built and what is written.
const PER_OUTPUT: u64 = 20;
/// What a pattern takes that comes with a span, once compiled: the most that the `regex` crate grants, and as much while it is
/// compiled.
const PER_PATTERN: u64 = 64 << 20;

pub const TARGET: Target = Target {
    name: "ottl",
    run,
    grammar: Grammar::Text,
};

thread_local! {
    static REQUEST: Vec<u8> = {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ottl/request.json");
        request_from_json_within(Signal::Traces, &fs::read(file).unwrap(), 1 << 20).unwrap()
    };
}

fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let source = Source::Text {
        name: "fuzzed.yaml".to_owned(),
        text: file(&text),
    };
    let config = match wayspan::component::load(&[source]) {
        Ok(config) => config,
        Err(error) => {
            for error in error.errors() {
                assert!(config::has_place(error), "no place: {error}");
            }
            return;
        }
    };
    let factories = config.pipelines[0].processors.iter();
    let factories = factories.map(|processor| processor.factory(Signal::Traces, 1));
    for factory in factories {
        if let ProcessorInstance::Requests(rewriter) = factory.instance(0, &mut Keys::default()) {
            REQUEST.with(|request| rewrite(rewriter, request, &text));
        }
    }
}

/// A file with these lines.
fn file(text: &str) -> String {
    let (mut lists, mut conditions) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''").replace('$', "$$"));
        if let Some(condition) = line.strip_prefix('?') {
            conditions.push(quoted(condition));
            continue;
        }
        let contexts = ["resource", "scope", "spanevent"];
        let found = contexts.into_iter().find_map(|context| {
            let statement = line.strip_prefix(context)?.strip_prefix(':')?;
            Some((context, statement))
        });
        let (context, statement) = found.unwrap_or(("span", line));
        let statement = quoted(statement);
        lists.push(format!("{{context: {context}, statements: [{statement}]}}"));
    }
    format!(
        "
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:4317'}}}}}}}}
processors:
  filter: {{error_mode: silent, trace_conditions: [{{context: span, conditions: [{}]}}]}}
  transform: {{error_mode: silent, trace_statements: [{}]}}
exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:1', tls: {{insecure: true}}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [filter, transform], exporters: [otlp_grpc]}}}}}}
",
        conditions.join(", "),
        lists.join(", ")
    )
}

fn rewrite(mut rewriter: Box<dyn Rewriter>, request: &[u8], text: &str) {
    let mut index = Index::default();
    admit(Signal::Traces, request, &Keys::default(), &mut index).unwrap();
    let most = EXPANSION * request.len();
    let piece = IndexedRequest {
        request,
        index: &index,
        most,
    };
    let (mut out, mut written) = (Vec::new(), None);
    let used = measure(|| written = Some(rewriter.rewrite(&piece, &mut out)));
    let patterns = text.to_lowercase().matches("match").count() + text.to_lowercase().matches("pattern").count();
    let allowed = PER_OUTPUT * most as u64 + PER_PATTERN * (patterns > 0) as u64;
    assert!(used.bytes_max <= allowed, "{} bytes at once, and no more than {allowed} should be", used.bytes_max);
    // A span more than the limit, at most.
    assert!(out.len() <= 4 * most, "{} bytes come out", out.len());
    match written {
        Some(Ok(_)) => {
            let mut index = Index::default();
            let admitted = admit(Signal::Traces, &out, &Keys::default(), &mut index).unwrap();
            assert_eq!(admitted.bytes, out, "it is not canonical");
        }
        Some(Err(RewriteError::TooLong)) => {}
        other => panic!("{other:?}, though errors are ignored"),
    }
}
