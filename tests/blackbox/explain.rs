//! `wayspan explain`: what it says of spans recorded from real Envoys, by the rules that the
//! processor follows.

use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Output, Stdio},
};
use tempfile::TempDir;
use testkit::{binary, root};

fn capture() -> PathBuf {
    root().join("tests/fixtures/ambient-istio-1.30/000000.pb")
}

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = binary();
    command.arg("explain").args(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that is refused for its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What is said of the capture, as JSON.
fn account(arguments: &[&str]) -> Value {
    let arguments = [&["-", "--output", "json"], arguments].concat();
    let output = explain(&arguments, &fs::read(capture()).unwrap());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The waypoint's spans that went to a Service of bookinfo.
fn to_service<'a>(account: &'a Value, service: &str) -> &'a Value {
    let spans = account["spans"].as_array().unwrap();
    let mut spans = spans.iter();
    let wanted =
        |span: &&Value| span["hop"] == "waypoint" && span["destination"]["service"] == service;
    spans.find(wanted).unwrap()
}

#[test]
fn the_scheme_of_the_kiali_decides_the_name_and_the_pages() {
    for (arguments, name, page) in [
        (&[][..], "reviews.bookinfo.svc.cluster.local", "only now"),
        (
            &["--use-waypoint-name=true"],
            "waypoint.bookinfo",
            "as before",
        ),
        (
            &["--kiali-version", "2.7", "--namespace-selector", "false"],
            "waypoint",
            "only now",
        ),
    ] {
        let account = account(arguments);
        let span = to_service(&account, "reviews");
        assert_eq!(span["service_name"]["emitted"], "waypoint.bookinfo");
        assert_eq!(span["service_name"]["now"], name, "{arguments:?}");
        assert_eq!(
            span["rule"],
            "the waypoint's destination, in the form this Kiali asks for"
        );
        let pages = span["pages"].as_array().unwrap();
        let mut of_service = pages.iter();
        let found = of_service.find(|found| found["page"] == "service reviews (bookinfo)");
        let found = found.unwrap_or_else(|| panic!("{arguments:?}: {span:#}"));
        assert_eq!(found["asks_for"], name);
        assert_eq!(found["as_emitted"], page == "as before", "{arguments:?}");
        assert_eq!(found["now"], "by_span");
        let (before, now) = (&account["pages"]["as_emitted"], &account["pages"]["now"]);
        assert!(now.as_u64() >= before.as_u64(), "{account:#}");
    }
}

#[test]
fn spans_of_one_hop_share_a_paragraph() {
    let file = capture();
    let output = explain(&[file.to_str().unwrap()], b"");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for line in [
        "For Kiali 2.30 (namespace_selector true, use_waypoint_name false): waypoint spans are named <app>",
        "waypoint: reviews.bookinfo.svc.cluster.local:9080/*",
        "  went to  app reviews, service reviews, namespace bookinfo",
        "  named    waypoint.bookinfo -> reviews.bookinfo.svc.cluster.local",
        "  page     service reviews (bookinfo), only now",
    ] {
        assert!(said.contains(line), "{line}\nis not in\n{said}");
    }
}

#[test]
fn the_settings_may_be_those_of_a_configuration() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("collector.yaml");
    let write = |processors: &str| {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}\n\
             processors: {{{processors}}}\n\
             exporters: {{debug: {{}}}}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], processors: [mesh], exporters: [debug]}}}}}}\n"
        );
        fs::write(&file, text).unwrap();
    };
    let config = ["--config", file.to_str().unwrap()];
    write("mesh: {kubernetes: off, tags: {env: test}, kiali: {use_waypoint_name: true}}");
    let said = account(&config);
    let span = to_service(&said, "reviews");
    assert_eq!(span["service_name"]["now"], "waypoint.bookinfo");
    assert_eq!(span["adds"]["env"], "test");

    write("mesh: {kiali: {use_waypoint_name: maybe}}");
    let output = explain(&[&["-"][..], &config].concat(), b"{}");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("use_waypoint_name"), "{said}");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (arguments, input, said) in [
        (&["nowhere.pb"][..], &b""[..], "cannot explain nowhere.pb"),
        (&["-"], b"rubbish", "cannot explain -"),
        (&["-"], b"{}", "it has no spans"),
        (
            &["-", "--config", "a.yaml", "--kiali-version", "2.7"],
            b"",
            "cannot be used with",
        ),
    ] {
        let output = explain(arguments, input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said), "{arguments:?}: {error}");
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(output.stdout, b"");
    }
}
