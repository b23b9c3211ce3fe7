//! Names follow a Kiali that is asked over HTTP.

use crate::spans::{request, span, text};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;
use testkit::{
    Backend, Grpc, Setup, Wayspan, free_port,
    kiali::{Kiali, Says},
};
use tokio_rustls::{TlsAcceptor, rustls};

const OLD: Says = Says {
    version: "v2.7.1",
    namespace_selector: true,
    use_waypoint_name: None,
    identity_domain: "svc.cluster.local",
    session: false,
};
const NEW: Says = Says {
    version: "v2.30.0",
    namespace_selector: false,
    use_waypoint_name: Some(false),
    identity_domain: "svc.td.example",
    session: false,
};

/// A span of a waypoint, as Istio 1.30 sends it but for `istio.cluster_id`.
fn waypoint_span(n: u64) -> Vec<u8> {
    let mut span = span(n, "reviews.bookinfo.svc.cluster.local:9080/*");
    span.kind = 2;
    span.attributes = vec![
        text(
            "node_id",
            "waypoint~10.244.0.28~waypoint-5b7c754ccb-55jwk.bookinfo~bookinfo.svc.cluster.local",
        ),
        text("component", "proxy"),
        text(
            "upstream_cluster",
            "inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local",
        ),
    ];
    request("waypoint.bookinfo", vec![span]).encode_to_vec()
}

/// Sends the span with id `n`; its service name and cluster at the backend.
async fn named(wayspan: &Wayspan, backend: &Backend, n: u64) -> (String, String) {
    let mut client = Grpc::connect(wayspan.grpc).await;
    assert_eq!(
        client.export(&waypoint_span(n)).await.grpc_status(),
        Some(0)
    );
    backend.wait(usize::try_from(n).unwrap());
    let value = |attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str| {
        let found = attributes.iter().find(|a| a.key == key).cloned();
        match found.and_then(|a| a.value?.value) {
            Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => {
                text
            }
            _ => String::new(),
        }
    };
    let all = backend.resource_spans();
    let of_span = all.iter().find_map(|resource_spans| {
        let mut spans = resource_spans
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans);
        let span = spans.find(|span| span.span_id == n.to_be_bytes())?;
        let resource = resource_spans.resource.as_ref()?;
        Some((
            value(&resource.attributes, "service.name"),
            value(&span.attributes, "istio.cluster_id"),
        ))
    });
    of_span.unwrap()
}

fn pair(name: &str, cluster: &str) -> (String, String) {
    (name.to_owned(), cluster.to_owned())
}

/// The series of a scheme.
fn scheme(form: &str, selector: bool, version: &str, source: &str) -> String {
    format!(
        "wayspan_kiali_scheme{{processor=\"mesh\",form=\"{form}\",namespace_selector=\"{selector}\",\
         version=\"{version}\",source=\"{source}\"}}"
    )
}

/// A pipeline with the processor `mesh` of these settings, in flow style.
fn with_mesh(settings: &str) -> String {
    format!(
        "processors: {{mesh: {settings}}}\n\
         service: {{pipelines: {{traces: {{processors: [memory_limiter, mesh, batch]}}}}}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn names_follow_a_change_and_stay_when_kiali_is_out_of_order() {
    let (backend, port) = (Backend::grpc(), free_port());
    let kiali = Kiali::serve(port, OLD, None).await;
    let mesh = format!(
        "{{kiali: {{url: 'http://127.0.0.1:{port}/kiali/', token: s3cret-token, poll_interval: 100ms}}}}"
    );
    let setup = Setup::to(&backend).layer(with_mesh(&mesh));
    let mut wayspan = Wayspan::start(setup);
    let old = scheme("waypoint", true, "2.7", "url");
    wayspan.wait_metric(&old, |value| value == 1.0);
    assert_eq!(
        named(&wayspan, &backend, 1).await,
        pair("waypoint.bookinfo", "east")
    );

    kiali.now_says(Some(NEW));
    let new = scheme("host", false, "2.30", "url");
    wayspan.wait_metric(&new, |value| value == 1.0);
    assert_eq!(wayspan.metric(&old), Some(0.0));
    assert_eq!(
        named(&wayspan, &backend, 2).await,
        pair("reviews.svc.td.example", "east")
    );
    wayspan.wait_said("<app>.svc.td.example: Kiali 2.30 with use_waypoint_name off");

    kiali.now_says(None);
    let errors = "wayspan_kiali_read_errors{processor=\"mesh\"}";
    let before = wayspan.metric(errors).unwrap();
    wayspan.wait_metric(errors, |value| value >= before + 3.0);
    assert_eq!(wayspan.metric(&new), Some(1.0));
    assert_eq!(
        named(&wayspan, &backend, 3).await,
        pair("reviews.svc.td.example", "east")
    );
    wayspan.wait_said("/api/tracing is answered with 500");

    kiali.now_says(Some(OLD));
    wayspan.wait_metric(&old, |value| value == 1.0);
    wayspan.wait_said("can be read again");
    let read = "wayspan_kiali_last_read_timestamp_seconds{processor=\"mesh\"}";
    assert!(wayspan.metric(read).unwrap() > 1e9);

    wayspan.stop();
    let log = wayspan.log();
    assert_eq!(
        log.matches("answered with 500").count(),
        1,
        "once per cause: {log}"
    );
    assert!(!log.contains("s3cret-token"), "{log}");
    let tokens = kiali.tokens();
    assert!(tokens.iter().all(|token| token == "Bearer s3cret-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiali_that_comes_later_does_not_delay_the_start() {
    let (backend, port) = (Backend::grpc(), free_port());
    let mesh = format!(
        "{{kiali: {{url: 'http://127.0.0.1:{port}/kiali', poll_interval: 100ms, \
         namespace_selector: true}}, cluster_id: west}}"
    );
    let setup = Setup::to(&backend).layer(with_mesh(&mesh));
    let wayspan = Wayspan::start(setup);
    wayspan.wait_said("connection refused");
    let default = scheme("host", true, "2.30", "static");
    assert_eq!(wayspan.metric(&default), Some(1.0));
    assert_eq!(
        named(&wayspan, &backend, 1).await,
        pair("reviews.bookinfo.svc.cluster.local", "west")
    );
    let kiali = Kiali::serve(port, NEW, None).await;
    // The file's keys win, and it is said where Kiali says otherwise.
    let followed = scheme("host", true, "2.30", "url");
    wayspan.wait_metric(&followed, |value| value == 1.0);
    assert_eq!(
        named(&wayspan, &backend, 2).await,
        pair("reviews.bookinfo.svc.td.example", "west")
    );
    wayspan.wait_said("kiali.namespace_selector: true, which wins, but Kiali says false");
    assert!(kiali.tokens().iter().all(String::is_empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_begun_with_the_token_where_kiali_wants_one() {
    let (backend, port, dir) = (Backend::grpc(), free_port(), tempfile::tempdir().unwrap());
    let says = Says {
        session: true,
        ..OLD
    };
    let kiali = Kiali::serve(port, says, None).await;
    let file = dir.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    let mesh = format!(
        "{{kiali: {{url: 'http://127.0.0.1:{port}/kiali', poll_interval: 100ms, token_file: {}}}}}",
        file.display()
    );
    let setup = Setup::to(&backend).layer(with_mesh(&mesh));
    let wayspan = Wayspan::start(setup);
    wayspan.wait_said("Kiali does not accept the token");
    std::fs::write(&file, "s3cret-token\n").unwrap();
    let followed = scheme("waypoint", true, "2.7", "url");
    wayspan.wait_metric(&followed, |value| value == 1.0);
    let tokens = kiali.tokens();
    assert!(tokens.iter().all(|token| token == "Bearer s3cret-token"));
    assert!(!wayspan.log().contains("s3cret-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiali_behind_tls_is_verified() {
    let authority = || {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ca, stranger) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let (backend, port, dir) = (Backend::grpc(), free_port(), tempfile::tempdir().unwrap());
    let file = dir.path().join("ca.pem");
    let _kiali = Kiali::serve(port, OLD, Some(TlsAcceptor::from(Arc::new(server)))).await;
    let url = format!("url: 'https://127.0.0.1:{port}/kiali', poll_interval: 100ms");
    let trusting = format!("{{kiali: {{{url}, tls: {{ca_file: {}}}}}}}", file.display());
    let setup = |mesh| Setup::to(&backend).layer(with_mesh(mesh));
    let wayspan = Wayspan::start(setup(&trusting));
    // The CA's certificate may come late, and be another than before.
    wayspan.wait_said("kiali.tls.ca_file");
    std::fs::write(&file, stranger.pem()).unwrap();
    wayspan.wait_said("signed by a CA that is not trusted");
    std::fs::write(&file, ca.pem()).unwrap();
    let followed = scheme("waypoint", true, "2.7", "url");
    wayspan.wait_metric(&followed, |value| value == 1.0);
}
