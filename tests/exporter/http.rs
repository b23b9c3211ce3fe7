//! OTLP/HTTP: delivery in each encoding, retries, partial success.

use crate::support::*;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::{
    io::Read,
    sync::{Arc, Mutex},
    time::Duration,
};
use wayspan::exporter::otlp::{Encoding, Http};
use wayspan::http::{ClientSettings, Compression};
use wayspan::pdata::Signal::Traces;

#[tokio::test]
async fn delivers_every_span_once() {
    let (address, log) = http_server(|_, _| None).await;
    let mut settings = http(address);
    change(&mut settings, |client| {
        client
            .headers
            .push(("Authorization".into(), "Bearer abc".into()));
    });
    let running = Running::start(&settings);
    for start in 0..20 {
        running.push(batch(start * 10..start * 10 + 10));
    }
    let (drained, stats) = running.finish().await;
    assert_eq!(drained.abandoned, 0);
    assert_eq!(log.accepted(), (0..200).collect::<Vec<_>>());
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (200, 0)
    );
    let headers = log.all()[0].headers.clone();
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["authorization"], "Bearer abc");
    assert!(headers.contains_key("content-length"), "{headers:?}");
}

#[tokio::test]
async fn json_and_compression_arrive_as_the_same_request() {
    for (encoding, compression) in [
        (Encoding::Json, Compression::None),
        (Encoding::Json, Compression::Gzip),
        (Encoding::Proto, Compression::Gzip),
        (Encoding::Proto, Compression::Zstd),
    ] {
        let got = Arc::new(Mutex::new(None));
        let its_got = Arc::clone(&got);
        let address = raw_server(false, move |request| {
            let mut body = Vec::new();
            let encoded = &request.body[..];
            match request
                .head
                .headers
                .get("content-encoding")
                .map(|v| v.to_str().unwrap())
            {
                None => body.extend(encoded),
                Some("gzip") => {
                    flate2::read::GzDecoder::new(encoded)
                        .read_to_end(&mut body)
                        .unwrap();
                }
                Some("zstd") => body = zstd::decode_all(encoded).unwrap(),
                Some(other) => panic!("{other}"),
            }
            let request: ExportTraceServiceRequest =
                match request.head.headers["content-type"].to_str().unwrap() {
                    "application/json" => serde_json::from_slice(&body).unwrap(),
                    _ => ExportTraceServiceRequest::decode(body.as_slice()).unwrap(),
                };
            *its_got.lock().unwrap() = Some(request);
            Raw::http(200, &[("content-type", "application/json")], "{}")
        })
        .await;
        let mut settings = http(address);
        let url = settings.settings::<Http>().unwrap().client.url.clone();
        settings.settings = Arc::new(Http {
            client: ClientSettings {
                url,
                compression,
                ..ClientSettings::default()
            },
            encoding,
            has_base: true,
            endpoints: Vec::new(),
        });
        let running = Running::start(&settings);
        let sent = request(0..30, 40);
        running.push(seal(&sent));
        let (_, stats) = running.finish().await;
        assert_eq!(
            stats.items[Traces].sent.get(),
            30,
            "{encoding:?} {compression:?}"
        );
        assert_eq!(
            got.lock().unwrap().as_ref(),
            Some(&sent),
            "{encoding:?} {compression:?}"
        );
    }
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for status in [429, 502, 503, 504, 401, 403, 404] {
        let (address, log) = http_server(move |number, _| match number {
            0 | 1 => Some(Raw::http(status, &[], "")),
            _ => None,
        })
        .await;
        let running = Running::start(&http(address));
        running.push(batch(0..5));
        let (_, stats) = running.finish().await;
        assert_eq!(log.accepted(), [0, 1, 2, 3, 4], "{status}");
        assert_eq!(
            (stats.retries.get(), stats.items[Traces].sent.get()),
            (2, 5),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_web_page_is_no_delivery() {
    let (address, log) = http_server(|number, _| match number {
        0 => Some(Raw::http(
            200,
            &[("content-type", "text/html; charset=utf-8")],
            "<!doctype html><title>Jaeger UI</title>",
        )),
        _ => None,
    })
    .await;
    let running = Running::start(&http(address));
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(log.len(), 2);
    assert_eq!(
        (stats.items[Traces].sent.get(), stats.retries.get()),
        (5, 1)
    );
}

#[tokio::test]
async fn other_errors_are_final() {
    for status in [402, 409, 422, 500, 501] {
        let (address, log) = http_server(move |_, _| Some(Raw::http(status, &[], ""))).await;
        let running = Running::start(&http(address));
        running.push(batch(0..5));
        let (_, stats) = running.finish().await;
        assert_eq!(
            (log.len(), stats.items[Traces].send_failed.get()),
            (1, 5),
            "{status}"
        );
    }
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let (address, log) = http_server(|number, _| match number {
        0 => Some(Raw::http(429, &[("retry-after", "1")], "")),
        _ => None,
    })
    .await;
    let running = Running::start(&http(address));
    running.push(batch(0..5));
    running.finish().await;
    let got = log.all();
    assert!(got[1].at - got[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn partial_success_is_counted_and_not_sent_again() {
    let body = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 4,
            error_message: "no".into(),
        }),
    }
    .encode_to_vec();
    let (address, log) = http_server(move |_, _| {
        Some(Raw::http(
            200,
            &[("content-type", "application/x-protobuf")],
            body.clone(),
        ))
    })
    .await;
    let running = Running::start(&http(address));
    running.push(batch(0..5));
    let (_, stats) = running.finish().await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (
            stats.items[Traces].sent.get(),
            stats.items[Traces].rejected.get()
        ),
        (1, 4)
    );
}
