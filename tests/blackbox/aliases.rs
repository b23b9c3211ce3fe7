//! Markers and repairs through the binary: what arrives, and that the account
//! of it adds up.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use testkit::{Backend, Grpc, Setup, Wayspan, root};

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let found = attributes.iter().find(|kv| kv.key == key);
    match found.and_then(|kv| kv.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

fn service(group: &ResourceSpans) -> &str {
    value(&group.resource.as_ref().unwrap().attributes, "service.name")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_arrive_beside_their_spans_and_are_accounted_for() {
    // Twenty visits through the gateway and three waypoints, in one request;
    // the first span of each of the Envoys' requests is made a failed one.
    let visits = root().join("tests/fixtures/ambient-istio-1.30");
    let mut request = ExportTraceServiceRequest::default();
    for file in std::fs::read_dir(visits).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        request.merge(&*bytes).unwrap();
    }
    for group in &mut request.resource_spans {
        let span = &mut group.scope_spans[0].spans[0];
        span.status = None;
        let text = Value::StringValue("true".to_owned());
        let flags = span.attributes.iter_mut();
        let flags = flags.filter(|kv| kv.key == "response_flags");
        for kv in flags {
            kv.key = "error".to_owned();
            kv.value.get_or_insert_default().value = Some(text.clone());
        }
    }
    let groups = request.resource_spans.len();
    let of_group = |group: &ResourceSpans| group.scope_spans[0].spans.clone();
    let sent: Vec<_> = request.resource_spans.iter().flat_map(of_group).collect();
    // A spawned span has its parent in the same request, or it has not.
    let lent = request.resource_spans.iter().map(of_group).map(|spans| {
        let has_parent = |span: &&Span| {
            value(&span.attributes, "node_id").is_empty()
                && spans.iter().any(|s| s.span_id == span.parent_span_id)
        };
        spans.iter().filter(has_parent).count()
    });
    let lent: usize = lent.sum();
    assert_eq!(sent.len(), 100);
    assert!((1..=20).contains(&lent));

    let backend = Backend::grpc();
    let setup = Setup::file(root().join("pipelines/ambient-newest-kiali.yaml"))
        .exporter("otlp_grpc/jaeger", backend.port)
        .layer("processors: {mesh: {aliases: on, kiali: {use_waypoint_name: false}}}");
    let mut wayspan = Wayspan::start(setup);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let reply = client.export(&request.encode_to_vec()).await;
    assert_eq!(reply.grpc_status(), Some(0));
    // Three waypoint spans and the gateway's client span have a second name.
    let (markers, all) = (80, 180);
    let spans = backend.wait(all);
    assert_eq!(spans.len(), all);

    let mut names = Vec::new();
    for group in backend.resource_spans() {
        let [scope] = &group.scope_spans[..] else {
            panic!("one scope a resource: {group:?}")
        };
        let made = scope.scope.as_ref().is_some_and(|s| s.name == "wayspan");
        for span in &scope.spans {
            assert_eq!(value(&span.attributes, "wayspan.synthetic") == "true", made);
            if !made {
                continue;
            }
            let parent = spans.iter().find(|s| s.span_id == span.parent_span_id);
            let parent = parent.unwrap();
            assert_eq!((span.kind, &span.trace_id), (1, &parent.trace_id));
            assert_eq!(span.status, parent.status);
            let times = (span.start_time_unix_nano, span.end_time_unix_nano);
            let parents = (parent.start_time_unix_nano, parent.end_time_unix_nano);
            assert_eq!(times, parents);
            assert_eq!(value(&span.attributes, "istio.cluster_id"), "Kubernetes");
            let id = value(&span.attributes, "node_id");
            let of_waypoint = service(&group) == "waypoint.bookinfo";
            assert_eq!(id.starts_with("waypoint~"), of_waypoint, "{id}");
            assert!(of_waypoint || id.is_empty(), "{id}");
            names.push((service(&group).to_owned(), span.name.clone()));
        }
    }
    assert_eq!(names.len(), markers);
    names.sort();
    names.dedup();
    let host = |app: &str| format!("{app}.bookinfo.svc.cluster.local");
    let waypoint = |app| ("waypoint.bookinfo".to_owned(), host(app));
    let want = [
        (host("productpage"), host("productpage")),
        waypoint("productpage"),
        waypoint("ratings"),
        waypoint("reviews"),
    ];
    assert_eq!(names, want);
    let failed = spans.iter().filter(|span| {
        span.status.as_ref().is_some_and(|status| status.code == 2)
            && value(&span.attributes, "error") == "true"
    });
    assert_eq!(failed.count(), groups);

    let page = wayspan.page();
    for (series, want) in [
        ("wayspan_mesh_alias_spans{processor=\"mesh\"}", markers),
        (
            "wayspan_mesh_repairs{processor=\"mesh\",repair=\"status\"}",
            groups,
        ),
        (
            "wayspan_mesh_repairs{processor=\"mesh\",repair=\"node_id\"}",
            lent,
        ),
        (
            "wayspan_mesh_repairs{processor=\"mesh\",repair=\"span_name\"}",
            20,
        ),
        (
            "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"}",
            sent.len(),
        ),
        (
            "otelcol_processor_incoming_items{processor=\"mesh\"}",
            sent.len(),
        ),
        ("otelcol_processor_outgoing_items{processor=\"mesh\"}", all),
        ("otelcol_processor_incoming_items{processor=\"batch\"}", all),
    ] {
        let sum = page.sum(series).map(|sum| sum as usize);
        assert_eq!(sum, Some(want), "{series}\n{}", page.text());
    }
    wayspan.stop();
    let log = wayspan.log();
    let line = format!(
        "accepted {}, added as aliases {markers}; otlp_grpc/jaeger: delivered {all}, failed 0",
        sent.len()
    );
    assert!(log.contains(&line), "{log}");
}
