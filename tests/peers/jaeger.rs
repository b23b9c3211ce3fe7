//! A real Jaeger with memory storage, asked over HTTP and over gRPC.
//!
//! Idea: both ways of asking give the same [`Trace`], so a test can hold one
//! answer against the other.

use crate::http;
use crate::installed::peer;
use crate::trace::{Span, Tags, Trace};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tonic::transport::Channel;

#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod api_v2 {
    tonic::include_proto!("jaeger.api_v2");
}

use api_v2::query_service_client::QueryServiceClient;
use testkit::{Ca, Process, free_port, get, wait_for};

/// What Kiali asks of Jaeger: spans of one service that carry all of the tags.
pub struct Search<'a> {
    pub service: &'a str,
    pub tags: &'a [(&'a str, &'a str)],
    pub limit: u32,
}

pub struct Jaeger {
    pub otlp_grpc: u16,
    pub otlp_http: u16,
    pub zipkin: u16,
    pub query_http: u16,
    pub query_grpc: u16,
    runtime: tokio::runtime::Runtime,
    _process: Process,
}

impl Jaeger {
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, json!({}), None)
    }

    /// One whose queries go over TLS, with the certificate that is installed there.
    pub fn secure(dir: &Path, ca: &Ca) -> Self {
        Self::start_with(dir, json!({}), Some(ca))
    }

    /// One that also reads a topic from its beginning.
    pub fn reading(dir: &Path, broker: &str, topic: &str) -> Self {
        let traces = json!({"topic": topic, "encoding": "otlp_proto"});
        let kafka = json!({"brokers": [broker], "traces": traces, "initial_offset": "earliest"});
        Self::start_with(dir, json!({"kafka": kafka}), None)
    }

    /// One with more receivers.
    fn start_with(dir: &Path, more: Value, ca: Option<&Ca>) -> Self {
        let [otlp_grpc, otlp_http, zipkin, query_http, query_grpc, health] =
            std::array::from_fn(|_| free_port());
        let at = |port: u16| json!({"endpoint": format!("127.0.0.1:{port}")});
        let asked_at = |port: u16| {
            let mut server = at(port);
            if let Some(ca) = ca {
                let [cert, key] = ["tls.crt", "tls.key"].map(|name| ca.path(name));
                server["tls"] = json!({"cert_file": cert, "key_file": key});
            }
            server
        };
        let mut receivers = json!({
            "otlp": {"protocols": {"grpc": at(otlp_grpc), "http": at(otlp_http)}},
            "zipkin": at(zipkin),
        });
        let all = receivers.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        let names: Vec<_> = all.keys().collect();
        let config = json!({
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
                "pipelines": {"traces": {"receivers": names, "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            },
            "extensions": {
                "healthcheckv2": {"use_v2": true, "http": at(health)},
                "jaeger_storage": {"backends": {"mem": {"memory": {"max_traces": 200_000}}}},
                "jaeger_query": {"storage": {"traces": "mem"}, "http": asked_at(query_http), "grpc": asked_at(query_grpc)},
            },
            "receivers": receivers,
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "mem"}},
        });
        // JSON is YAML, so nothing need be spelt twice.
        let file = dir.join("jaeger.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let mut process = Process::start(
            dir,
            "jaeger",
            Command::new(peer("bin/jaeger")).arg("--config").arg(&file),
        );
        process.wait_ready(|| {
            get(health, "/status", &[]).is_ok_and(|a| a.status == 200)
                && get(query_http, "/api/services", &[])
                    .is_ok_and(|a| a.status == if ca.is_some() { 400 } else { 200 })
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            otlp_grpc,
            otlp_http,
            zipkin,
            query_http,
            query_grpc,
            runtime,
            _process: process,
        }
    }

    /// The traces of a search, or what Jaeger said when it refused.
    pub fn find_http(&self, search: &Search) -> Result<Vec<Trace>, String> {
        self.find_between(search, window())
    }

    /// The same among the spans that began in a time of whole seconds.
    pub fn find_between(
        &self,
        search: &Search,
        (start, end): (i64, i64),
    ) -> Result<Vec<Trace>, String> {
        let tags: BTreeMap<_, _> = search.tags.iter().copied().collect();
        let path = format!(
            "/api/traces?end={}&limit={}&service={}&start={}&tags={}",
            end * 1_000_000,
            search.limit,
            http::escape(search.service),
            start * 1_000_000,
            http::escape(&json!(tags).to_string()),
        );
        let answer = get(self.query_http, &path, &[]).map_err(|e| e.to_string())?;
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.body));
        }
        Ok(traces_of_json(&answer.body))
    }

    /// The same search over the gRPC query service.
    pub fn find_grpc(&self, search: &Search) -> Result<Vec<Trace>, String> {
        let (start, end) = window();
        let instant = |seconds| Some(api_v2::Instant { seconds, nanos: 0 });
        let request = api_v2::FindTracesRequest {
            query: Some(api_v2::TraceQueryParameters {
                service_name: search.service.to_owned(),
                tags: search
                    .tags
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
                start_time_min: instant(start),
                start_time_max: instant(end),
                search_depth: i32::try_from(search.limit).unwrap(),
            }),
        };
        self.runtime.block_on(async {
            let mut client = self.client().await?;
            let stream = client
                .find_traces(request)
                .await
                .map_err(text)?
                .into_inner();
            read_chunks(stream).await
        })
    }

    /// One trace over gRPC, the way Kiali opens the one a user clicked on.
    pub fn trace_grpc(&self, id: &str) -> Result<Option<Trace>, String> {
        let trace_id = (0..id.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&id[i..i + 2], 16).unwrap())
            .collect();
        self.runtime.block_on(async {
            let mut client = self.client().await?;
            let request = api_v2::GetTraceRequest { trace_id };
            let stream = client.get_trace(request).await.map_err(text)?.into_inner();
            Ok(read_chunks(stream).await?.pop())
        })
    }

    pub fn services_grpc(&self) -> Result<Vec<String>, String> {
        self.runtime.block_on(async {
            let mut client = self.client().await?;
            let request = api_v2::GetServicesRequest {};
            let answer = client.get_services(request).await.map_err(text)?;
            Ok(answer.into_inner().services)
        })
    }

    async fn client(&self) -> Result<QueryServiceClient<Channel>, String> {
        QueryServiceClient::connect(format!("http://127.0.0.1:{}", self.query_grpc))
            .await
            .map_err(|e| e.to_string())
    }

    pub fn trace(&self, id: &str) -> Option<Trace> {
        let answer = get(self.query_http, &format!("/api/traces/{id}"), &[]).ok()?;
        (answer.status == 200)
            .then(|| traces_of_json(&answer.body))?
            .pop()
    }

    /// Waits until every one of the traces has all of its spans.
    pub fn wait_for_spans(&self, traces: &[String], spans_each: usize) {
        for id in traces {
            wait_for(
                &format!("{spans_each} spans of trace {id} in Jaeger"),
                || {
                    let stored = self.trace(id)?.spans.len();
                    assert!(stored <= spans_each, "trace {id}: {stored} spans");
                    (stored == spans_each).then_some(())
                },
            );
        }
    }

    /// How many spans a service has.
    pub fn count(&self, service: &str) -> usize {
        let search = Search {
            service,
            tags: &[],
            limit: 100_000,
        };
        let traces = self.find_http(&search).unwrap_or_default();
        traces.iter().map(|t| t.spans.len()).sum()
    }
}

/// The last hour, in whole seconds as Kiali spells it.
fn window() -> (i64, i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let end = (now + Duration::from_secs(2)).as_secs();
    let end = i64::try_from(end).unwrap();
    (end - 3600, end)
}

fn text(status: tonic::Status) -> String {
    status.to_string()
}

async fn read_chunks(
    mut stream: tonic::Streaming<api_v2::SpansResponseChunk>,
) -> Result<Vec<Trace>, String> {
    let mut traces: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    while let Some(chunk) = stream.message().await.map_err(text)? {
        for span in chunk.spans {
            let id = span.trace_id.iter().map(|b| format!("{b:02x}")).collect();
            let process = span.process.unwrap_or_default();
            traces.entry(id).or_default().push(Span {
                operation: span.operation_name,
                service: process.service_name,
                process_tags: tags_of_proto(process.tags),
                tags: tags_of_proto(span.tags),
                events: Vec::new(),
                links: 0,
            });
        }
    }
    let trace = |(id, spans)| Trace { id, spans };
    Ok(traces.into_iter().map(trace).collect())
}

fn tags_of_proto(tags: Vec<api_v2::KeyValue>) -> Tags {
    let value = |tag: api_v2::KeyValue| {
        let value = match tag.v_type() {
            api_v2::ValueType::String => json!(tag.v_str),
            api_v2::ValueType::Bool => json!(tag.v_bool),
            api_v2::ValueType::Int64 => json!(tag.v_int64),
            api_v2::ValueType::Float64 => json!(tag.v_float64),
            api_v2::ValueType::Binary => json!(tag.v_binary),
        };
        (tag.key, value)
    };
    tags.into_iter().map(value).collect()
}

fn traces_of_json(body: &str) -> Vec<Trace> {
    let answer: Value = serde_json::from_str(body).unwrap();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let tags = |v: &Value| -> Tags {
        list(v)
            .iter()
            .map(|t| (word(&t["key"]), t["value"].clone()))
            .collect()
    };
    let span = |trace: &Value, span: &Value| {
        let process = &trace["processes"][word(&span["processID"])];
        Span {
            operation: word(&span["operationName"]),
            service: word(&process["serviceName"]),
            process_tags: tags(&process["tags"]),
            tags: tags(&span["tags"]),
            events: list(&span["logs"])
                .iter()
                .map(|e| tags(&e["fields"]))
                .collect(),
            links: list(&span["references"]).len(),
        }
    };
    list(&answer["data"])
        .iter()
        .map(|trace| Trace {
            id: word(&trace["traceID"]),
            spans: list(&trace["spans"])
                .iter()
                .map(|s| span(trace, s))
                .collect(),
        })
        .collect()
}
