//! The faults, each by itself and in pairs.

use super::{causes, change, exit_code, healthy, judge};
use serde_json::{Value, json};

/// A fault: its name, what is changed, the check that finds it, words of what is said, and
/// words of the fix.
type Fault = (
    &'static str,
    Vec<(&'static str, Value)>,
    &'static str,
    &'static str,
    &'static str,
);

pub(super) fn rule(key: &'static str) -> &'static str {
    match key {
        "sampling" => "/kubernetes/telemetries/got/0/spec/tracing/0/randomSamplingPercentage",
        "disabled" => "/kubernetes/telemetries/got/0/spec/tracing/0/disableSpanReporting",
        "tags" => "/kubernetes/telemetries/got/0/spec/tracing/0/enableIstioTags",
        _ => panic!("{key}"),
    }
}

fn failed(kind: &str) -> Value {
    json!({"failed": {"kind": kind, "cause": "no answer"}})
}

/// Jaeger has spans of these services.
fn held(services: &[&str]) -> Vec<(&'static str, Value)> {
    vec![
        ("/jaegers/0/http/got/services", json!(services)),
        ("/jaegers/0/recent", json!({})),
        ("/jaegers/0/pages", json!({})),
    ]
}

#[rustfmt::skip]
fn faults() -> Vec<Fault> {
    vec![
        ("no provider", vec![("/kubernetes/mesh_config/got/extensionProviders/1", Value::Null), ("/kubernetes/provider_services/0", Value::Null)],
            "tracing-provider", "no provider sends spans to a collector", "extensionProviders:"),
        ("no Service", vec![("/kubernetes/provider_services/0/service/got", Value::Null), ("/kubernetes/provider_services/0/service", json!({"got": null})), ("/kubernetes/provider_services/0/endpoints/got", json!([]))],
            "provider-service", "there is no such Service", "kind: Service"),
        ("short name", vec![("/kubernetes/mesh_config/got/extensionProviders/1/opentelemetry/service", json!("istio-collector.istio-system"))],
            "provider-service", "istiod does not complete", "istio-collector.istio-system.svc.cluster.local"),
        ("unknown host", vec![("/kubernetes/mesh_config/got/extensionProviders/1/opentelemetry/service", json!("otel.example.com"))],
            "provider-service", "which Istio does not know", "kind: ServiceEntry"),
        ("no port", vec![("/kubernetes/mesh_config/got/extensionProviders/1/opentelemetry/port", json!(14317))],
            "provider-port", "which Service istio-system/istio-collector does not have", "\"port\":14317"),
        ("port named http", vec![("/kubernetes/provider_services/0/service/got/spec/ports/0/name", json!("http"))],
            "provider-port", "proxies speak HTTP/1.1", "/spec/ports/0/appProtocol"),
        ("appProtocol http", vec![("/kubernetes/provider_services/0/service/got/spec/ports/0/appProtocol", json!("http"))],
            "provider-port", "proxies speak HTTP/1.1", "\"value\":\"grpc\""),
        ("no endpoints", vec![("/kubernetes/provider_services/0/endpoints/got", json!([]))],
            "provider-endpoints", "has no ready endpoint", "get pods -l 'app=wayspan'"),
        ("unready endpoints", vec![("/kubernetes/provider_services/0/endpoints/got/0/endpoints/0/conditions/ready", json!(false))],
            "provider-endpoints", "has no ready endpoint", "get pods"),
        ("no Telemetry", vec![("/kubernetes/telemetries/got", json!([]))],
            "telemetry-provider", "nothing makes proxies report spans", "kind: Telemetry"),
        ("Telemetry without a provider", vec![("/kubernetes/telemetries/got/0/spec/tracing/0/providers", json!([]))],
            "telemetry-provider", "nothing makes proxies report spans", "/spec/tracing/0/providers"),
        ("a provider that is not defined", vec![("/kubernetes/telemetries/got/0/spec/tracing/0/providers/0/name", json!("oteel"))],
            "telemetry-provider", "select provider oteel, which is not defined", "\"name\":\"otel\""),
        ("Telemetry of shop alone", vec![("/kubernetes/telemetries/got/0/metadata/namespace", json!("shop"))],
            "telemetry-waypoint", "waypoint bookinfo/waypoint reports no spans", "namespace: bookinfo"),
        ("Telemetry of bookinfo alone", vec![("/kubernetes/telemetries/got/0/metadata/namespace", json!("bookinfo"))],
            "telemetry-provider", "the sidecars of shop report no spans", "namespace: shop"),
        ("sampling 0", vec![(rule("sampling"), json!(0))],
            "sampling", "no request is sampled", "/spec/tracing/0/randomSamplingPercentage"),
        ("sampling 0 of some Pods", vec![("/kubernetes/telemetries/got/-", json!({"metadata": {"namespace": "shop", "name": "cart"},
            "spec": {"selector": {"matchLabels": {"app": "cart"}}, "tracing": [{"randomSamplingPercentage": 0}]}}))],
            "sampling", "the sidecars of shop with app=cart: no request is sampled", "-n shop patch telemetries.telemetry.istio.io cart"),
        ("reporting off", vec![(rule("disabled"), json!(true))],
            "span-reporting", "switched off", "\"value\":false"),
        ("tags off", vec![(rule("tags"), json!(false))],
            "istio-tags", "lack istio.cluster_id", "\"value\":true"),
        ("waypoint not in use", vec![("/kubernetes/namespaces/got/0/metadata/labels/istio.io~1use-waypoint", Value::Null)],
            "waypoint-used", "use no waypoint", "kubectl label namespace bookinfo istio.io/use-waypoint=waypoint"),
        ("no waypoint", vec![("/kubernetes/namespaces/got/0/metadata/labels/istio.io~1use-waypoint", Value::Null), ("/kubernetes/gateways/got", json!([]))],
            "waypoint-used", "use no waypoint", "gatewayClassName: istio-waypoint"),
        ("waypoint gone", vec![("/kubernetes/gateways/got", json!([]))],
            "waypoint-used", "use waypoint bookinfo/waypoint, which is not there", "gatewayClassName: istio-waypoint"),
        ("waypoint for workloads", vec![("/kubernetes/gateways/got/0/metadata/labels/istio.io~1waypoint-for", json!("workload"))],
            "waypoint-used", "does not take requests for Services", "istio.io/waypoint-for=service"),
        ("waypoint not programmed", vec![("/kubernetes/gateways/got/0/status/conditions/1", json!({"type": "Programmed", "status": "False", "reason": "Invalid", "message": "no class"}))],
            "waypoint-ready", "is not programmed", "describe gateway waypoint"),
        ("waypoint without Pods", vec![("/kubernetes/pods/got/0", Value::Null)],
            "waypoint-ready", "no Pod of waypoint bookinfo/waypoint is ready", "describe pods"),
        ("agentgateway", vec![("/kubernetes/gateways/got/1/spec/gatewayClassName", json!("istio-agentgateway"))],
            "agentgateway", "is an agentgateway", "\"gatewayClassName\":\"istio\""),
        ("outside of the mesh", vec![("/scope/namespaces", json!(["default"]))],
            "mesh-members", "namespace default is not in the mesh", "kubectl label namespace default"),
        ("no such namespace", vec![("/scope/namespaces", json!(["bookinfo", "bokinfo"]))],
            "mesh-members", "there is no namespace bokinfo", ""),
        ("no istiod", vec![("/kubernetes/istiods/got", json!([]))],
            "istio-version", "istiod does not run", "--istio-namespace"),
        ("istiod not ready", vec![("/kubernetes/istiods/got/0/status/conditions/0/status", json!("False"))],
            "istio-version", "no istiod is ready", "describe pod istiod-1"),
        ("proxy without tracing", vec![("/proxies/0/dump/got/managers", json!([{"listener": "main_internal", "chain": "inbound-vip|9080|http|reviews"}]))],
            "proxy-tracing", "does not trace, whatever Telemetries say", "kubectl -n bookinfo rollout restart deployment waypoint"),
        ("proxy without the cluster", vec![("/proxies/0/dump/got/clusters", json!([]))],
            "proxy-cluster", "to a cluster that it does not have", "exportTo"),
        ("proxy without a healthy host", vec![("/proxies/0/healthy/got", json!({"outbound|4317||istio-collector.istio-system.svc.cluster.local": 0}))],
            "proxy-cluster", "finds no healthy collector", "Pods"),
        ("collector down", vec![("/collector/grpc", failed("unreachable")), ("/collector/http", failed("unreachable")), ("/collector/metrics", Value::Null)],
            "collector-grpc", "does not take OTLP over gRPC", "NetworkPolicy"),
        ("collector on another port", vec![("/collector/grpc", failed("malformed"))],
            "collector-grpc", "does not take OTLP over gRPC", "4317"),
        ("nothing arrives", vec![("/collector/metrics/got/later", json!({"accepted": 0})), ("/collector/metrics/got/counts", json!({}))],
            "collector-accepts", "no span has come to the collector", "Send requests"),
        ("refused", vec![("/collector/metrics/got/later/refused", json!(7))],
            "collector-accepts", "the collector refuses spans", "memory"),
        ("export fails", vec![("/collector/metrics/got/later/sent", json!(0)), ("/collector/metrics/got/counts/sent", json!(0))],
            "collector-sends", "its backend takes none of them", "log"),
        ("export loses", vec![("/collector/metrics/got/later/failed", json!(3))],
            "collector-sends", "loses spans on the way", "log"),
        ("Jaeger down", vec![("/jaegers/0/http", failed("unreachable")), ("/jaegers/0/grpc", failed("unreachable"))],
            "jaeger-reachable", "no Jaeger answers", "16685 is gRPC"),
        ("no Jaeger", vec![("/jaegers/0/http/got", json!({"status": 404}))],
            "jaeger-reachable", "no Jaeger answers", "whether the address and the scheme"),
        ("TLS", vec![("/jaegers/0/http", failed("malformed")), ("/jaegers/0/other_scheme", json!("https://jaeger.observability:16686/jaeger"))],
            "jaeger-reachable", "Jaeger answers at https://jaeger.observability:16686/jaeger", "internal_url: \"https://jaeger.observability:16686/jaeger\""),
        ("Jaeger without searches", vec![("/jaegers/0/http/got", json!({"status": 404, "has_v3": true}))],
            "jaeger-search", "no /api/services and /api/traces any more", "use_grpc: true"),
        ("Jaeger empty", vec![("/jaegers/0/http/got/services", json!(["jaeger"])), ("/jaegers/0/recent", json!({}))],
            "jaeger-services", "no spans of any service", "storage"),
        ("tracing off in Kiali", vec![("/kialis/got/0/tracing/enabled", json!(false))],
            "kiali-tracing", "tracing is off in Kiali", "enabled: true"),
        ("gRPC to 16686", vec![("/kialis/got/0/tracing/useGrpc", json!(true))],
            "kiali-protocol", "Kiali speaks gRPC to http://jaeger.observability:16686/jaeger, where Jaeger speaks HTTP", "http://jaeger.observability:16685/jaeger"),
        ("HTTP to 16685", vec![("/jaegers/0/grpc", json!({"got": ["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart.shop"]})), ("/jaegers/0/http", failed("malformed"))],
            "kiali-protocol", "Kiali speaks HTTP to", "use_grpc: true"),
        ("wrong base path", vec![("/jaegers/0/http/got/services", Value::Null), ("/jaegers/0/http/got/base", json!("/query")), ("/jaegers/0/http/got/status", json!(404))],
            "kiali-path", "Jaeger answers below http://jaeger.observability:16686/query", "internal_url: \"http://jaeger.observability:16686/query\""),
        ("OAuth2 over gRPC", vec![("/kialis/got/0/tracing/useGrpc", json!(true)), ("/kialis/got/0/tracing/authType", json!("oauth2")), ("/jaegers/0/grpc", json!({"got": ["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart.shop"]}))],
            "kiali-oauth", "does not send OAuth2 credentials over gRPC", "bearer"),
        ("wrong cluster", vec![("/kialis/got/0/clusterName", json!("east")), ("/jaegers/0/recent/reviews.bookinfo.svc.cluster.local", json!("untagged"))],
            "kiali-cluster", "Kiali asks for spans of cluster east", "cluster_name: Kubernetes"),
        ("untagged", vec![("/jaegers/0/recent/cart.shop", json!("untagged"))],
            "names-tags", "spans lack what Kiali asks for besides the name, istio.cluster_id=Kubernetes", "cluster_name"),
        ("waypoint names", held(&["waypoint.bookinfo", "cart.shop"]),
            "names-asked", "spans are named after the waypoint: 6 pages are empty", "use_waypoint_name: true"),
        ("host names", [held(&["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart.shop"]), vec![("/kialis/got/0/useWaypointName", json!(true))]].concat(),
            "names-asked", "spans are named after the Service's host", "use_waypoint_name: false"),
        ("upper case", held(&["Reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart.shop"]),
            "names-asked", "in upper and lower case: 3 pages are empty", "wayspan"),
        ("selector on", held(&["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart"]),
            "names-asked", "spans are named without", "namespace_selector: false"),
        ("selector off", vec![("/kialis/got/0/namespaceSelector", json!(false))],
            "names-asked", "spans are named with it", "namespace_selector: true"),
        ("trust domain", vec![("/kubernetes/mesh_config/got/trustDomain", json!("corp.example"))],
            "names-asked", "another domain", "istio_identity_domain"),
        ("separator", held(&["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart-shop"]),
            "names-asked", "separators", "rename"),
        ("other label", held(&["reviews.bookinfo.svc.cluster.local", "ratings.bookinfo.svc.cluster.local", "cart.shop"]).into_iter().chain([
            ("/kubernetes/pods/got/2/metadata/labels/app.kubernetes.io~1name", json!("shop-reviews"))]).collect(),
            "names-asked", "another label than the one that Kiali takes for the app: 1 page is empty", "app_label_name"),
        ("of another cluster", vec![("/jaegers/0/recent/cart.shop", json!({"of_cluster": "west"}))],
            "names-tags", "spans are of cluster west, and Kiali asks for istio.cluster_id=Kubernetes", "cluster_name: \"west\""),
        ("filtered", vec![("/jaegers/0/pages/workload bookinfo~1reviews-v1", json!("dropped"))],
            "names-kept", "Kiali drops all traces that its questions return: 1 page is empty", "istio.destination_"),
        ("nothing near", held(&["something.else"]),
            "names-silent", "Jaeger has no spans for", "Send requests"),
    ]
}

pub(super) fn changed(changes: &[(&str, Value)]) -> Value {
    let mut facts = healthy();
    for (pointer, value) in changes {
        change(&mut facts, pointer, value);
    }
    facts
}

#[test]
fn each_fault_is_the_first_cause() {
    for (name, changes, check, words, fix) in faults() {
        let all = judge(&changed(&changes));
        let found = causes(&all);
        let first = found
            .first()
            .unwrap_or_else(|| panic!("{name}: nothing found"));
        assert_eq!(first.check, check, "{name}: {found:#?}");
        assert!(first.what.contains(words), "{name}: {}", first.what);
        let told = format!(
            "{}\n{}",
            first.fix.text,
            first.fix.command.clone().unwrap_or_default()
        );
        assert!(told.contains(fix), "{name}: {told}");
        assert!(!first.evidence.is_empty(), "{name}");
        assert_eq!(exit_code(&all), 1, "{name}");
    }
}

/// Faults that make others meaningless, or change the same thing, cannot be told apart.
fn meet(one: &Fault, other: &Fault) -> bool {
    let touch = one.1.iter().any(|(a, _)| {
        other
            .1
            .iter()
            .any(|(b, _)| a.starts_with(b) || b.starts_with(a))
    });
    let of = |fault: &Fault| {
        let hides = [
            "no provider",
            "no Service",
            "unknown host",
            "short name",
            "no Telemetry",
            "no waypoint",
            "waypoint gone",
            "outside of the mesh",
            "no such namespace",
            "waypoint not in use",
            "Telemetry without a provider",
            "Telemetry of shop alone",
            "Telemetry of bookinfo alone",
            "a provider that is not defined",
            "no port",
        ];
        hides.contains(&fault.0)
    };
    // Behind the collector one fault hides the next: nobody sees names where nobody answers.
    let behind = |fault: &Fault| {
        let mut links = ["jaeger-", "kiali-", "names-"].into_iter();
        links.any(|link| fault.2.starts_with(link))
    };
    let inside = one.2.starts_with("proxy-") && other.2.starts_with("proxy-");
    let both = [one.0, other.0];
    let one_number = both.contains(&"export fails") && both.contains(&"export loses");
    let unknown_cluster = both.contains(&"no istiod") && both.contains(&"wrong cluster");
    touch
        || of(one)
        || of(other)
        || (behind(one) && behind(other))
        || inside
        || one_number
        || unknown_cluster
}

#[test]
fn of_two_faults_both_are_named() {
    let all = faults();
    let mut pairs = 0;
    for (at, one) in all.iter().enumerate() {
        for other in all.iter().skip(at + 1).filter(|other| !meet(one, other)) {
            // Lists lose their first element last.
            let mut changes = [one.1.clone(), other.1.clone()].concat();
            changes.sort_by_key(|(_, value)| value.is_null());
            let checked = judge(&changed(&changes));
            let found = causes(&checked);
            for fault in [one, other] {
                let named = found.iter().any(|cause| {
                    let explained = cause.explains.iter().any(|what| what.contains(fault.3));
                    (cause.check == fault.2 && cause.what.contains(fault.3)) || explained
                });
                assert!(named, "{} with {}: {found:#?}", one.0, other.0);
            }
            pairs += 1;
        }
    }
    assert!(pairs > 500, "{pairs}");
}
