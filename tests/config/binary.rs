//! The command line: what it prints and its exit codes.

use super::MINIMAL;
use std::process::{Command, Output};

fn wayspan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wayspan"))
        .args(arguments)
        .env_remove("WAYSPAN_EXPORT_ENDPOINT")
        .output()
        .unwrap()
}

fn out(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn validate_says_what_would_run() {
    let config = format!("yaml:{MINIMAL}");
    let (code, stdout, stderr) = out(&wayspan(&["validate", "--config", &config]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("OK\ntraces: otlp grpc 127.0.0.1:0 -> batch -> debug\n"),
        "{stdout}"
    );
}

#[test]
fn mistakes_end_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.yaml");
    std::fs::write(&path, MINIMAL.replace("debug:", "debgu:")).unwrap();
    let path = path.to_str().unwrap();
    for arguments in [
        &["validate", "--config", path][..],
        &["--config", path],
        &["run", "--config", path],
    ] {
        let (code, stdout, stderr) = out(&wayspan(arguments));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(stderr.contains(&format!("{path}:7:45: ")), "{stderr}");
        assert!(stderr.contains("did you mean \"debgu\"?"), "{stderr}");
        assert!(
            stderr.ends_with("wayspan: 1 error in the configuration\n"),
            "{stderr}"
        );
    }
}

#[test]
fn set_reaches_the_default() {
    let set = ["validate", "--set", "processors.mesh.kiali.version=2.7"];
    let (code, stdout, stderr) = out(&wayspan(&set));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("mesh: names for Kiali 2.7, "), "{stdout}");
    let (code, _, stderr) = out(&wayspan(&["validate", "--set", "nonsense"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("expected KEY=VALUE"), "{stderr}");
}

#[test]
fn what_is_printed_loads_again_and_has_no_secrets() {
    let exporter =
        "yaml:exporters::otlp_grpc: {endpoint: 'j:1', headers: {authorization: Bearer s3cret}}";
    let minimal = format!("yaml:{MINIMAL}");
    let (code, printed, _) = out(&wayspan(&[
        "print-config",
        "--config",
        &minimal,
        "--config",
        exporter,
    ]));
    assert_eq!(code, Some(0));
    assert!(
        !printed.contains("s3cret") && printed.contains("authorization"),
        "{printed}"
    );
    let (code, _, stderr) = out(&wayspan(&[
        "validate",
        "--config",
        &format!("yaml:{printed}"),
    ]));
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn help_and_version() {
    let (code, stdout, _) = out(&wayspan(&["--help"]));
    assert_eq!(code, Some(0));
    for word in [
        "validate",
        "demo",
        "print-config",
        "WAYSPAN_EXPORT_ENDPOINT",
        "--config",
        "--set",
    ] {
        assert!(stdout.contains(word), "{word} in {stdout}");
    }
    let (code, stdout, _) = out(&wayspan(&["--version"]));
    assert_eq!(code, Some(0));
    assert_eq!(stdout, format!("wayspan {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(out(&wayspan(&["--no-such-flag"])).0, Some(2));
}
