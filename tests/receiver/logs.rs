//! Logs on a listener whose pipeline wants them: as traces, in every answer.

use crate::harness::*;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use std::time::Duration;
use tonic::{Code, codec::CompressionEncoding};
use tonic_types::StatusExt;
use wayspan::{
    pipeline::{Refusal, Taken},
    receiver::{Protocol, otlp::http_protocol},
};

fn request() -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    severity_text: "info".to_owned(),
                    trace_id: vec![1; 16],
                    ..LogRecord::default()
                }],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn grpc() -> Server {
    Server::with_logs(Protocol::Grpc(grpc_settings()))
}

fn http() -> Server {
    Server::with_logs(http_protocol(http_settings()))
}

async fn client(server: &Server) -> LogsServiceClient<tonic::transport::Channel> {
    LogsServiceClient::connect(format!("http://{}", server.address))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_stock_client_is_served() {
    let server = grpc();
    let plain = client(&server).await;
    let gzip = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let zstd = plain.clone().send_compressed(CompressionEncoding::Zstd);
    for mut client in [plain, gzip, zstd] {
        let response = client.export(request()).await.unwrap();
        assert_eq!(response.into_inner().partial_success, None);
        assert_eq!(server.taken(), [request().encode_to_vec()]);
    }
    assert_eq!(server.counts(), (3, 0));
}

#[tokio::test]
async fn json_is_read_as_the_table_says() {
    let server = http();
    let json = br#"{"resourceLogs": [{"scopeLogs": [{"logRecords":
        [{"severityText": "info", "traceId": "01010101010101010101010101010101", "other": []}]}]}]}"#;
    let got = http1(
        &server,
        post("/v1/logs", &[("content-type", JSON)], json.to_vec()),
    )
    .await;
    assert_eq!((got.status, &got.body[..]), (200, &b"{}"[..]));
    assert_eq!(server.taken(), [request().encode_to_vec()]);
}

#[tokio::test]
async fn ignored_records_are_a_partial_success() {
    let partial = Ok(Taken {
        rejected: 3,
        message: "why".to_owned(),
        ..Taken::default()
    });
    let server = grpc();
    server.answers(partial.clone());
    let response = client(&server).await.export(request()).await.unwrap();
    let told = response.into_inner().partial_success.unwrap();
    assert_eq!(
        (told.rejected_log_records, &*told.error_message),
        (3, "why")
    );

    let server = http();
    server.answers(partial);
    let body = request().encode_to_vec();
    let got = http1(
        &server,
        post("/v1/logs", &[("content-type", JSON)], b"{}".to_vec()),
    )
    .await;
    let json: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(json["partialSuccess"]["rejectedLogRecords"], "3");
    let got = http1(
        &server,
        post("/v1/logs", &[("content-type", PROTOBUF)], body),
    )
    .await;
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn refusals_are_those_of_traces() {
    let server = grpc();
    server.answers(Err(Refusal::busy(Duration::from_secs(3), "full")));
    let busy = client(&server).await.export(request()).await.unwrap_err();
    assert_eq!(busy.code(), Code::ResourceExhausted);
    let retry = busy.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(retry, Some(Duration::from_secs(3)));

    let mut large = request();
    large.resource_logs[0].schema_url = "x".repeat(LIMIT);
    let refused = client(&server).await.export(large.clone()).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);

    let server = http();
    server.answers(Err(Refusal::busy(Duration::from_secs(3), "full")));
    let headers = [("content-type", PROTOBUF)];
    let got = http1(&server, post("/v1/logs", &headers, vec![])).await;
    assert_eq!((got.status, got.header("retry-after")), (429, "3"));
    let got = http1(&server, post("/v1/logs", &headers, large.encode_to_vec())).await;
    assert_eq!(got.status, 413);
    let got = http1(&server, post("/v1/metrics", &headers, vec![])).await;
    assert_eq!(got.status, 404);
    assert!(got.rpc_status().message.contains("/v1/logs"), "{got:?}");
}

#[tokio::test]
async fn where_they_are_not_wanted_the_remedy_is_named() {
    let server = Server::grpc();
    let refused = client(&server).await.export(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(
        refused.message().contains("ztunnel_connections: on"),
        "{refused:?}"
    );
    assert_eq!(server.taken(), Vec::<Vec<u8>>::new());
}
