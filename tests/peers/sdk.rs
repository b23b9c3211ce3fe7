//! Stock SDK exporters: what reaches Jaeger through wayspan is what reaches it
//! without.
//!
//! Idea: the same script sends to Jaeger and to wayspan, and the two traces
//! are compared tag by tag; so the expectation is Jaeger's own reading.

use crate::collector::naming;
use crate::installed::peer;
use crate::jaeger::Jaeger;
use crate::kiali::Kiali;
use crate::trace::{Span, Trace};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use testkit::{PATIENCE, Process, Wayspan, wait_for};

const SPANS: usize = 5;

fn send(dir: &Path, protocol: &str, port: u16, compression: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sdk.py");
    let mut python = Process::start(
        dir,
        &format!("sdk-{protocol}-{compression}-{port}"),
        Command::new(peer("venv/bin/python")).arg(script).args([
            protocol,
            &port.to_string(),
            compression,
        ]),
    );
    let status = python.wait_end(PATIENCE);
    assert!(status.success(), "{status}\n{}", python.log_tail());
    let log = python.log();
    log.lines().last().unwrap_or_default().trim().to_owned()
}

fn stored(jaeger: &Jaeger, id: &str) -> Trace {
    wait_for(&format!("trace {id} in Jaeger"), || {
        jaeger.trace(id).filter(|t| t.spans.len() == SPANS)
    })
}

fn span<'a>(trace: &'a Trace, operation: &str) -> &'a Span {
    let found = trace.spans.iter().find(|s| s.operation == operation);
    found.unwrap_or_else(|| panic!("no span {operation}"))
}

/// Every tag of `plain` is on `passed` with the same value and type.
fn assert_kept(how: &str, plain: &Trace, passed: &Trace) {
    for want in &plain.spans {
        let got = span(passed, &want.operation);
        assert_eq!(got.service, want.service, "{how}");
        for (key, value) in &want.tags {
            let kept = got.tags.get(key);
            assert_eq!(kept, Some(value), "{how}: {key} of {}", want.operation);
        }
        for (key, value) in &want.process_tags {
            assert_eq!(
                got.process_tags.get(key),
                Some(value),
                "{how}: resource {key}"
            );
        }
        assert_eq!(
            got.events, want.events,
            "{how}: events of {}",
            want.operation
        );
        assert_eq!(got.links, want.links, "{how}: links of {}", want.operation);
    }
}

#[test]
fn stock_python_exporters() {
    let dir = TempDir::new().unwrap();
    let jaeger = Jaeger::start(dir.path());
    // The mesh processor leaves a service that is no part of the mesh alone.
    let mut wayspan = Wayspan::start(naming(jaeger.otlp_grpc, &Kiali::newest(true, true)));
    let plain = stored(&jaeger, &send(dir.path(), "grpc", jaeger.otlp_grpc, "none"));

    // The comparison is worth something only if Jaeger read what was sent.
    let order = span(&plain, "order");
    assert_eq!(order.tags["int.min"], json!(i64::MIN.to_string()));
    assert_eq!(order.tags["float"], json!(0.1));
    assert_eq!(order.tags["bool.false"], json!(false));
    assert_eq!(order.tags["list.int"], json!("[1,-2,3]"));

    for (protocol, port) in [
        ("grpc", wayspan.grpc),
        ("http", wayspan.http),
        ("json", wayspan.http),
    ] {
        for compression in ["none", "gzip"] {
            let id = send(dir.path(), protocol, port, compression);
            let passed = stored(&jaeger, &id);
            assert_kept(&format!("{protocol}, {compression}"), &plain, &passed);
        }
    }
    wayspan.stop();
}
