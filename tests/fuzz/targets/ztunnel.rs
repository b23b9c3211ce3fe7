//! ztunnel's access log: any line is a span that can enter, or is ignored.

use super::{Grammar, Target, oracle::keys};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::LogRecord,
    trace::v1::{ResourceSpans, ScopeSpans},
};
use prost::Message as _;
use wayspan::{
    mesh::ztunnel::Connection,
    pdata::{Index, Signal, validate},
};

pub const TARGET: Target = Target {
    name: "ztunnel",
    run,
    grammar: Grammar::Text,
};

fn run(bytes: &[u8]) {
    let line = String::from_utf8_lossy(bytes).into_owned();
    let record = LogRecord {
        body: Some(AnyValue {
            value: Some(Value::StringValue(line)),
        }),
        ..LogRecord::default()
    };
    let Ok(connection) = Connection::of(&record) else {
        return;
    };
    let span = connection.span();
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    let request = Request {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let mut index = Index::default();
    validate(Signal::Traces, &request.encode_to_vec(), &keys().0, &mut index).unwrap();
    assert!(!index.needs_repair);
    assert!(index.items.iter().all(|span| span.fault.is_none()));
}
