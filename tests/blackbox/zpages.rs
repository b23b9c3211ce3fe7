//! The pages of the extension `zpages`, and `wayspan tap`, which reads one of them: spans are
//! shown while somebody looks, and only then.

use serde_json::Value;
use std::{
    fs,
    process::{Child, Stdio},
};
use testkit::{Backend, Grpc, Setup, Wayspan, binary, get, root, wait_for};

fn request() -> Vec<u8> {
    fs::read(root().join("tests/fixtures/ambient-istio-1.30/000000.pb")).unwrap()
}

fn started(backend: &Backend) -> Wayspan {
    let mesh = "mesh: {kubernetes: off, kiali: {version: '2.30'}}";
    let setup = Setup::to(backend).layer(format!(
        "processors: {{{mesh}}}\n\
         service: {{pipelines: {{traces: {{processors: [mesh, batch]}}}}}}"
    ));
    Wayspan::start(setup)
}

fn page(wayspan: &Wayspan, path: &str) -> String {
    let headers = [("accept", "text/html,application/xhtml+xml")];
    let reply = get(wayspan.pages, path, &headers).unwrap();
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.body
}

fn seen(wayspan: &Wayspan, after: u64) -> Value {
    let path = format!("/debug/tracez?format=json&after={after}");
    serde_json::from_str(&page(wayspan, &path)).unwrap()
}

fn tap(wayspan: &Wayspan, arguments: &[&str]) -> Child {
    let address = format!("http://127.0.0.1:{}", wayspan.pages);
    let mut command = binary();
    command
        .args(["tap", "--address", &address, "--for", "60s"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_shown_while_somebody_looks() {
    let backend = Backend::grpc();
    let wayspan = started(&backend);
    let mut client = Grpc::connect(wayspan.grpc).await;
    // Nobody looks.
    client.export(&request()).await;
    backend.wait(5);
    assert_eq!(seen(&wayspan, 0)["spans"].as_array().unwrap().len(), 0);
    // Now somebody does.
    client.export(&request()).await;
    let spans = seen(&wayspan, 0)["spans"].clone();
    let spans = spans.as_array().unwrap();
    assert_eq!(spans.len(), 5, "{spans:#?}");
    let wanted = "reviews.bookinfo.svc.cluster.local";
    let reviews = spans.iter().find(|span| span["service"] == wanted).unwrap();
    assert_eq!(reviews["emitted"], "waypoint.bookinfo");
    assert_eq!(reviews["hop"], "waypoint");
    assert_eq!(reviews["destination"], "reviews.bookinfo");
    assert_eq!(
        reviews["rule"],
        "the waypoint's destination, in the form this Kiali asks for"
    );
    let pages = reviews["pages"].as_array().unwrap();
    assert!(
        pages.contains(&"service reviews (bookinfo)".into()),
        "{reviews:#}"
    );

    let html = page(&wayspan, "/debug/tracez");
    for part in [
        "<!doctype html>",
        "waypoint.bookinfo",
        "reviews.bookinfo.svc.cluster.local",
        "service reviews (bookinfo)",
        "upstream_cluster=inbound-vip|9080|http|reviews.bookinfo.svc.cluster.local",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    let one = page(&wayspan, &format!("/debug/tracez?service={wanted}"));
    assert!(one.matches("<details>").count() < html.matches("<details>").count());
    assert_eq!(backend.wait(10).len(), 10);
    wayspan.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tap_shows_a_line_a_span() {
    let backend = Backend::grpc();
    let wayspan = started(&backend);
    let mut client = Grpc::connect(wayspan.grpc).await;
    let reviews = tap(&wayspan, &["--page", "service reviews", "--count", "2"]);
    let json = tap(&wayspan, &["--count", "1", "--output", "json"]);
    let mut taps = [reviews, json];
    // They have begun to look once they end, for which spans have to pass.
    wait_for("the taps to end", || {
        let end = |tap: &mut Child| tap.try_wait().unwrap().is_some();
        let ended = taps.iter_mut().all(end);
        tokio::task::block_in_place(|| {
            let runtime = tokio::runtime::Handle::current();
            runtime.block_on(client.export(&request()));
        });
        ended.then_some(())
    });
    let [lines, json] = taps.map(|tap| {
        let output = tap.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(lines.lines().count(), 2, "{lines}");
    for line in lines.lines() {
        let named = "waypoint to reviews.bookinfo: waypoint.bookinfo -> reviews.bookinfo.svc.cluster.local | ";
        assert!(line.contains(named), "{line}");
        assert!(line.contains("service reviews (bookinfo)"), "{line}");
    }
    let span: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(span["pipeline"], "traces");
    wayspan.assert_alive();
}

#[test]
fn a_tap_on_nobody_says_what_is_needed() {
    let address = format!("http://127.0.0.1:{}", testkit::free_port());
    let mut command = binary();
    let output = command
        .args(["tap", "--address", &address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("needs the extension zpages"), "{said}");
}

#[test]
fn the_pages_say_what_the_service_is_made_of() {
    let backend = Backend::grpc();
    let wayspan = started(&backend);
    for (path, parts) in [
        (
            "/debug/servicez",
            &["Runs for", env!("CARGO_PKG_VERSION")][..],
        ),
        (
            "/debug/pipelinez",
            &["otlp → mesh → batch → otlp_grpc", "ACCEPTED"],
        ),
        ("/debug/extensionz", &["health_check", "zpages"]),
        ("/debug/featurez", &["no feature gates"]),
    ] {
        let html = page(&wayspan, path);
        for part in parts {
            assert!(html.contains(part), "{path}: {part} is not in {html}");
        }
        assert!(html.starts_with("<!doctype html>"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }
    // For programs the account stays plain text.
    assert!(wayspan.pipelines().starts_with("Spans by pipeline"));
    let nothing = get(wayspan.pages, "/debug/nothing", &[]).unwrap();
    assert_eq!(nothing.status, 404);
}
