//! OTLP/HTTP.

use crate::harness::*;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::time::Duration;
use wayspan::{
    pipeline::{Refusal, Taken},
    receiver::otlp::{Cors, http_protocol},
};

const PATH: &str = "/v1/traces";

async fn send(server: &Server, headers: &[(&str, &str)], body: Vec<u8>) -> Got {
    http1(server, post(PATH, headers, body)).await
}

#[tokio::test]
async fn protobuf_and_json_are_taken_over_both_versions() {
    let server = Server::http();
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}"#;
    for (content, sent, empty) in [
        (PROTOBUF, body("a"), &b""[..]),
        (JSON, json.to_vec(), b"{}"),
        ("application/json; charset=utf-8", json.to_vec(), b"{}"),
        ("Application/X-Protobuf;a=b", body("a"), b""),
    ] {
        for version in [1, 2] {
            let posted = post(PATH, &[("content-type", content)], sent.clone());
            let got = match version {
                1 => http1(&server, posted).await,
                _ => http2(&server, posted).await,
            };
            assert_eq!(
                (got.status, &got.body[..]),
                (200, empty),
                "{content}: {got:?}"
            );
            assert!(
                content
                    .to_lowercase()
                    .starts_with(got.header("content-type"))
            );
            let taken = server.taken();
            assert_eq!(taken.len(), 1);
            assert_eq!(
                ExportTraceServiceRequest::decode(&taken[0][..]).unwrap(),
                request("a")
            );
        }
    }
    assert_eq!(server.counts(), (8, 0));
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let server = Server::http();
    assert_eq!(
        send(&server, &[("content-type", PROTOBUF)], vec![])
            .await
            .status,
        200
    );
    assert_eq!(
        send(&server, &[("content-type", JSON)], b"{}".to_vec())
            .await
            .status,
        200
    );
    assert_eq!(server.taken(), [Vec::<u8>::new(), Vec::new()]);
}

#[tokio::test]
async fn encodings_are_inflated() {
    let server = Server::http();
    let plain = body("squeezed");
    for (encoding, sent) in [
        ("identity", plain.clone()),
        ("", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstd(&plain)),
        ("deflate", deflate(&plain)),
        ("zlib", deflate(&plain)),
        ("snappy", snappy(&plain)),
        ("x-snappy-framed", snappy_framed(&plain)),
    ] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
        let got = send(&server, &headers, sent).await;
        assert_eq!(got.status, 200, "{encoding}: {got:?}");
        assert_eq!(server.taken(), std::slice::from_ref(&plain));
    }
}

#[tokio::test]
async fn what_is_not_served_is_said_in_the_requests_type() {
    let server = Server::http();
    let bomb = vec![0; 8 << 20];
    let large = vec![b' '; LIMIT + 1];
    let p = ("content-type", PROTOBUF);
    let j = ("content-type", JSON);
    let encoded = |encoding| ("content-encoding", encoding);
    type Headers<'a> = Vec<(&'a str, &'a str)>;
    type Case<'a> = (
        &'a str,
        &'a str,
        Headers<'a>,
        Vec<u8>,
        u16,
        &'a str,
        &'a str,
    );
    let cases: Vec<Case> = vec![
        (
            "POST",
            "/v1/logs",
            vec![p],
            vec![],
            404,
            PROTOBUF,
            "/v1/traces",
        ),
        (
            "POST",
            "/v1/metrics",
            vec![j],
            vec![],
            404,
            JSON,
            "/v1/traces",
        ),
        ("POST", "/", vec![], vec![], 404, JSON, "/v1/traces"),
        ("GET", PATH, vec![], vec![], 405, JSON, "POST"),
        ("PUT", PATH, vec![p], vec![], 405, PROTOBUF, "POST"),
        (
            "POST",
            PATH,
            vec![],
            vec![],
            415,
            JSON,
            "application/x-protobuf or application/json",
        ),
        (
            "POST",
            PATH,
            vec![("content-type", "text/plain")],
            vec![],
            415,
            JSON,
            "text/plain",
        ),
        (
            "POST",
            PATH,
            vec![p, encoded("br")],
            vec![],
            415,
            PROTOBUF,
            "identity, gzip, zstd, snappy or deflate",
        ),
        (
            "POST",
            PATH,
            vec![j, encoded("compress")],
            vec![],
            415,
            JSON,
            "compress",
        ),
        (
            "POST",
            PATH,
            vec![p, encoded("gzip")],
            b"no".to_vec(),
            400,
            PROTOBUF,
            "not valid gzip",
        ),
        (
            "POST",
            PATH,
            vec![j, encoded("zstd")],
            b"no".to_vec(),
            400,
            JSON,
            "not valid zstd",
        ),
        (
            "POST",
            PATH,
            vec![p, encoded("gzip")],
            gzip(&bomb),
            413,
            PROTOBUF,
            "max_request_body_size",
        ),
        (
            "POST",
            PATH,
            vec![j, encoded("zstd")],
            zstd(&bomb),
            413,
            JSON,
            "max_request_body_size",
        ),
        (
            "POST",
            PATH,
            vec![p],
            large.clone(),
            413,
            PROTOBUF,
            "65537 bytes",
        ),
        ("POST", PATH, vec![j], b"{".to_vec(), 400, JSON, "EOF"),
        (
            "POST",
            PATH,
            vec![j],
            br#"{"resourceSpans":[{"schemaUrl":1}]}"#.to_vec(),
            400,
            JSON,
            "resourceSpans[0].schemaUrl",
        ),
    ];
    let count = cases.len() as u64;
    for (method, path, headers, body, status, content, words) in cases {
        let mut request = post(path, &headers, body);
        *request.method_mut() = method.parse().unwrap();
        let got = http1(&server, request).await;
        let said = got.rpc_status();
        assert_eq!(
            (got.status, got.header("content-type")),
            (status, content),
            "{said:?}"
        );
        assert!(said.message.contains(words), "{said:?}");
        assert_ne!(said.code, 0);
        assert_eq!(got.header("allow"), if status == 405 { "POST" } else { "" });
        assert_eq!(got.header("retry-after"), "");
    }
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
    assert_eq!(server.counts(), (0, count));
}

#[tokio::test]
async fn a_body_without_length_is_limited_too() {
    let server = Server::http();
    // HTTP/2 without content-length; HTTP/1.1 in chunks is the same code.
    let stream = futures_util::stream::iter((0..9).map(|_| {
        Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from(vec![
            0;
            LIMIT / 8
        ])))
    }));
    let socket = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(socket),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://test/v1/traces")
        .header("content-type", PROTOBUF)
        .body(http_body_util::StreamBody::new(stream))
        .unwrap();
    let got = Got::of(sender.send_request(request).await.unwrap()).await;
    assert_eq!(got.status, 413);
    assert!(got.rpc_status().message.contains("max_request_body_size"));
}

#[tokio::test]
async fn answers_of_the_pipeline_reach_the_client() {
    let server = Server::http();
    for (content, sent) in [(PROTOBUF, body("a")), (JSON, b"{}".to_vec())] {
        let headers = [("content-type", content)];
        let send = || send(&server, &headers, sent.clone());

        server.answers(Ok(Taken {
            rejected: 3,
            message: "zero ids".to_owned(),
            ..Taken::default()
        }));
        let got = send().await;
        assert_eq!((got.status, got.header("content-type")), (200, content));
        if content == PROTOBUF {
            let response = ExportTraceServiceResponse::decode(&got.body[..]).unwrap();
            let partial = response.partial_success.unwrap();
            assert_eq!(
                (partial.rejected_spans, &partial.error_message[..]),
                (3, "zero ids")
            );
        } else {
            let json: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
            assert_eq!(json["partialSuccess"]["rejectedSpans"], "3");
            assert_eq!(json["partialSuccess"]["errorMessage"], "zero ids");
        }

        server.answers(Err(Refusal::malformed("bad")));
        let got = send().await;
        let said = got.rpc_status();
        assert_eq!((got.status, said.code, &said.message[..]), (400, 3, "bad"));
        assert_eq!(got.header("retry-after"), "");

        let retry_after = Duration::from_millis(1200);
        server.answers(Err(Refusal::busy(retry_after, "full".to_owned())));
        let got = send().await;
        let said = got.rpc_status();
        assert_eq!((got.status, said.code, &said.message[..]), (429, 8, "full"));
        assert_eq!(got.header("retry-after"), "2");

        server.answers(Err(Refusal::unavailable()));
        let got = send().await;
        assert_eq!((got.status, got.rpc_status().code), (503, 14));
        assert_eq!(got.header("retry-after"), "1");
    }
    assert_eq!(server.counts(), (2, 6));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send_from_browsers() {
    let mut settings = http_settings();
    settings.server.cors = Some(Cors {
        origins: vec!["https://*.example".to_owned()],
        ..Cors::default()
    });
    let server = Server::start(http_protocol(settings));
    let shop = ("origin", "https://shop.example");
    let asks = [
        shop,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let mut preflight = post(PATH, &asks, Vec::new());
    *preflight.method_mut() = http::Method::OPTIONS;
    let got = http1(&server, preflight).await;
    assert_eq!(got.status, 204, "{got:?}");
    assert_eq!(got.header("access-control-allow-origin"), shop.1);
    assert_eq!(got.header("access-control-allow-headers"), "content-type");
    assert_eq!(server.counts(), (0, 0), "a preflight is no request");
    let json = br#"{"resourceSpans":[]}"#.to_vec();
    let got = send(&server, &[("content-type", JSON), shop], json.clone()).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.header("access-control-allow-origin"), shop.1);
    // A refusal can be read by the page, too.
    let got = send(&server, &[("content-type", JSON), shop], b"no".to_vec()).await;
    assert_eq!(got.status, 400, "{got:?}");
    assert_eq!(got.header("access-control-allow-origin"), shop.1);
    let other = ("origin", "https://other.test");
    let got = send(&server, &[("content-type", JSON), other], json).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert!(!got.headers.contains_key("access-control-allow-origin"));
}
