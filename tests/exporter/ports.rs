//! Pointed at the wrong port: the error says which port it is and what to do.

use crate::{support::*, tls::TestCa};
use std::time::Duration;
use wayspan::{
    exporter::otlp::Encoding,
    exporter::{
        Outcome, Sender,
        otlp::{OtlpGrpc, OtlpHttp},
    },
    pdata::Signal,
    telemetry::Count,
    tls::ClientTls,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// One attempt of the gRPC exporter's client: cause and whether a setting is
/// to blame.
pub async fn grpc_cause(url: String, tls: Option<ClientTls>) -> (String, bool) {
    grpc_attempt(url, tls, TIMEOUT).await
}

pub async fn grpc_cause_within(url: String, timeout: Duration) -> (String, bool) {
    grpc_attempt(url, None, timeout).await
}

async fn grpc_attempt(url: String, tls: Option<ClientTls>, timeout: Duration) -> (String, bool) {
    let mut settings = client(url);
    settings.tls = tls;
    let grpc = OtlpGrpc::build(&settings, options(timeout)).unwrap();
    let payload = grpc.prepare(Signal::Traces, &batch(0..3).chunks).unwrap();
    cause(limit(grpc.send(&payload, &Count::default())).await)
}

pub async fn http_cause(url: String, tls: Option<ClientTls>) -> (String, bool) {
    http_attempt(url, tls, TIMEOUT).await
}

/// With no certificate verified.
pub async fn http_cause_within(url: String, timeout: Duration) -> (String, bool) {
    let tls = ClientTls {
        insecure_skip_verify: true,
        ..ClientTls::default()
    };
    http_attempt(url, Some(tls), timeout).await
}

async fn http_attempt(url: String, tls: Option<ClientTls>, timeout: Duration) -> (String, bool) {
    let mut settings = client(url);
    settings.tls = tls;
    let http = OtlpHttp::build(
        &settings,
        |_| Some(settings.url.clone()),
        Encoding::Proto,
        options(timeout),
    )
    .unwrap();
    let payload = http.prepare(Signal::Traces, &batch(0..3).chunks).unwrap();
    cause(limit(http.send(&payload, &Count::default())).await)
}

fn cause(outcome: Outcome) -> (String, bool) {
    match outcome {
        Outcome::Retry {
            cause,
            misconfigured,
            ..
        } => (cause, misconfigured),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, address) = listen().await;
    drop(listener);
    let (grpc, blamed) = grpc_cause(format!("http://{address}"), None).await;
    assert!(
        grpc.contains(&format!("connection refused by {address}")),
        "{grpc}"
    );
    assert!(grpc.contains("OTLP/gRPC port (4317)") && !blamed, "{grpc}");
    let (http, blamed) = http_cause(format!("http://{address}/v1/traces"), None).await;
    assert!(http.contains("OTLP/HTTP port (4318)") && !blamed, "{http}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let (cause, blamed) = grpc_cause("http://jaeger.invalid:4317".into(), None).await;
    assert!(
        cause.contains("cannot resolve jaeger.invalid:4317") && !blamed,
        "{cause}"
    );
}

#[tokio::test]
async fn grpc_to_an_http_port() {
    // Answers what it does not understand with HTTP/1.1, as most servers do.
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut preface = [0; 24];
            socket.read_exact(&mut preface).await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request";
            socket.write_all(answer).await.unwrap();
            // Read on, so that the closing is no reset that overtakes the answer.
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        }
    });
    let (cause, blamed) = grpc_cause(format!("http://{address}"), None).await;
    assert!(
        cause.contains("HTTP/1.1: use otlp_http") && blamed,
        "{cause}"
    );
}

#[tokio::test]
async fn http_to_a_grpc_port() {
    let (address, _) = grpc_server(|_, _| Reply::Ok).await;
    let (cause, blamed) = http_cause(format!("http://{address}/v1/traces"), None).await;
    assert!(
        cause.contains("404") || cause.contains("use otlp_grpc"),
        "{cause}"
    );
    assert!(blamed, "{cause}");
}

#[tokio::test]
async fn plaintext_to_a_tls_port() {
    let ca = TestCa::new();
    let address = ca.server(true, false).await;
    let (cause, blamed) = grpc_cause(format!("http://{address}"), None).await;
    assert!(cause.contains("speaks TLS") && blamed, "{cause}");
    let (cause, blamed) = http_cause(format!("http://{address}/v1/traces"), None).await;
    assert!(cause.contains("speaks TLS") && blamed, "{cause}");
}

#[tokio::test]
async fn tls_to_a_plaintext_port() {
    let ca = TestCa::new();
    let (address, _) = grpc_server(|_, _| Reply::Ok).await;
    let (cause, blamed) = grpc_cause(format!("https://{address}"), Some(ca.trust())).await;
    assert!(cause.contains("does not speak TLS") && blamed, "{cause}");
}

#[tokio::test]
async fn a_grpc_call_answered_by_a_web_page() {
    let address = raw_server(true, |_| {
        Raw::http(200, &[("content-type", "text/html")], "<html>")
    })
    .await;
    let (cause, blamed) = grpc_cause(format!("http://{address}"), None).await;
    assert!(
        cause.contains("text/html") && cause.contains("4317") && blamed,
        "{cause}"
    );
}
