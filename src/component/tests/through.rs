//! A configured pipeline on one shard, from a request to the batch that an exporter would get.
//!
//! Attributes are written as lists of pairs, so that order and doubled keys show: `[["a", 1], ["a", "x"]]`. A
//! value that JSON has no words for is `{"$bytes": "text"}` or `{"$double": "NaN"}`.

use crate::{
    component::{Config, load_with},
    config::Source,
    pdata::Signal,
    pipeline::{Graph, Ingest, QueuedBatch, Shard, ShardPlan, gather::Gather, inlet::Inlet},
    processor::{Backgrounds, BuildContext},
    queue::SizedQueue,
    telemetry::{ReceiverStats, Registry, ShardLoad},
};
use futures_util::FutureExt;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value as Proto},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use serde_json::{Value, json};
use std::{net::IpAddr, rc::Rc, sync::Arc, time::Duration};

/// A pipeline of one signal.
pub(super) struct Through {
    shard: Rc<Shard>,
    inlet: Inlet,
    queue: Arc<SizedQueue<QueuedBatch>>,
    registry: Registry,
    signal: Signal,
    graph: Graph,
}

fn file(signal: Signal, processors: &str, list: &str) -> String {
    format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
         processors:\n{processors}\n\
         exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:1', tls: {{insecure: true}}}}}}\n\
         service: {{pipelines: {{{}: {{receivers: [otlp], processors: [{list}], exporters: [otlp_grpc]}}}}}}\n",
        signal.as_str()
    )
}

fn config(signal: Signal, processors: &str, list: &str) -> Result<Config, String> {
    parsed(file(signal, processors, list))
}

fn parsed(text: String) -> Result<Config, String> {
    let source = Source::Text {
        name: "f".to_owned(),
        text,
    };
    let unset = |_: &str| None;
    load_with(&[source], &unset).map_err(|error| error.to_string())
}

/// What is said of processors that are wrong, for a pipeline of traces.
pub(super) fn refused(processors: &str, list: &str) -> String {
    match config(Signal::Traces, processors, list) {
        Ok(_) => panic!("taken: {processors}"),
        Err(error) => error,
    }
}

impl Through {
    /// A pipeline of traces with these processors, in this order.
    pub(super) fn new(processors: &str, list: &str) -> Self {
        Self::of(Signal::Traces, processors, list)
    }

    /// A pipeline of a signal.
    pub(super) fn of(signal: Signal, processors: &str, list: &str) -> Self {
        Self::of_config(signal, config(signal, processors, list))
    }

    /// A pipeline of a signal that feeds one connector, beside an exporter.
    pub(super) fn feeding(signal: Signal, connector: &str, keys: &str) -> Self {
        let file = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
             connectors: {{{connector}: {keys}}}\n\
             exporters: {{otlp_grpc: {{endpoint: '127.0.0.1:1', tls: {{insecure: true}}}}}}\n\
             service: {{pipelines: {{{signal}: {{receivers: [otlp], exporters: [otlp_grpc, {connector}]}}, \
             metrics/made: {{receivers: [{connector}], exporters: [otlp_grpc]}}}}}}\n"
        );
        Self::of_config(signal, parsed(file))
    }

    fn of_config(signal: Signal, config: Result<Config, String>) -> Self {
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let registry = Registry::default();
        let mut backgrounds = Backgrounds::default();
        let settings = config.graph(|processor, signal| {
            let factory = processor.settings.build(&mut BuildContext {
                id: &processor.id,
                signal,
                shards: 1,
                backgrounds: &mut backgrounds,
            });
            factory.register(&registry, &processor.id.to_string());
            factory
        });
        let graph = Graph::build(settings, 1, &registry).unwrap();
        let plan: Rc<ShardPlan> = Rc::new(graph.plan(0));
        let shard = plan.build(Gather::new(Duration::ZERO));
        let inlet = plan.inlet(
            &shard,
            Some(0),
            ReceiverStats::default(),
            ShardLoad::default(),
        );
        Self {
            shard,
            inlet,
            queue: Arc::clone(&graph.exporters[0].queue),
            registry,
            signal,
            graph,
        }
    }

    /// Sends a request, and returns what comes out, if anything does.
    pub(super) fn send(&self, request: &[u8], peer: &str) -> Option<Vec<u8>> {
        let peer: IpAddr = peer.parse().unwrap();
        self.inlet.take(self.signal, request, peer).unwrap();
        self.shard
            .with(0, crate::pipeline::engine::Engine::flush)
            .unwrap();
        let queued = self.queue.pop().now_or_never()??;
        let bytes = queued.batch.chunks.concat();
        queued.settle();
        Some(bytes)
    }

    /// Sends a log record, and returns it as it comes out, if it does.
    pub(super) fn record(&self, record: LogRecord) -> Option<LogRecord> {
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![record],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        };
        let sent = self.send(&request.encode_to_vec(), "::1")?;
        let sent = ExportLogsServiceRequest::decode(&sent[..]).unwrap();
        let groups = sent.resource_logs.into_iter();
        let scopes = groups.flat_map(|group| group.scope_logs);
        let mut records = scopes.flat_map(|scope| scope.log_records);
        Some(records.next().unwrap())
    }

    /// Sends spans under one resource, and returns the resources and spans that come out.
    pub(super) fn spans(&self, resource: Value, spans: Vec<Span>) -> Vec<(Value, Span)> {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: attributes(&resource),
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let sent = self
            .send(&request.encode_to_vec(), "10.1.2.3")
            .unwrap_or_default();
        let sent = ExportTraceServiceRequest::decode(&sent[..]).unwrap();
        let groups = sent.resource_spans.into_iter();
        let spans = groups.flat_map(|group| {
            let resource = shown(&group.resource.unwrap_or_default().attributes);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans
                .map(move |span| (resource.clone(), span))
                .collect::<Vec<_>>()
        });
        spans.collect()
    }

    /// Sends a request, and leaves what comes out in the batch that is open.
    pub(super) fn take(&self, request: &[u8]) {
        let peer = IpAddr::from([127, 0, 0, 1]);
        self.inlet.take(self.signal, request, peer).unwrap();
    }

    /// Returns true if a request is refused.
    pub(super) fn refuses(&self, request: &[u8]) -> bool {
        let peer = IpAddr::from([127, 0, 0, 1]);
        self.inlet.take(self.signal, request, peer).is_err()
    }

    /// Lets the connector make requests of what it saw, and returns them.
    pub(super) fn made(&self) -> Vec<ExportMetricsServiceRequest> {
        self.shard.publish();
        let connector = &self.graph.connectors[0].connector;
        connector.absorb();
        let mut made = Vec::new();
        connector.collect(false, &mut |signal, request| {
            assert_eq!(signal, Signal::Metrics);
            made.push(ExportMetricsServiceRequest::decode(&request[..]).unwrap());
        });
        made
    }

    /// Registers what the connector counts, for [`Through::metrics`].
    pub(super) fn register_connector(&self) {
        let node = &self.graph.connectors[0];
        node.connector
            .register(&self.registry, &node.id.to_string());
    }

    /// The metrics page.
    pub(super) fn metrics(&self) -> String {
        self.registry.render()
    }
}

/// A span with these attributes.
pub(super) fn span(name: &str, pairs: Value) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        attributes: attributes(&pairs),
        ..Span::default()
    }
}

/// Attributes of a list of pairs.
pub(super) fn attributes(pairs: &Value) -> Vec<KeyValue> {
    let pairs = pairs.as_array().unwrap().iter();
    let pairs = pairs.map(|pair| KeyValue {
        key: pair[0].as_str().unwrap().to_owned(),
        value: Some(any(&pair[1])),
        ..KeyValue::default()
    });
    pairs.collect()
}

fn any(value: &Value) -> AnyValue {
    let proto = match value {
        Value::Null => return AnyValue::default(),
        Value::Bool(value) => Proto::BoolValue(*value),
        Value::String(text) => Proto::StringValue(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(int) => Proto::IntValue(int),
            None => Proto::DoubleValue(number.as_f64().unwrap()),
        },
        Value::Array(values) => Proto::ArrayValue(ArrayValue {
            values: values.iter().map(any).collect(),
        }),
        Value::Object(map) => match map.iter().next() {
            Some((key, text)) if key == "$bytes" => {
                Proto::BytesValue(text.as_str().unwrap().as_bytes().to_vec())
            }
            Some((key, text)) if key == "$double" => {
                Proto::DoubleValue(text.as_str().unwrap().parse().unwrap())
            }
            _ => Proto::KvlistValue(KeyValueList {
                values: map
                    .iter()
                    .map(|(key, value)| KeyValue {
                        key: key.clone(),
                        value: Some(any(value)),
                        ..KeyValue::default()
                    })
                    .collect(),
            }),
        },
    };
    AnyValue { value: Some(proto) }
}

/// Attributes as a list of pairs.
pub(super) fn shown(pairs: &[KeyValue]) -> Value {
    let pair = |pair: &KeyValue| json!([pair.key, shown_value(pair.value.as_ref())]);
    Value::Array(pairs.iter().map(pair).collect())
}

fn shown_value(value: Option<&AnyValue>) -> Value {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else {
        return Value::Null;
    };
    match value {
        Proto::StringValue(text) => json!(text),
        Proto::BoolValue(value) => json!(value),
        Proto::IntValue(value) => json!(value),
        Proto::DoubleValue(value) if value.is_finite() => json!(value),
        Proto::DoubleValue(value) => json!({"$double": value.to_string()}),
        Proto::ArrayValue(array) => array
            .values
            .iter()
            .map(|value| shown_value(Some(value)))
            .collect(),
        Proto::KvlistValue(list) => {
            let pair = |pair: &KeyValue| (pair.key.clone(), shown_value(pair.value.as_ref()));
            Value::Object(list.values.iter().map(pair).collect())
        }
        Proto::BytesValue(bytes) => json!({"$bytes": String::from_utf8_lossy(bytes)}),
        other => panic!("{other:?}"),
    }
}
