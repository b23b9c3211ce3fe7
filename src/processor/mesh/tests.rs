//! The processor over captured bytes, with the rules over decoded spans as oracle.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod cases;

use super::*;
use crate::{
    mesh::{Aliases, Kiali, Knowledge, PRESENCES, VALUES, Version, alias, model, pages},
    pdata::{Index, Signal, admit, write_span},
    pipeline::Followers,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status},
};
use prost::Message;

fn settings(minor: u16, selector: bool, waypoint: bool) -> MeshSettings {
    let kiali = Kiali {
        version: Version::new(2, minor),
        namespace_selector: selector,
        use_waypoint_name: waypoint,
        ..Kiali::default()
    };
    MeshSettings {
        kiali,
        ..MeshSettings::default()
    }
}

/// A processor with what a shard has around it.
struct Shard {
    keys: Keys,
    mesh: Mesh,
    resources: Resources,
}

impl Shard {
    fn new(settings: &MeshSettings) -> Self {
        let mut keys = Keys::default();
        let current = Current::new(Knowledge::of(settings));
        let mesh = Mesh::new(settings, &current, &mut keys);
        Self {
            keys,
            mesh,
            resources: Resources::default(),
        }
    }

    /// Each span of the request as (resource, span) after the processor, and
    /// after each its marker.
    fn run(&mut self, request: &[u8], before: impl Fn(&mut Edits)) -> Vec<(Resource, ProtoSpan)> {
        let mut index = Index::default();
        let admitted = admit(Signal::Traces, request, &self.keys, &mut index).unwrap();
        let mut out = Vec::new();
        for entry in &index.items {
            let span = Span {
                request: &admitted.bytes,
                index: &index,
                entry,
            };
            let payload = index.resources[entry.resource as usize]
                .resource
                .of(&admitted.bytes);
            let id = self.resources.intern(payload, b"", b"");
            let mut decision = Decision::new(id, Edits::default());
            before(&mut decision.edits);
            self.mesh.process(&span, &mut self.resources, &mut decision);
            let mut bytes = Vec::new();
            write_span(entry.bytes.of(&admitted.bytes), &decision.edits, &mut bytes);
            let mut followers = Followers::default();
            if decision.follow {
                self.mesh.follow(&bytes, &mut followers);
            }
            let mut push = |id, bytes: &[u8]| {
                let mut spans = ScopeSpans::decode(bytes).unwrap().spans;
                assert_eq!(spans.len(), 1);
                let resource = Resource::decode(&self.resources.get(id).payload[..]);
                out.push((resource.unwrap(), spans.remove(0)));
            };
            push(decision.resource, &bytes);
            for (id, _, bytes) in followers.iter() {
                push(id, bytes);
            }
        }
        out
    }
}

fn attr(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue {
        value: Some(Value::StringValue(value.to_owned())),
    });
    KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    }
}

/// What the rules say about each span of the request, done to decoded spans,
/// and after each its marker.
fn expected(request: &Request, settings: &MeshSettings) -> Vec<(Resource, ProtoSpan)> {
    let knowledge = Knowledge::of(settings);
    let models = model::spans(request);
    let (mut out, mut at) = (Vec::new(), 0);
    for group in &request.resource_spans {
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let facts = models[at].facts();
            at += 1;
            let verdict = decide(&facts, settings, &knowledge);
            let base = group.resource.clone().unwrap_or_default();
            let (mut resource, mut span) = (base.clone(), span.clone());
            span.attributes
                .extend(verdict.tags.iter().map(|(key, text)| attr(key, text)));
            if let Some(name) = verdict.span_name {
                let old = std::mem::replace(&mut span.name, name);
                span.attributes.push(attr(key::ORIGINAL_SPAN_NAME, &old));
            }
            if verdict.error {
                span.status.get_or_insert_default().code = 2;
            }
            let tags = verdict
                .resource_tags
                .iter()
                .map(|(key, text)| attr(key, text));
            if let Some(name) = &verdict.service_name {
                rename(&mut resource, name);
            }
            resource.attributes.extend(tags.clone());
            let markers = verdict.aliases.iter().map(|alias| {
                let mut resource = base.clone();
                rename(&mut resource, &alias.service_name);
                resource.attributes.extend(tags.clone());
                let has = |key| resource.attributes.iter().any(|kv| kv.key == key);
                if !has(key::ORIGINAL_SERVICE_NAME) {
                    let emitted = facts.resource.service_name.unwrap();
                    let emitted = attr(key::ORIGINAL_SERVICE_NAME, emitted);
                    resource.attributes.push(emitted);
                }
                (resource, marker(&span, alias))
            });
            let markers: Vec<_> = markers.collect();
            out.push((resource, span));
            out.extend(markers);
        }
    }
    out
}

fn rename(resource: &mut Resource, name: &str) {
    resource.attributes.retain(|kv| kv.key != key::SERVICE_NAME);
    resource.attributes.push(attr(key::SERVICE_NAME, name));
}

fn marker(span: &ProtoSpan, alias: &alias::Alias) -> ProtoSpan {
    let id = <[u8; 8]>::try_from(&span.span_id[..]).unwrap();
    let kept = span
        .attributes
        .iter()
        .filter(|kv| alias::keeps(kv.key.as_bytes()));
    let node_id = alias.node_id.as_deref().map(|id| attr(key::NODE_ID, id));
    ProtoSpan {
        trace_id: span.trace_id.clone(),
        span_id: Salt::new(&alias.service_name, &alias.span_name)
            .span_id(id)
            .to_vec(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.span_id.clone(),
        name: alias.span_name.clone(),
        kind: 1,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: kept
            .cloned()
            .chain([attr(key::SYNTHETIC, "true")])
            .chain(node_id)
            .collect(),
        status: span.status.clone(),
        ..ProtoSpan::default()
    }
}

fn captured() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut out = Vec::new();
    for folder in [
        "ambient-istio-1.24",
        "ambient-istio-1.28",
        "ambient-istio-1.30",
        "sidecar",
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            out.push(std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
    assert!(out.len() >= 80);
    out
}

fn all_settings() -> [MeshSettings; 6] {
    [
        settings(7, true, false),
        settings(30, true, true),
        settings(30, true, false),
        settings(30, false, false),
        MeshSettings {
            aliases: Aliases::On,
            ..settings(30, true, false)
        },
        MeshSettings {
            aliases: Aliases::On,
            repairs: Repairs::all(false),
            ..settings(30, false, true)
        },
    ]
}

#[test]
fn does_what_the_rules_say() {
    for settings in all_settings() {
        let mut shard = Shard::new(&settings);
        for bytes in captured() {
            let want = expected(&Request::decode(&bytes[..]).unwrap(), &settings);
            assert_eq!(shard.run(&bytes, |_| ()), want);
            // Again, now from the memo.
            let known = shard.mesh.memo.len();
            assert_eq!(shard.run(&bytes, |_| ()), want);
            assert_eq!(shard.mesh.memo.len(), known);
        }
        // Four captures of five hops each, not one entry per span.
        assert!(shard.mesh.memo.len() < 100, "{}", shard.mesh.memo.len());
        shard.mesh.forget();
        shard.resources.clear();
        let bytes = &captured()[0];
        assert_eq!(
            shard.run(bytes, |_| ()),
            expected(&Request::decode(&bytes[..]).unwrap(), &settings)
        );
    }
}

/// Markers as bytes, asked for as a Kiali would ask.
#[test]
fn pages_find_what_was_written() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let settings = MeshSettings {
        aliases: Aliases::On,
        ..settings(30, true, false)
    };
    for form in ["1.24", "1.28", "1.29", "1.30"] {
        let mut shard = Shard::new(&settings);
        let mut delivered = Request::default();
        for entry in std::fs::read_dir(root.join(format!("ambient-istio-{form}"))).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for (resource, span) in shard.run(&bytes, |_| ()) {
                delivered.resource_spans.push(ResourceSpans {
                    resource: Some(resource),
                    scope_spans: vec![ScopeSpans {
                        spans: vec![span],
                        ..ScopeSpans::default()
                    }],
                    ..ResourceSpans::default()
                });
            }
        }
        let spans = model::spans(&delivered);
        let pages = pages::bookinfo(Some("waypoint"));
        let finds = |page: &&pages::Page| {
            let question = pages::Question::new(&settings.kiali, "Kubernetes", page);
            question.finds(&spans).len() == 20
        };
        assert_eq!(pages.iter().filter(finds).count(), 13, "{form}");
    }
}

/// One span, under a resource.
fn request(service: &str, name: &str, tags: &[(&str, &str)]) -> Request {
    let span = ProtoSpan {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        kind: 2,
        attributes: tags.iter().map(|(k, v)| attr(k, v)).collect(),
        ..ProtoSpan::default()
    };
    let resource = Resource {
        attributes: vec![attr("service.name", service)],
        ..Resource::default()
    };
    Request {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

const WAYPOINT: (&str, &str) = (
    "node_id",
    "waypoint~10.0.0.1~waypoint-5b7c754ccb-55jwk.bookinfo~bookinfo.svc.cluster.local",
);

fn with_status(mut request: Request, code: i32) -> Request {
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    let message = "as the sender put it".to_owned();
    span.status = Some(Status { message, code });
    request
}

fn internal(mut request: Request) -> Request {
    request.resource_spans[0].scope_spans[0].spans[0].kind = 1;
    request
}

/// Spans that differ only where the key could have overlooked it.
#[test]
fn the_memo_tells_spans_apart() {
    let settings = MeshSettings {
        aliases: Aliases::On,
        ..settings(30, true, false)
    };
    let mut shard = Shard::new(&settings);
    let cluster = (
        "upstream_cluster",
        "inbound-vip|80|http|a.b.svc.cluster.local",
    );
    let requests = [
        request("w", "x", &[WAYPOINT, cluster]),
        request("w", "x", &[WAYPOINT, ("upstream_cluster.name", cluster.1)]),
        request(
            "w",
            "x",
            &[WAYPOINT, cluster, ("istio.destination_app", "c")],
        ),
        request(
            "w",
            "x",
            &[
                WAYPOINT,
                cluster,
                ("istio.destination_canonical_service", "c"),
            ],
        ),
        request(
            "w",
            "x",
            &[
                WAYPOINT,
                cluster,
                ("istio.destination_canonical_service", "d"),
            ],
        ),
        request("w", "x", &[WAYPOINT, cluster, ("istio.cluster_id", "")]),
        request("w", "x", &[WAYPOINT, cluster, ("error", "true")]),
        request("w", "x", &[WAYPOINT, cluster, ("error", "false")]),
        with_status(
            request("w", "x", &[WAYPOINT, cluster, ("error", "true")]),
            1,
        ),
        with_status(
            request("w", "x", &[WAYPOINT, cluster, ("error", "true")]),
            0,
        ),
        request("w", "ingress", &[WAYPOINT, cluster]),
        request("w", "vs:80/*", &[WAYPOINT, cluster]),
        request("w", "vs:80/api", &[WAYPOINT, cluster]),
        request("w", "a.b.svc.cluster.local:80/*", &[WAYPOINT, cluster]),
        request(
            "w",
            "ingress",
            &[WAYPOINT, ("upstream_cluster", "outbound_.80_.v1_.a.b.svc")],
        ),
        request(
            "w",
            "x",
            &[WAYPOINT, ("upstream_cluster", "outbound_.80_.v1_.a.b.svc")],
        ),
        internal(request(
            "w",
            "x",
            &[WAYPOINT, cluster, ("wayspan.synthetic", "true")],
        )),
        internal(request("w", "x", &[WAYPOINT, cluster])),
        request(
            "w",
            "x",
            &[WAYPOINT, cluster, ("wayspan.synthetic", "true")],
        ),
        request("v", "x", &[WAYPOINT, cluster]),
        // Here the name decides.
        request("w", "", &[WAYPOINT, ("upstream_cluster", "encap")]),
        request("w", "x", &[WAYPOINT, ("upstream_cluster", "encap")]),
        request(
            "w",
            "a.b.svc.cluster.local:80/*",
            &[WAYPOINT, ("upstream_cluster", "encap")],
        ),
        request(
            "w",
            "c.d.svc.cluster.local:80/*",
            &[WAYPOINT, ("upstream_cluster", "encap")],
        ),
        request("w", "x", &[]),
        request("w", "x", &[("src.workload", "a"), ("src.namespace", "b")]),
        request("w", "x", &[("src.workload", "ab"), ("src.namespace", "")]),
    ];
    for _ in 0..2 {
        for request in &requests {
            let got = shard.run(&request.encode_to_vec(), |_| ());
            assert_eq!(got, expected(request, &settings));
        }
    }
}

#[test]
fn the_memo_is_bounded() {
    let mut shard = Shard::new(&MeshSettings::default());
    for n in 0..Memo::MAX_ENTRIES + 100 {
        let cluster = format!("inbound-vip|80|http|s{n}.b.svc.cluster.local");
        let request = request("w", "x", &[WAYPOINT, ("upstream_cluster", &cluster)]);
        let got = shard.run(&request.encode_to_vec(), |_| ());
        assert!(
            got[0]
                .1
                .attributes
                .contains(&attr("istio.destination_app", &format!("s{n}")))
        );
        assert!(shard.mesh.memo.len() <= Memo::MAX_ENTRIES);
        if shard.resources.is_full() {
            shard.mesh.forget();
            shard.resources.clear();
        }
    }
    let long = "x".repeat(Memo::MAX_KEY);
    let known = shard.mesh.memo.len();
    shard.run(
        &request("w", "x", &[("upstream_cluster", &long)]).encode_to_vec(),
        |_| (),
    );
    assert_eq!(shard.mesh.memo.len(), known);
}

#[test]
fn sees_what_earlier_processors_did() {
    let mut shard = Shard::new(&settings(30, true, false));
    let request = request("w", "x", &[WAYPOINT]).encode_to_vec();
    let got = shard.run(&request, |edits| {
        edits.set_str(
            "upstream_cluster",
            "inbound-vip|80|http|a.b.svc.cluster.local",
        );
        edits.set_str("istio.cluster_id", "east");
    });
    assert!(
        got[0]
            .0
            .attributes
            .contains(&attr("service.name", "a.b.svc.cluster.local"))
    );
    let ids = got[0]
        .1
        .attributes
        .iter()
        .filter(|kv| kv.key == "istio.cluster_id");
    assert_eq!(ids.collect::<Vec<_>>(), [&attr("istio.cluster_id", "east")]);
    let got = shard.run(&request, |edits| edits.delete("node_id"));
    assert!(got[0].0.attributes.contains(&attr("service.name", "w")));
}

/// The same answer from the memo, or without it, whatever an earlier processor
/// did to the span; and what it did does not keep the memo from being used.
#[test]
fn remembers_spans_that_earlier_processors_edited() {
    let before: [fn(&mut Edits); 10] = [
        |_| (),
        |edits| edits.set_str("other", "x"),
        |edits| edits.set_str("upstream_cluster", "outbound|80||a.b.svc.cluster.local"),
        |edits| edits.set_str("upstream_cluster", ""),
        |edits| edits.delete("upstream_cluster"),
        |edits| edits.delete("node_id"),
        |edits| edits.set_str("istio.destination_workload", "w"),
        |edits| edits.set_name("ratings.bookinfo.svc.cluster.local:9080/*"),
        |edits| edits.set_str("error", "true"),
        |edits| edits.set_status_code(1),
    ];
    for settings in [settings(30, true, true), settings(26, false, false)] {
        let settings = MeshSettings {
            aliases: Aliases::On,
            ..settings
        };
        let mut shard = Shard::new(&settings);
        for (nth, request) in captured().iter().enumerate() {
            for (at, edit) in before.iter().enumerate() {
                let first = shard.run(request, edit);
                let known = shard.mesh.memo.len();
                assert_eq!(shard.run(request, edit), first, "{nth} {at}");
                assert_eq!(shard.mesh.memo.len(), known, "{nth} {at}");
                let without = Shard::new(&settings).run(request, edit);
                assert_eq!(first, without, "{nth} {at}");
            }
        }
    }
}

/// An edit that the rules do not read makes no entry of its own.
#[test]
fn edits_that_the_rules_do_not_read_share_an_answer() {
    let mut shard = Shard::new(&settings(30, true, true));
    let request = request("w", "x", &[WAYPOINT]).encode_to_vec();
    shard.run(&request, |_| ());
    let known = shard.mesh.memo.len();
    assert!(known > 0);
    for value in ["a", "b"] {
        shard.run(&request, |edits| edits.set_str("other", value));
        assert_eq!(shard.mesh.memo.len(), known);
    }
    shard.run(&request, |edits| edits.set_str("istio.cluster_id", "east"));
    assert!(shard.mesh.memo.len() > known);
}

/// Each attribute of the table is indexed once, and `error` besides.
#[test]
fn leaves_keys_for_others() {
    let mut keys = Keys::default();
    let first = keys.add("first");
    let settings = MeshSettings::default();
    let current = Current::new(Knowledge::of(&settings));
    Mesh::new(&settings, &current, &mut keys);
    let last = keys.add("last");
    let own = VALUES.len() + PRESENCES.len() + 1;
    assert_eq!((first.index(), last.index()), (0, 1 + own));
    for key in VALUES.iter().chain(&PRESENCES).chain(&["error"]) {
        let slot = keys.lookup(key.as_bytes()).map(|slot| slot.index());
        assert!(slot.is_some_and(|at| (1..=own).contains(&at)), "{key}");
    }
    assert_eq!(keys.lookup(b"first"), Some(first));
    assert_eq!(keys.lookup(b"last"), Some(last));
}

/// Spans that only share a resource tell each other which proxy it is, but not whose id
/// it has: there may be several, where a collector has joined them.
#[test]
fn only_the_parent_lends_its_id() {
    const ROUTER: (&str, &str) = (
        "node_id",
        "router~10.0.0.1~gw-istio-6754756766-pmxnn.bookinfo~bookinfo.svc.cluster.local",
    );
    let settings = settings(30, true, true);
    let tags = [("component", "proxy"), ("istio.canonical_service", "gw")];
    let mut child = request("label.bookinfo", "x", &tags);
    let mut lender = request("label.bookinfo", "x", &[ROUTER]);
    let lender = &mut lender.resource_spans[0].scope_spans[0].spans[0];
    for (trace, parent, lends) in [(1, 2, true), (3, 2, false), (1, 3, false)] {
        lender.trace_id = vec![trace; 16];
        let spans = &mut child.resource_spans[0].scope_spans[0].spans;
        spans.truncate(1);
        spans[0].span_id = vec![7; 8];
        spans[0].parent_span_id = vec![parent; 8];
        spans.push(lender.clone());
        let got = Shard::new(&settings).run(&child.encode_to_vec(), |_| ());
        assert_eq!(got, expected(&child, &settings));
        let (resource, span) = &got[0];
        let name = attr("service.name", "gw-istio.bookinfo");
        assert!(resource.attributes.contains(&name));
        let id = attr(ROUTER.0, ROUTER.1);
        assert_eq!(span.attributes.contains(&id), lends);
    }
}

#[test]
fn a_boolean_error_counts_and_a_message_stays() {
    let mut failed = with_status(request("w", "x", &[WAYPOINT]), 0);
    let span = &mut failed.resource_spans[0].scope_spans[0].spans[0];
    span.attributes.push(KeyValue {
        key: "error".to_owned(),
        value: Some(AnyValue {
            value: Some(Value::BoolValue(true)),
        }),
        ..KeyValue::default()
    });
    let got = Shard::new(&MeshSettings::default()).run(&failed.encode_to_vec(), |_| ());
    let status = got[0].1.status.clone().unwrap();
    assert_eq!((status.code, &*status.message), (2, "as the sender put it"));
    assert_eq!(got, expected(&failed, &MeshSettings::default()));
}

/// What earlier processors did to status, error and name counts.
#[test]
fn repairs_what_earlier_processors_left() {
    let tags = [
        WAYPOINT,
        ("upstream_cluster", "outbound|80||a.b.svc"),
        ("error", "true"),
    ];
    let request = request("w", "ingress", &tags).encode_to_vec();
    let mut shard = Shard::new(&MeshSettings::default());
    let mut after = |before: fn(&mut Edits)| {
        let span = shard.run(&request, before).remove(0).1;
        let old = attr(key::ORIGINAL_SPAN_NAME, "ingress");
        let renamed = span.attributes.contains(&old).then_some(span.name);
        (span.status.unwrap_or_default(), renamed)
    };
    let status = |code, message: &str| Status {
        code,
        message: message.to_owned(),
    };
    let name = Some("a.b.svc:80/*".to_owned());
    assert_eq!(
        after(|e| e.set_str("x", "y")),
        (status(2, ""), name.clone())
    );
    assert_eq!(after(|e| e.delete("error")), (status(0, ""), name.clone()));
    assert_eq!(after(|e| e.set_str("error", "no")).0, status(0, ""));
    assert_eq!(after(|e| e.set_status(1, "fine")).0, status(1, "fine"));
    assert_eq!(after(|e| e.set_status(0, "why")).0, status(2, "why"));
    assert_eq!(after(|e| e.set_name("mine")), (status(2, ""), None));
}

#[test]
fn counts_what_it_did_when_the_request_is_over() {
    let stats = MeshStats::default();
    let settings = MeshSettings {
        aliases: Aliases::On,
        ..MeshSettings::default()
    };
    let mut shard = Shard::new(&settings);
    shard.mesh = shard.mesh.counting(stats.clone());
    let tags = [
        WAYPOINT,
        ("upstream_cluster", "outbound|80||a.b.svc"),
        ("error", "true"),
    ];
    let request = request("w", "ingress", &tags).encode_to_vec();
    let counted = || {
        [
            stats.status.get(),
            stats.node_id.get(),
            stats.span_name.get(),
            stats.alias_spans.get(),
        ]
    };
    for n in 1..4 {
        shard.run(&request, |_| ());
        assert_eq!(counted(), [n - 1, 0, n - 1, n - 1]);
        shard.mesh.end();
        assert_eq!(counted(), [n, 0, n, n]);
    }
    // Two spans that a gateway spawned, in the recording of a newer one.
    let spawned = expected_ids(&captured(), &settings);
    for bytes in captured() {
        shard.run(&bytes, |_| ());
    }
    shard.mesh.end();
    assert_eq!(stats.node_id.get(), spawned);
}

/// How many spans the rules give an id.
fn expected_ids(requests: &[Vec<u8>], settings: &MeshSettings) -> u64 {
    let ids = |bytes: &Vec<u8>| {
        let before = Request::decode(&bytes[..]).unwrap();
        let has = |span: &ProtoSpan| {
            let has = |key| span.attributes.iter().any(|kv| kv.key == key);
            has(key::NODE_ID) && !has(key::SYNTHETIC)
        };
        let after = expected(&before, settings);
        let after = after.iter().filter(|(_, span)| has(span)).count();
        let groups = before.resource_spans.iter().flat_map(|r| &r.scope_spans);
        after - groups.flat_map(|s| &s.spans).filter(|s| has(s)).count()
    };
    requests.iter().map(ids).sum::<usize>() as u64
}

/// Requests of different senders share answers only where senders do not count.
#[test]
fn an_address_counts_where_nothing_else_tells() {
    use crate::mesh::{
        Directory,
        directory::{AppLabels, NamespaceRecord, PodRecord, ServiceRecord},
    };
    let pod = |name: &str, ip: &str| PodRecord {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        addresses: vec![ip.parse().unwrap()],
        labels: std::sync::Arc::new([("app".to_owned(), name.to_owned())].into()),
        ..PodRecord::default()
    };
    let pods = [pod("Orders", "10.0.0.1"), pod("Cart", "10.0.0.2")];
    let (services, namespaces): ([ServiceRecord; 0], [NamespaceRecord; 0]) = ([], []);
    let directory = Directory::build(pods, services, namespaces, &AppLabels::default());
    let directory = std::sync::Arc::new(directory);

    let plain = request("App", "x", &[]).encode_to_vec();
    let mut hinted = request("App", "x", &[]);
    let resource = hinted.resource_spans[0].resource.as_mut().unwrap();
    resource.attributes.push(attr("host.name", "Cart"));
    let hinted = hinted.encode_to_vec();
    let proxy = request("w.shop", "x", &[WAYPOINT]).encode_to_vec();

    for peer_address in [true, false] {
        let settings = MeshSettings {
            peer_address,
            ..settings(30, true, false)
        };
        let mut keys = Keys::default();
        let current = Current::new(Knowledge::of(&settings));
        let mut shard = Shard {
            mesh: Mesh::new(&settings, &current, &mut keys),
            keys,
            resources: Resources::default(),
        };
        let name = |shard: &mut Shard, request: &[u8], peer: Option<&str>| {
            shard.mesh.begin(peer.map(|ip| ip.parse().unwrap()));
            let (resource, _) = shard.run(request, |_| ()).remove(0);
            let mut names = resource
                .attributes
                .iter()
                .filter(|kv| kv.key == key::SERVICE_NAME);
            let value = names.next().unwrap().value.clone().unwrap();
            match value.value.unwrap() {
                Value::StringValue(name) => name,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(name(&mut shard, &plain, Some("10.0.0.1")), "App");
        current.update(|knowledge| knowledge.directory = directory.clone());
        // Twice: what is remembered must be the same.
        for _ in 0..2 {
            for (peer, known) in [
                (Some("10.0.0.1"), "Orders.shop"),
                (Some("10.0.0.2"), "Cart.shop"),
                (Some("10.0.0.3"), "App"),
                (None, "App"),
            ] {
                let want = if peer_address { known } else { "App" };
                assert_eq!(name(&mut shard, &plain, peer), want);
                assert_eq!(name(&mut shard, &hinted, peer), "Cart.shop");
                name(&mut shard, &proxy, peer);
            }
        }
        // The hinted has one answer, the proxy two, since its name counts; the
        // plain one has one for each peer, and one that says so.
        assert_eq!(shard.mesh.memo.len(), if peer_address { 8 } else { 4 });
    }
}

/// The directory is one cluster's, so which cluster a span is of makes another answer.
#[test]
fn clusters_are_kept_apart() {
    use crate::mesh::{
        Directory,
        directory::{AppLabels, NamespaceRecord, PodRecord, ServiceRecord},
    };
    let service = ServiceRecord {
        namespace: "b".to_owned(),
        name: "a".to_owned(),
        selector: std::sync::Arc::new([("app".to_owned(), "A".to_owned())].into()),
        ..ServiceRecord::default()
    };
    let (pods, namespaces): ([PodRecord; 0], [NamespaceRecord; 0]) = ([], []);
    let labels = AppLabels::default();
    let settings = MeshSettings {
        cluster_id: "east".to_owned(),
        ..settings(30, true, false)
    };
    let mut keys = Keys::default();
    let mut knowledge = Knowledge::of(&settings);
    knowledge.directory = Directory::build(pods, [service], namespaces, &labels).into();
    let mut shard = Shard {
        mesh: Mesh::new(&settings, &Current::new(knowledge), &mut keys),
        keys,
        resources: Resources::default(),
    };
    let cluster = ("upstream_cluster", "outbound|80||a.b.svc.cluster.local");
    for _ in 0..2 {
        for (id, app) in [("east", "A"), ("west", "a"), ("", "A")] {
            let tags = [WAYPOINT, cluster, ("istio.cluster_id", id)];
            let request = request("w", "x", &tags).encode_to_vec();
            let span = shard.run(&request, |_| ()).remove(0).1;
            let want = attr("istio.destination_app", app);
            assert!(span.attributes.contains(&want), "{id}: {span:?}");
        }
    }
    assert_eq!(shard.mesh.memo.len(), 3);
}

/// What a followed Kiali's questions carry comes while spans do, and goes again.
#[test]
fn tags_of_a_query_scope_are_learned() {
    let settings = MeshSettings {
        tags: [("team".to_owned(), "file".to_owned())].into(),
        ..MeshSettings::default()
    };
    let current = Current::new(Knowledge::of(&settings));
    let mut keys = Keys::default();
    let mut shard = Shard {
        mesh: Mesh::new(&settings, &current, &mut keys),
        ..Shard::new(&settings)
    };
    shard.keys = keys;
    let mut tags_of = |request: &Request| {
        shard.mesh.begin(None);
        let span = shard.run(&request.encode_to_vec(), |_| ()).remove(0).1;
        let wanted = ["mesh_id", "team"].map(|key| {
            let values = span.attributes.iter().filter(|kv| kv.key == key);
            let values = values.map(|kv| kv.value.clone().unwrap().value.unwrap());
            values
                .map(|value| match value {
                    Value::StringValue(text) => text,
                    other => format!("{other:?}"),
                })
                .collect::<Vec<_>>()
                .join("+")
        });
        wanted.map(|text| text.leak() as &str)
    };
    let plain = request("a", "b", &[WAYPOINT]);
    let own = request("a", "b", &[WAYPOINT, ("mesh_id", "own")]);
    assert_eq!(tags_of(&plain), ["", "file"]);
    for scope in ["one", "two"] {
        current.update(|knowledge| {
            let tags = [("mesh_id", scope), ("team", "kiali")];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
            knowledge.query_scope = tags.into();
        });
        assert_eq!(tags_of(&plain), [scope, "file"]);
        assert_eq!(tags_of(&own), ["own", "file"]);
    }
    current.update(|knowledge| knowledge.query_scope.clear());
    assert_eq!(tags_of(&plain), ["", "file"]);
}
