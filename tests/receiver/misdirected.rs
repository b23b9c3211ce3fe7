//! Senders that come to the wrong port or with the wrong protocol.

use crate::harness::*;
use tonic::Code;

#[tokio::test]
async fn grpc_over_http1_is_answered_and_explained_once() {
    let server = Server::grpc();
    for _ in 0..3 {
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let got = http1(&server, post(EXPORT, &headers, framed(0, &body("a")))).await;
        assert_eq!((got.status, got.header("upgrade")), (426, "h2c"));
        assert!(got.header("content-type").starts_with("text/plain"));
        let text = String::from_utf8(got.body.to_vec()).unwrap();
        assert!(
            text.contains("grpc-") && text.contains("appProtocol: grpc"),
            "{text}"
        );
    }
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
    assert_eq!(server.counts(), (0, 3));
    let said: Vec<_> = log()
        .into_iter()
        .filter(|line| line.contains("appProtocol: grpc"))
        .collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].contains("ERROR") && said[0].contains("grpc-…"),
        "{}",
        said[0]
    );
    assert!(said[0].contains("peer=127.0.0.1:"), "{}", said[0]);
}

#[tokio::test]
async fn otlp_http_on_the_grpc_port_is_told_the_port() {
    let server = Server::grpc();
    for content in [PROTOBUF, JSON] {
        for version in [1, 2] {
            let request = post("/v1/traces", &[("content-type", content)], body("a"));
            let got = match version {
                1 => http1(&server, request).await,
                _ => http2(&server, request).await,
            };
            assert_eq!((got.status, got.header("content-type")), (415, content));
            assert!(got.rpc_status().message.contains("4318"), "{got:?}");
        }
    }
    let said = log()
        .into_iter()
        .filter(|line| line.contains("OTLP/HTTP request came"))
        .count();
    assert_eq!(said, 1);
    assert_eq!(server.counts(), (0, 4));
}

#[tokio::test]
async fn grpc_on_the_http_port_is_told_the_port() {
    let server = Server::http();
    let request = || {
        post(
            EXPORT,
            &[("content-type", "application/grpc")],
            framed(0, &body("a")),
        )
    };
    let got = http2(&server, request()).await;
    assert_eq!((got.status, got.grpc().code()), (200, Code::Unimplemented));
    assert!(got.grpc().message().contains("4317"), "{got:?}");
    let got = http1(&server, request()).await;
    assert_eq!(got.status, 415);
    assert!(got.rpc_status().message.contains("4317"), "{got:?}");
    let said = log()
        .into_iter()
        .filter(|line| line.contains("OTLP/gRPC is on"))
        .count();
    assert_eq!(said, 1);
    assert_eq!(server.counts(), (0, 2));
}

#[tokio::test]
async fn a_browser_on_the_grpc_port_gets_words() {
    let server = Server::grpc();
    let mut request = post("/", &[("accept", "text/html")], vec![]);
    *request.method_mut() = http::Method::GET;
    let got = http1(&server, request).await;
    assert_eq!(got.status, 415);
    assert!(String::from_utf8_lossy(&got.body).contains("OTLP/gRPC"));
    let grpc_web = [("content-type", "application/grpc-web+proto")];
    let got = http2(&server, post(EXPORT, &grpc_web, framed(0, b""))).await;
    assert_eq!(got.status, 415);
}
