//! h2spec, the conformance suite of HTTP/2, against the port of OTLP/gRPC.
//!
//! Idea: the connection there is our own, so what it does with frames that no
//! client of ours sends is judged by others, in plaintext and in TLS.

use crate::installed::peer;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Process, Setup, Wayspan, free_port};

/// What fails in plaintext, on purpose: what does not begin as HTTP/2 does is
/// answered as HTTP/1.1, where h2spec wants the connection closed at once. In
/// TLS, where HTTP/2 was negotiated, it is.
const ANSWERED: &str = "Sends invalid connection preface";

/// Runs all of it, strict cases too; what failed.
fn failures(dir: &Path, name: &str, port: u16, more: &[&str]) -> Vec<String> {
    let mut command = Command::new(peer("bin/h2spec"));
    command
        .args(["--strict", "--timeout", "10", "--host", "127.0.0.1"])
        .args(["--port", &port.to_string()])
        .args(more);
    let mut process = Process::start(dir, name, &mut command);
    process.wait_end(Duration::from_secs(300));
    let log = process.log();
    let counts = log.lines().find(|line| line.contains(" tests, "));
    let counts = counts.unwrap_or_else(|| panic!("h2spec did not end\n{log}"));
    assert!(
        counts.starts_with("146 tests, ") && counts.contains(" 0 skipped"),
        "{log}"
    );
    // "× 2: Sends …", in the part that lists failures.
    let failed = log
        .lines()
        .filter_map(|line| line.trim().strip_prefix("× "));
    let failed: Vec<_> = failed.map(str::to_owned).collect();
    let said = format!(" {} failed", failed.len());
    assert!(counts.ends_with(&said), "{log}");
    failed
}

#[test]
fn every_case_passes_in_plaintext_and_in_tls() {
    let dir = TempDir::new().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let [cert, key] = ["tls.crt", "tls.key"].map(|name| dir.path().join(name));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = free_port();
    let layer = json!({
        "receivers": {"otlp/tls": {"protocols": {"grpc": {
            "endpoint": format!("127.0.0.1:{tls}"),
            "tls": {"cert_file": cert, "key_file": key},
        }}}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp", "otlp/tls"]}}},
    });
    // Nothing is sent that could be exported.
    let wayspan = Wayspan::start(Setup::to_grpc(free_port()).layer(layer.to_string()));
    let failed = failures(dir.path(), "plaintext", wayspan.grpc, &[]);
    assert!(
        failed.len() <= 1 && failed.iter().all(|case| case.ends_with(ANSWERED)),
        "{failed:#?}"
    );
    let failed = failures(dir.path(), "tls", tls, &["--tls", "--insecure"]);
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(!wayspan.log().contains("panicked"), "{}", wayspan.log());
}
