/*! The spans of a case as proxies and SDKs send them. */

use super::{
    super::{KeyValue, ProtoSpan, Request, Resource, ResourceSpans, ScopeSpans, attr},
    format::{Case, Emitted},
};

const KINDS: [&str; 6] = [
    "UNSPECIFIED",
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
];

/// The requests of a case, in order. Spans of one resource come in one group.
pub(super) fn requests(case: &Case) -> Vec<Request> {
    let last = case.spans.iter().map(|span| span.request).max();
    let mut requests = vec![Request::default(); last.map_or(0, |last| last + 1)];
    for emitted in &case.spans {
        let groups = &mut requests[emitted.request].resource_spans;
        let resource = resource(emitted);
        let at = groups
            .iter()
            .position(|g| g.resource.as_ref() == Some(&resource));
        let at = at.unwrap_or_else(|| {
            groups.push(ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![ScopeSpans::default()],
                ..ResourceSpans::default()
            });
            groups.len() - 1
        });
        groups[at].scope_spans[0].spans.push(span(emitted, case));
    }
    requests
}

/// The id of a span, from what the case calls it.
pub(super) fn id(name: &str) -> Vec<u8> {
    let mut id = [0; 8];
    for (at, byte) in name.bytes().enumerate() {
        id[at % 8] ^= byte;
    }
    id.to_vec()
}

pub(super) fn kind_name(kind: u8) -> &'static str {
    KINDS[usize::from(kind)]
}

fn resource(emitted: &Emitted) -> Resource {
    let own = emitted
        .emitted
        .iter()
        .map(|name| attr("service.name", name));
    let further = emitted.resource.iter().map(|(key, text)| attr(key, text));
    Resource {
        attributes: own.chain(further).collect(),
        ..Resource::default()
    }
}

fn span(emitted: &Emitted, case: &Case) -> ProtoSpan {
    let kind = KINDS.iter().position(|kind| *kind == emitted.kind);
    let trace = id(emitted.trace.as_deref().unwrap_or("t1"));
    ProtoSpan {
        trace_id: [&trace[..], &trace].concat(),
        span_id: id(&emitted.id),
        parent_span_id: emitted.parent.as_deref().map(id).unwrap_or_default(),
        name: emitted.name.clone(),
        kind: kind.unwrap_or_else(|| panic!("kind {}", emitted.kind)) as i32,
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_000_005_000_000,
        attributes: attributes(emitted, case),
        ..ProtoSpan::default()
    }
}

fn attributes(emitted: &Emitted, case: &Case) -> Vec<KeyValue> {
    let mut own: Vec<(&str, String)> = Vec::new();
    if let Some(proxy) = &emitted.proxy {
        let Emitted { pod, ns, .. } = emitted;
        if emitted.node_id != Some(false) {
            let id = format!("{proxy}~10.244.0.9~{pod}.{ns}~{ns}.svc.cluster.local");
            own.push(("node_id", id));
        }
        own.push(("component", "proxy".to_owned()));
        if let Some(cluster) = &emitted.cluster {
            own.push(("upstream_cluster", cluster.clone()));
            own.push(("upstream_cluster.name", format!("{cluster};")));
        }
        own.push((
            "http.status_code",
            emitted.code.clone().unwrap_or("200".to_owned()),
        ));
        own.push((
            "response_flags",
            emitted.flags.clone().unwrap_or("-".to_owned()),
        ));
        if emitted.istio_tags != Some(false) {
            let canonical = emitted.canonical.clone();
            own.extend(canonical.map(|name| ("istio.canonical_service", name)));
            own.push(("istio.namespace", ns.clone()));
            own.push(("istio.mesh_id", "mesh-1".to_owned()));
            let cluster = emitted.cluster_id.as_deref().unwrap_or(case.own_cluster());
            if !cluster.is_empty() {
                own.push(("istio.cluster_id", cluster.to_owned()));
            }
        }
    }
    own.retain(|(key, _)| !emitted.tags.contains_key(*key));
    let own = own.iter().map(|(key, text)| attr(key, text));
    let further = emitted.tags.iter().map(|(key, text)| attr(key, text));
    own.chain(further).collect()
}
