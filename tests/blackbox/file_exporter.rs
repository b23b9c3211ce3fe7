//! `file` and `nop`: what is delivered to a file is in it, whole and once, whatever
//! becomes of the file; what is given to `nop` is gone.

use crate::spans::good;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::{collections::BTreeSet, fs, path::Path};
use tempfile::TempDir;
use testkit::{Grpc, Setup, Wayspan, wait_for};

/// A pipeline of traces to exporters with these keys.
fn setup(exporters: &str, named: &str) -> Setup {
    Setup::usual().layer(format!(
        "exporters: {{{exporters}}}\n\
         service: {{pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [{named}]}}}}}}"
    ))
}

async fn send(wayspan: &Wayspan, ids: std::ops::RangeInclusive<u64>) {
    let mut client = Grpc::connect(wayspan.grpc).await;
    for id in ids {
        assert_eq!(client.export(&good(id)).await.grpc_status(), Some(0));
    }
}

/// The span ids in a line of JSON.
fn ids(line: &str) -> Vec<u64> {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let list =
        |value: &serde_json::Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let scopes = list(&value, "resourceSpans").into_iter();
    let scopes = scopes.flat_map(|group| list(&group, "scopeSpans"));
    let spans = scopes.flat_map(|scope| list(&scope, "spans"));
    let id = |span: serde_json::Value| u64::from_str_radix(span["spanId"].as_str().unwrap(), 16);
    spans.map(|span| id(span).unwrap()).collect()
}

fn all_ids(files: &[std::path::PathBuf]) -> Vec<u64> {
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let texts: Vec<String> = texts.collect();
    texts
        .iter()
        .flat_map(|text| text.lines())
        .flat_map(ids)
        .collect()
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn spans_are_lines_of_json_and_packed_protobuf() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(format!("made/{name}"));
    let (json, proto) = (at("spans.json"), at("spans.binpb"));
    let exporters = format!(
        "file: {{path: '{}', create_directory: true}}, \
         file/packed: {{path: '{}', format: proto, compression: zstd}}",
        json.display(),
        proto.display()
    );
    let mut wayspan = Wayspan::start(setup(&exporters, "file, file/packed"));
    send(&wayspan, 1..=20).await;
    for exporter in ["file", "file/packed"] {
        let sent = format!("otelcol_exporter_sent_spans{{exporter=\"{exporter}\"}}");
        wayspan.wait_metric(&sent, |count| count == 20.0);
    }
    let want: Vec<u64> = (1..=20).collect();
    let mut got = all_ids(&[json]);
    got.sort_unstable();
    assert_eq!(got, want, "each once");
    let packed = fs::read(&proto).unwrap();
    let mut rest = &packed[..];
    let mut spans = 0;
    while let Some((length, after)) = rest.split_first_chunk() {
        let (record, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        let request = zstd::decode_all(record).unwrap();
        let request = ExportTraceServiceRequest::decode(&*request).unwrap();
        let groups = request.resource_spans.iter();
        let scopes = groups.flat_map(|group| &group.scope_spans);
        spans += scopes.map(|scope| scope.spans.len()).sum::<usize>();
        rest = after;
    }
    assert_eq!((spans, rest.len()), (20, 0));
    wayspan.stop();
}

/// The directory is away for a while: what could not be written is written then.
#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again() {
    let dir = TempDir::new().unwrap();
    let [here, away] = ["here", "away"].map(|name| dir.path().join(name));
    fs::create_dir(&here).unwrap();
    let path = here.join("spans.json");
    let exporters = format!(
        "file: {{path: '{}', rotation: {{max_megabytes: 1}}}}",
        path.display()
    );
    let mut wayspan = Wayspan::start(setup(&exporters, "file"));
    send(&wayspan, 1..=1).await;
    wayspan.wait_metric("otelcol_exporter_sent_spans", |count| count == 1.0);
    // So large that it must be put aside, which fails while the directory is away.
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    drop(file);
    fs::rename(&here, &away).unwrap();
    let big = "x".repeat(600_000);
    let mut client = Grpc::connect(wayspan.grpc).await;
    for id in 2..=4 {
        let request = crate::spans::request("orders", vec![crate::spans::span(id, &big)]);
        let reply = client.export(&request.encode_to_vec()).await;
        assert_eq!(reply.grpc_status(), Some(0));
    }
    wayspan.wait_said("delivery failed");
    fs::rename(&away, &here).unwrap();
    wayspan.wait_metric("otelcol_exporter_sent_spans", |count| count == 4.0);
    let got = wait_for("all spans in the files", || {
        let got = all_ids(&files(&here));
        (got.len() == 4).then_some(got)
    });
    assert_eq!(BTreeSet::from_iter(got), BTreeSet::from_iter(1..=4));
    assert!(files(&here).len() > 1, "one was put aside");
    wayspan.stop();
}

#[test]
fn a_path_that_cannot_be_opened_stops_the_start() {
    let mut wayspan = Wayspan::prepare(setup("file: {path: /dev/null/spans.json}", "file"));
    wayspan.spawn();
    let (code, log) = wayspan.wait_end();
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("exporter file: path /dev/null/spans.json: cannot be opened"),
        "{log}"
    );
}

#[tokio::test]
async fn nop_drops_and_says_so() {
    let mut wayspan = Wayspan::start(setup("nop: ", "nop"));
    wayspan.wait_said("exporter nop sends to nowhere: everything is dropped");
    send(&wayspan, 1..=3).await;
    wayspan.wait_metric("otelcol_exporter_sent_spans{exporter=\"nop\"}", |count| {
        count == 3.0
    });
    wayspan.stop();
}
