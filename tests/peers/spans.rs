//! Spans of a test's own making, sent one at a time.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::Wayspan;

pub type Tags<'a> = &'a [(&'a str, &'a str)];

/// Sends a span, which must be taken.
pub fn export(wayspan: &Wayspan, trace_id: [u8; 16], resource: Tags, tags: Tags) {
    let address = SocketAddr::from(([127, 0, 0, 1], wayspan.grpc));
    export_to(address, trace_id, resource, tags);
}

/// The same, to whatever listens there.
pub fn export_to(address: SocketAddr, trace_id: [u8; 16], resource: Tags, tags: Tags) {
    export_spans_to(address, resource, vec![span(trace_id, tags)]);
}

/// Sends spans of one resource, which must be taken.
pub fn export_spans_to(address: SocketAddr, resource: Tags, spans: Vec<Span>) {
    let request = request(resource, spans);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let address = format!("http://{address}");
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        let answer = client.export(request).await.unwrap();
        let refused = answer.into_inner().partial_success;
        // A Collector says of none that they were refused.
        let refused = refused.filter(|part| *part != ExportTracePartialSuccess::default());
        assert_eq!(refused, None);
    });
}

fn attributes(tags: Tags) -> Vec<KeyValue> {
    let attribute = |(key, value): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue((*value).to_owned())),
        }),
        ..KeyValue::default()
    };
    tags.iter().map(attribute).collect()
}

/// A client's span of this moment.
pub fn span(trace_id: [u8; 16], tags: Tags) -> Span {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_nanos()).unwrap();
    Span {
        trace_id: trace_id.to_vec(),
        span_id: vec![7; 8],
        name: "GET /".to_owned(),
        kind: 3,
        start_time_unix_nano: now,
        end_time_unix_nano: now + 1000,
        attributes: attributes(tags),
        ..Span::default()
    }
}

fn request(resource: Tags, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(resource),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}
