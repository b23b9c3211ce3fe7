//! OTLP/gRPC: calls, framing, compression, answers.

use crate::harness::*;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use std::time::Duration;
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt;
use wayspan::pipeline::{Refusal, Taken};

async fn client(server: &Server) -> TraceServiceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{}", server.address))
        .unwrap()
        .connect()
        .await;
    TraceServiceClient::new(channel.unwrap())
}

#[tokio::test]
async fn a_stock_client_is_served() {
    let server = Server::grpc();
    let mut client = client(&server).await;
    for name in ["a", "b"] {
        let response = client.export(request(name)).await.unwrap();
        assert_eq!(response.into_inner().partial_success, None);
    }
    assert_eq!(server.taken(), [body("a"), body("b")]);
    assert_eq!(server.counts(), (2, 0));
}

#[tokio::test]
async fn an_empty_request_succeeds() {
    let server = Server::grpc();
    let response = client(&server)
        .await
        .export(ExportTraceServiceRequest::default())
        .await;
    assert_eq!(response.unwrap().into_inner().partial_success, None);
    assert_eq!(server.taken(), [Vec::<u8>::new()]);
}

#[tokio::test]
async fn a_message_of_many_frames_is_joined() {
    let server = Server::grpc();
    let name = "n".repeat(LIMIT - 100);
    client(&server).await.export(request(&name)).await.unwrap();
    assert_eq!(server.taken(), [body(&name)]);
}

#[tokio::test]
async fn many_calls_share_a_connection() {
    let server = Server::grpc();
    let client = client(&server).await;
    let calls = (0..200).map(|n| {
        let mut client = client.clone();
        async move { client.export(request(&format!("{n}"))).await }
    });
    for result in futures_util::future::join_all(calls).await {
        result.unwrap();
    }
    assert_eq!(server.taken().len(), 200);
    assert_eq!(server.counts(), (200, 0));
}

#[tokio::test]
async fn success_is_an_empty_message_and_a_trailer() {
    let server = Server::grpc();
    let got = export(&server, &[], framed(0, &body("a"))).await;
    assert_eq!(
        (got.status, got.header("content-type")),
        (200, "application/grpc")
    );
    assert_eq!(&got.body[..], [0; 5]);
    assert_eq!(got.trailers["grpc-status"], "0");
}

#[tokio::test]
async fn answers_of_the_pipeline_reach_the_client() {
    let server = Server::grpc();
    let mut client = client(&server).await;

    server.answers(Ok(Taken {
        rejected: 3,
        message: "zero ids".to_owned(),
        ..Taken::default()
    }));
    let response = client.export(request("a")).await.unwrap().into_inner();
    let partial = response.partial_success.unwrap();
    assert_eq!(
        (partial.rejected_spans, partial.error_message.as_str()),
        (3, "zero ids")
    );
    assert_eq!(server.counts(), (1, 0));

    server.answers(Err(Refusal::malformed("Span: wrong wire type at byte 7")));
    let status = client.export(request("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "Span: wrong wire type at byte 7");
    let details = status.get_details_bad_request().unwrap();
    assert_eq!(
        details.field_violations[0].description,
        "Span: wrong wire type at byte 7"
    );

    let retry_after = Duration::from_millis(2500);
    server.answers(Err(Refusal::busy(retry_after, "queue full".to_owned())));
    let status = client.export(request("a")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "queue full")
    );
    assert_eq!(
        status.get_details_retry_info().unwrap().retry_delay,
        Some(retry_after)
    );

    server.answers(Err(Refusal::unavailable()));
    let status = client.export(request("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    assert_eq!(server.counts(), (1, 3));
}

#[tokio::test]
async fn compressed_messages_are_inflated() {
    let server = Server::grpc();
    let plain = body("squeezed");
    for (encoding, flag, packed) in [
        ("gzip", 1, gzip(&plain)),
        ("zstd", 1, zstd(&plain)),
        ("snappy", 1, snappy(&plain)),
        ("snappy", 1, snappy_framed(&plain)),
        ("deflate", 1, deflate(&plain)),
        // The flag decides, not the header.
        ("gzip", 0, plain.clone()),
        ("br", 0, plain.clone()),
    ] {
        let got = export(
            &server,
            &[("grpc-encoding", encoding)],
            framed(flag, &packed),
        )
        .await;
        assert_eq!(got.grpc().code(), Code::Ok, "{encoding}: {got:?}");
        assert_eq!(server.taken(), std::slice::from_ref(&plain));
    }
}

#[tokio::test]
async fn compression_faults_have_their_codes() {
    let server = Server::grpc();
    let bomb = vec![0; 8 << 20];
    type Case<'a> = (&'a [(&'a str, &'a str)], Vec<u8>, Code, &'a str);
    let cases: [Case; 7] = [
        (
            &[],
            framed(1, &gzip(b"")),
            Code::Internal,
            "names no compression",
        ),
        (
            &[("grpc-encoding", "identity")],
            framed(1, b""),
            Code::Internal,
            "names no compression",
        ),
        (
            &[("grpc-encoding", "br")],
            framed(1, b"x"),
            Code::Unimplemented,
            "use identity, gzip, zstd, snappy or deflate",
        ),
        (
            &[("grpc-encoding", "gzip")],
            framed(1, b"not gzip"),
            Code::InvalidArgument,
            "gzip",
        ),
        (
            &[("grpc-encoding", "zstd")],
            framed(1, b"not zstd"),
            Code::InvalidArgument,
            "zstd",
        ),
        (
            &[("grpc-encoding", "gzip")],
            framed(1, &gzip(&bomb)),
            Code::ResourceExhausted,
            "max_recv_msg_size_mib",
        ),
        (
            &[("grpc-encoding", "zstd")],
            framed(1, &zstd(&bomb)),
            Code::ResourceExhausted,
            "max_recv_msg_size_mib",
        ),
    ];
    for (headers, body, code, word) in cases {
        let got = export(&server, headers, body).await;
        let status = got.grpc();
        assert_eq!((got.status, status.code()), (200, code), "{status:?}");
        assert!(status.message().contains(word), "{status:?}");
        if code == Code::Unimplemented {
            assert_eq!(
                got.header("grpc-accept-encoding"),
                "identity,gzip,zstd,snappy,deflate"
            );
        }
        if code == Code::ResourceExhausted {
            // OTLP: without RetryInfo it must not be sent again.
            assert!(status.details().is_empty());
        }
    }
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
    assert_eq!(server.counts(), (0, 7));
}

#[tokio::test]
async fn framing_faults_have_their_codes() {
    let server = Server::grpc();
    let huge = [0, 0xFF, 0xFF, 0xFF, 0xFF];
    for (body, code, word) in [
        (vec![], Code::Unimplemented, "no message"),
        (vec![0, 0, 0], Code::Internal, "3 bytes"),
        (vec![0, 0, 0, 0, 9, 1], Code::Internal, "announces 9 bytes"),
        (vec![7, 0, 0, 0, 0], Code::Internal, "begins with 7"),
        (
            [framed(0, b""), framed(0, b"")].concat(),
            Code::Unimplemented,
            "more than one",
        ),
        (
            huge.to_vec(),
            Code::ResourceExhausted,
            "max_recv_msg_size_mib",
        ),
        (
            framed(0, &vec![0; LIMIT + 1]),
            Code::ResourceExhausted,
            "max_recv_msg_size_mib",
        ),
    ] {
        let got = export(&server, &[], body).await;
        let status = got.grpc();
        assert_eq!((got.status, status.code()), (200, code), "{status:?}");
        assert!(status.message().contains(word), "{status:?}");
        assert!(
            got.trailers.is_empty() && got.body.is_empty(),
            "trailers-only: {got:?}"
        );
    }
    assert_eq!(server.counts(), (0, 7));
    // The process and the listener live.
    client(&server)
        .await
        .export(request("after"))
        .await
        .unwrap();
    assert_eq!(server.taken(), [body("after")]);
}

#[tokio::test]
async fn a_claimed_length_over_the_limit_is_refused_before_the_bytes_come() {
    let server = Server::grpc();
    let mut client = client(&server).await;
    let status = client
        .export(request(&"x".repeat(8 << 20)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("65536"), "{status:?}");
    // The connection goes on.
    client.export(request("next")).await.unwrap();
}

#[tokio::test]
async fn other_calls_are_told_what_is_served() {
    let server = Server::grpc();
    let grpc = [("content-type", "application/grpc")];
    for (path, word) in [
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            "not logs",
        ),
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            "not metrics",
        ),
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
            "unknown",
        ),
        ("/a.b.C/D", "unknown"),
    ] {
        let got = http2(&server, post(path, &grpc, framed(0, b""))).await;
        let status = got.grpc();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains(word), "{status:?}");
        assert!(status.message().contains("TraceService"), "{status:?}");
    }
    let json = [("content-type", "application/grpc+json")];
    let got = http2(&server, post(EXPORT, &json, framed(0, b"{}"))).await;
    assert_eq!(got.grpc().code(), Code::Unimplemented);
    assert!(got.grpc().message().contains("application/grpc+json"));

    let mut get = post(EXPORT, &grpc, vec![]);
    *get.method_mut() = http::Method::GET;
    let got = http2(&server, get).await;
    assert_eq!((got.status, got.header("allow")), (405, "POST"));
    assert_eq!(server.counts(), (0, 6));
}
