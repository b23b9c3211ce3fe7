/*!
The probe: one span, sent to the collector as a waypoint sends its own, and then looked for
in Jaeger by its id and by Kiali's question.

It is of a waypoint and of a Service that do not exist, both called `wayspan-probe`, and has
the attribute `wayspan.probe`, which is different each time. So no page of anything real finds
it, no graph has it, and nothing that was sent before is taken for it.
*/

use super::{
    client::Asker,
    search::{Jaeger, Search},
};
use crate::{
    cli::doctor::facts::{Answer, Failure, FailureKind, jaeger::JaegerAddress, probe::Probe},
    mesh::{
        Kiali, key,
        pages::{Page, PageKind, Question},
    },
    pdata::{number::ShowHex, time::unix_nanos},
    random::rng,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;
use rand::Rng as _;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The waypoint and the Service that the probe is of.
const NAME: &str = "wayspan-probe";
/// Marks the probe.
const MARK: &str = "wayspan.probe";

/// How long it is looked for: collectors batch, and storages index.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer, once Jaeger holds it.
const PATIENCE_ONCE_STORED: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How far back is searched.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// The mesh that a probe is made for.
pub(in crate::cli::doctor) struct ProbedMesh<'a> {
    /// The namespace that it claims to be in.
    pub(in crate::cli::doctor) namespace: &'a str,
    /// What istiod calls the cluster.
    pub(in crate::cli::doctor) cluster: &'a str,
    /// What Kiali calls the cluster, and Kiali, if it is known.
    pub(in crate::cli::doctor) kiali: Option<(&'a str, Kiali)>,
}

/// Sends a probe and looks for it.
pub(in crate::cli::doctor) async fn ask(
    collector: &str,
    jaeger: Option<&JaegerAddress>,
    mesh: &ProbedMesh<'_>,
    limit: Duration,
) -> Probe {
    let id: [u8; 16] = rng().random();
    let question = mesh.kiali.as_ref().map(|(cluster, kiali)| {
        let namespace = mesh.namespace;
        let page = Page::plain(PageKind::Service, NAME, NAME, namespace, Some(NAME));
        Question::new(kiali, cluster, &page)
    });
    let mut probe = Probe {
        trace_id: ShowHex(&id).to_string(),
        emitted: format!("{NAME}.{}", mesh.namespace),
        collector: collector.to_owned(),
        ..Probe::default()
    };
    if let Some(question) = &question {
        probe.asked.clone_from(&question.service_name);
        let tags = question.tags.iter();
        let tags = tags.map(|(key, text)| ((*key).to_owned(), text.clone()));
        probe.tags = tags.collect();
    }
    probe.sent = match send(collector, &request(&id, &probe.emitted, mesh), limit).await {
        Ok(()) => Answer::Got(()),
        Err(failure) => Answer::Failed(failure),
    };
    let Some(jaeger) = jaeger.filter(|_| probe.sent.got().is_some()) else {
        return probe;
    };
    probe.jaeger.clone_from(&jaeger.url);
    if let Some(client) = Jaeger::at(jaeger, limit) {
        look(&client, &id, &mut probe).await;
    }
    probe
}

/// Looks for it until it is found in both ways, or for as long as there is patience.
async fn look(jaeger: &Jaeger, id: &[u8], probe: &mut Probe) {
    let began = Instant::now();
    let mut end = began + PATIENCE;
    loop {
        probe.stored = match jaeger.trace(id).await {
            Ok(spans) => {
                let names = spans.iter().map(|span| span.service_name().to_owned());
                Answer::Got(names.collect())
            }
            // Over gRPC a trace that is not there is an error of its own.
            Err(failure) if failure.kind == FailureKind::Absent => Answer::Got(Vec::new()),
            Err(failure) => Answer::Failed(failure),
        };
        if !probe.asked.is_empty() {
            let mut tags = probe.tags.clone();
            tags.push((MARK.to_owned(), probe.trace_id.clone()));
            let search = Search {
                name: &probe.asked,
                tags: &tags,
                window: WINDOW,
                most: 1,
            };
            probe.found = match jaeger.find(search).await {
                Ok(spans) => Answer::Got(!spans.is_empty()),
                Err(failure) => Answer::Failed(failure),
            };
        }
        let is_stored = probe.stored.got().is_some_and(|names| !names.is_empty());
        let is_found = probe.asked.is_empty() || probe.found.got() == Some(&true);
        probe.waited = began.elapsed().as_secs();
        if is_stored {
            end = end.min(Instant::now() + PATIENCE_ONCE_STORED);
        }
        if is_stored && is_found || Instant::now() >= end {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn send(
    collector: &str,
    request: &ExportTraceServiceRequest,
    limit: Duration,
) -> Result<(), Failure> {
    let messages = Asker::new(collector, limit).call(EXPORT, request).await?;
    let answer = messages.into_iter().next().unwrap_or_default();
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    match answer
        .partial_success
        .filter(|part| part.rejected_spans > 0)
    {
        None => Ok(()),
        Some(part) => Err(Failure {
            kind: FailureKind::Malformed,
            cause: format!("{collector} takes no such span: {}", part.error_message),
            remedy: None,
        }),
    }
}

/// Returns what a waypoint of Istio 1.30 sends for a request to a Service.
fn request(id: &[u8; 16], emitted: &str, mesh: &ProbedMesh<'_>) -> ExportTraceServiceRequest {
    let namespace = mesh.namespace;
    let host = format!("{NAME}.{namespace}.svc.cluster.local");
    let cluster = format!("inbound-vip|80|http|{host}");
    let node = format!(
        "waypoint~127.0.0.1~{NAME}-5d4f6c7b8-xk2lp.{namespace}~{namespace}.svc.cluster.local"
    );
    let end = unix_nanos(SystemTime::now());
    let mark = ShowHex(id).to_string();
    let span = Span {
        trace_id: id.to_vec(),
        span_id: rng().random::<[u8; 8]>().to_vec(),
        name: format!("{host}:80/*"),
        kind: 2,
        start_time_unix_nano: end.saturating_sub(1_000_000),
        end_time_unix_nano: end,
        attributes: attributes(&[
            (MARK, &mark),
            (key::COMPONENT, "proxy"),
            (key::NODE_ID, &node),
            (key::UPSTREAM_CLUSTER, &cluster),
            (key::CANONICAL_SERVICE, NAME),
            (key::NAMESPACE, namespace),
            (key::CLUSTER_ID, mesh.cluster),
            (key::DESTINATION_CANONICAL_SERVICE, NAME),
            (key::DESTINATION_NAMESPACE, namespace),
        ]),
        ..Span::default()
    };
    let resource = Resource {
        attributes: attributes(&[(key::SERVICE_NAME, emitted)]),
        ..Resource::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let resource_spans = vec![ResourceSpans {
        resource: Some(resource),
        scope_spans,
        ..ResourceSpans::default()
    }];
    ExportTraceServiceRequest { resource_spans }
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let attribute = |(key, text): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue((*text).to_owned())),
        }),
        ..KeyValue::default()
    };
    pairs.iter().map(attribute).collect()
}
