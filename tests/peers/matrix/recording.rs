//! What the Envoys of one mesh sent, to be sent again to many collectors.
//!
//! Idea: the bytes that matter (names, tags, parents, how spans lie in
//! requests) stay as Envoy made them. A replay only gets what tells it from
//! the others in one Jaeger: the cluster's name, an hour of its own, and trace
//! ids that begin with a number of its own.

use crate::envoy::{Collector, Export};
use crate::mesh::{Form, Mesh};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeSet;
use tempfile::TempDir;
use testkit::{Backend, wait_for};

const REQUESTS: usize = 3;
const CLUSTER_ID: &str = "istio.cluster_id";
const NANOS: u64 = 1_000_000_000;

/// Which replay of a recording it is.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    pub cluster: &'a str,
    /// How many hours ago it pretends to have happened.
    pub hours_ago: u64,
    /// Different for every replay.
    pub number: u32,
}

pub struct Recording {
    pub form: Form,
    requests: Vec<ExportTraceServiceRequest>,
}

impl Recording {
    /// The same with another word for each app: `relabel` says which, for the
    /// attributes that hold what Istio makes of labels.
    pub fn relabelled(mut self, relabel: impl Fn(&str) -> Option<String>) -> Self {
        for span in self.requests.iter_mut().flat_map(spans_mut) {
            for attribute in &mut span.attributes {
                if !attribute.key.ends_with("canonical_service") {
                    continue;
                }
                let value = attribute.value.as_mut().and_then(|v| v.value.as_mut());
                if let Some(Value::StringValue(text)) = value {
                    *text = relabel(text).unwrap_or_else(|| text.clone());
                }
            }
        }
        self
    }

    /// Runs the Envoys of a mesh against a collector that only takes notes.
    pub fn make(form: Form) -> Self {
        let dir = TempDir::new().unwrap();
        let backend = Backend::grpc();
        let export = Export::Grpc;
        let port = backend.port;
        let mesh = Mesh::start(dir.path(), &form, Collector { export, port });
        mesh.send(REQUESTS);
        let expected = REQUESTS * form.spans();
        wait_for(&format!("{expected} spans of {}", form.label), || {
            let noted = backend.spans().len();
            assert!(noted <= expected, "{}: {noted} spans", form.label);
            (noted == expected).then_some(())
        });
        drop(mesh);
        let records = backend.records();
        let requests = records
            .requests
            .iter()
            .map(|request| ExportTraceServiceRequest::decode(request.message.clone()).unwrap());
        let requests = requests.collect();
        Self { form, requests }
    }

    /// The ids of a replay's traces, as Jaeger spells them.
    pub fn traces(&self, replay: &Replay) -> BTreeSet<String> {
        let spans = self.requests.iter().flat_map(spans);
        spans
            .map(|span| hex(&renumbered(&span.trace_id, replay)))
            .collect()
    }

    /// Sends it all, in the requests that Envoy sent.
    pub async fn send(
        &self,
        replay: &Replay<'_>,
        to: &mut TraceServiceClient<tonic::transport::Channel>,
    ) {
        for request in &self.requests {
            let mut request = request.clone();
            for span in spans_mut(&mut request) {
                disguise(span, replay);
            }
            let answer = to.export(request).await.unwrap().into_inner();
            let rejected = answer.partial_success.map_or(0, |p| p.rejected_spans);
            assert_eq!(rejected, 0, "{}", self.form.label);
        }
    }

    /// The seconds in which a replay's spans began, as of now.
    pub fn window(replay: &Replay, now: i64) -> (i64, i64) {
        let ago = i64::try_from(replay.hours_ago * 3600).unwrap();
        (now - ago - 1800, now - ago + 1800)
    }
}

fn spans(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.flat_map(|s| &s.spans)
}

fn spans_mut(request: &mut ExportTraceServiceRequest) -> impl Iterator<Item = &mut Span> {
    let resources = request.resource_spans.iter_mut();
    resources
        .flat_map(|r| &mut r.scope_spans)
        .flat_map(|s| &mut s.spans)
}

fn disguise(span: &mut Span, replay: &Replay) {
    let shift = replay.hours_ago * 3600 * NANOS;
    span.trace_id = renumbered(&span.trace_id, replay);
    span.start_time_unix_nano -= shift;
    span.end_time_unix_nano -= shift;
    for attribute in &mut span.attributes {
        if attribute.key == CLUSTER_ID {
            let text = Value::StringValue(replay.cluster.to_owned());
            attribute.value = Some(text_value(text));
        }
    }
}

fn text_value(value: Value) -> opentelemetry_proto::tonic::common::v1::AnyValue {
    opentelemetry_proto::tonic::common::v1::AnyValue { value: Some(value) }
}

fn renumbered(trace_id: &[u8], replay: &Replay) -> Vec<u8> {
    [&replay.number.to_be_bytes(), &trace_id[4..]].concat()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
