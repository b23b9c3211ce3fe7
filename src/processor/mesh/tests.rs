//! The processor over captured bytes, with the rules over decoded spans as oracle.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::{
    mesh::{Kiali, Knowledge, Version, model},
    pdata::{Index, admit, write_span},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest as Request,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan},
};
use prost::Message;

fn settings(minor: u16, selector: bool, waypoint: bool) -> Settings {
    let kiali = Kiali {
        version: Version::new(2, minor),
        namespace_selector: selector,
        use_waypoint_name: waypoint,
        ..Kiali::default()
    };
    Settings {
        kiali,
        ..Settings::default()
    }
}

/// A processor with what a shard has around it.
struct Shard {
    keys: Keys,
    mesh: Mesh,
    resources: Resources,
}

impl Shard {
    fn new(settings: &Settings) -> Self {
        let mut keys = Keys::default();
        let current = Current::new(Knowledge::of(settings));
        let mesh = Mesh::new(settings, &current, &mut keys);
        Self {
            keys,
            mesh,
            resources: Resources::default(),
        }
    }

    /// Each span of the request as (resource, span) after the processor.
    fn run(&mut self, request: &[u8], before: impl Fn(&mut Edits)) -> Vec<(Resource, ProtoSpan)> {
        let mut index = Index::default();
        let admitted = admit(request, &self.keys, &mut index).unwrap();
        let mut out = Vec::new();
        for entry in &index.spans {
            let span = Span {
                request: &admitted.bytes,
                index: &index,
                entry,
            };
            let payload = index.resources[entry.resource as usize]
                .resource
                .of(&admitted.bytes);
            let id = self.resources.intern(payload, b"", b"");
            let mut decision = Decision {
                resource: id,
                edits: Edits::default(),
                drop: false,
            };
            before(&mut decision.edits);
            self.mesh.process(&span, &mut self.resources, &mut decision);
            assert!(!decision.drop);
            let mut bytes = Vec::new();
            write_span(entry.bytes.of(&admitted.bytes), &decision.edits, &mut bytes);
            let mut spans = ScopeSpans::decode(&bytes[..]).unwrap().spans;
            let resource = Resource::decode(&self.resources.get(decision.resource).payload[..]);
            out.push((resource.unwrap(), spans.remove(0)));
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

/// What the rules say about each span of the request, done to decoded spans.
fn expected(request: &Request, settings: &Settings) -> Vec<(Resource, ProtoSpan)> {
    let knowledge = Knowledge::of(settings);
    let models = model::spans(request);
    let mut out = Vec::new();
    for group in &request.resource_spans {
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let facts = models[out.len()].facts();
            let verdict = decide(&facts, settings, &knowledge);
            let (mut resource, mut span) =
                (group.resource.clone().unwrap_or_default(), span.clone());
            span.attributes
                .extend(verdict.tags.iter().map(|(key, text)| attr(key, text)));
            if let Some(name) = &verdict.service_name {
                resource.attributes.retain(|kv| kv.key != key::SERVICE_NAME);
                resource.attributes.push(attr(key::SERVICE_NAME, name));
            }
            resource.attributes.extend(
                verdict
                    .resource_tags
                    .iter()
                    .map(|(key, text)| attr(key, text)),
            );
            out.push((resource, span));
        }
    }
    out
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

fn all_settings() -> [Settings; 4] {
    [
        settings(7, true, false),
        settings(30, true, true),
        settings(30, true, false),
        settings(30, false, false),
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

/// Spans that differ only where the key could have overlooked it.
#[test]
fn the_memo_tells_spans_apart() {
    let settings = settings(30, true, false);
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
    let mut shard = Shard::new(&Settings::default());
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

#[test]
fn leaves_keys_for_others() {
    let mut keys = Keys::default();
    let settings = Settings::default();
    let current = Current::new(Knowledge::of(&settings));
    Mesh::new(&settings, &current, &mut keys);
    let more = crate::pdata::MAX_KEYS - 20;
    for key in ["a", "b", "c", "d"].into_iter().take(more) {
        keys.add(key);
    }
}

/// Spans that only share a resource have nothing to say about each other.
#[test]
fn only_the_parent_lends_its_id() {
    let settings = settings(30, true, true);
    let tags = [("component", "proxy"), ("istio.canonical_service", "gw")];
    let mut child = request("label.bookinfo", "x", &tags);
    let mut lender = request("label.bookinfo", "x", &[WAYPOINT]);
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
        let name = if lends { "waypoint.bookinfo" } else { "gw" };
        assert!(got[0].0.attributes.contains(&attr("service.name", name)));
    }
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
        let settings = Settings {
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
