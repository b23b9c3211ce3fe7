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
    let as_written = ["validate", "--no-auto-mesh", "--config", &config];
    let (code, stdout, stderr) = out(&wayspan(&as_written));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.starts_with("OK\ntraces: otlp grpc 127.0.0.1:0 -> batch -> debug\n"),
        "{stdout}"
    );
}

#[test]
fn the_mesh_processor_is_put_into_pipelines_that_lack_it() {
    let validate = |yaml: &str| {
        let config = format!("yaml:{yaml}");
        let (code, stdout, stderr) = out(&wayspan(&["validate", "--config", &config]));
        assert_eq!(code, Some(0), "{stderr}");
        (stdout, stderr)
    };
    let said = "service.pipelines.traces: mesh is put first";
    let (stdout, stderr) = validate(MINIMAL);
    assert!(
        stdout.starts_with("OK\ntraces: otlp grpc 127.0.0.1:0 -> mesh, batch -> debug\n"),
        "{stdout}"
    );
    assert!(stderr.contains(said), "{stderr}");
    // Settings that the file has, listed or not, are used.
    let own = format!("{MINIMAL}processors: {{mesh: {{kiali: {{version: '2.7'}}}}}}\n");
    let (stdout, stderr) = validate(&own);
    assert!(stdout.contains("Kiali 2.7"), "{stdout}");
    assert!(stderr.contains(said), "{stderr}");
    let listed = own.replace(
        "receivers: [otlp],",
        "receivers: [otlp], processors: [mesh],",
    );
    let (stdout, stderr) = validate(&listed);
    assert!(stdout.contains("-> mesh, batch -> debug"), "{stdout}");
    assert_eq!(stderr, "");
    // Not into a pipeline of logs, nor beside one of another name.
    let logs = MINIMAL.replace("traces:", "logs:");
    let (stdout, stderr) = validate(&logs);
    assert!(
        stdout.contains("logs: otlp grpc 127.0.0.1:0 -> batch -> debug"),
        "{stdout}"
    );
    assert_eq!(stderr, "");
    let other = listed
        .replace("mesh: {kiali", "mesh/a: {kiali")
        .replace("[mesh]", "[mesh/a]");
    let (stdout, _) = validate(&other);
    assert!(stdout.contains("-> mesh/a, batch -> debug"), "{stdout}");
}

#[test]
fn the_program_says_what_it_is() {
    let (code, stdout, _) = out(&wayspan(&["components"]));
    assert_eq!(code, Some(0));
    for line in [
        "receivers:\n    - name: otlp\n",
        "    - name: mesh\n",
        "connectors:\n    - name: forward\n",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
    let (code, stdout, _) = out(&wayspan(&["featuregate"]));
    assert_eq!(
        (code, stdout.starts_with("ID ")),
        (Some(0), true),
        "{stdout}"
    );
    let (code, _, stderr) = out(&wayspan(&["featuregate", "some.gate"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no feature gate \"some.gate\""), "{stderr}");
    for (arguments, word) in [
        (&["completions", "bash"][..], "complete -F _wayspan"),
        (&["completions", "zsh"], "#compdef wayspan"),
        (&["man"], ".TH wayspan 1"),
    ] {
        let (code, stdout, _) = out(&wayspan(arguments));
        assert_eq!((code, stdout.contains(word)), (Some(0), true), "{stdout}");
    }
    let (code, _, stderr) = out(&wayspan(&["completions", "cobol"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("bash, elvish, fish"), "{stderr}");
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
fn a_configuration_prints_as_json() {
    let minimal = format!("yaml:{MINIMAL}");
    let arguments = ["print-config", "--format", "json", "--config", &minimal];
    let (code, printed, _) = out(&wayspan(&arguments));
    assert_eq!(code, Some(0));
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let pipeline = &printed["service"]["pipelines"]["traces"];
    assert_eq!(pipeline["exporters"], serde_json::json!(["debug"]));
    assert_eq!(printed["exporters"]["debug"], serde_json::Value::Null);
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

/// What the start would read is read, and what is wrong with it has its place.
#[test]
fn validate_looks_at_the_files_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (nowhere, nonsense) = (dir.path().join("nowhere"), put("nonsense", "no PEM\n"));
    let nowhere = nowhere.display();
    let empty = put("empty", "\n");
    let hashes = put("hashes", "# users\nbob:$6$salt$hash\n");
    let base = put(
        "base.yaml",
        &format!(
            "{MINIMAL}  extensions: [bearertokenauth, basicauth, basicauth/out, health_check]\n\
             extensions:\n  bearertokenauth: {{token: t}}\n  basicauth: {{htpasswd: {{inline: 'a:b'}}}}\n  \
             basicauth/out: {{client_auth: {{username: a, password: b}}}}\n  health_check: {{endpoint: ':0'}}\n"
        ),
    );
    for (yaml, at, message) in [
        (
            format!(
                "receivers: {{otlp: {{protocols: {{grpc: {{tls: {{cert_file: {nowhere}, key_file: {nonsense}}}}}}}}}}}"
            ),
            "1:56",
            "receivers.otlp.protocols.grpc.tls.cert_file: ",
        ),
        (
            format!(
                "receivers:\n  otlp:\n    protocols:\n      grpc:\n        tls:\n          cert_file: {nonsense}\n          key_file: {nonsense}\n"
            ),
            "6:22",
            "no PEM certificate in it",
        ),
        (
            format!(
                "exporters:\n  otlp_grpc:\n    endpoint: https://j:4317\n    tls:\n      ca_file: {nowhere}\nservice: {{pipelines: {{traces: {{exporters: [otlp_grpc]}}}}}}\n"
            ),
            "5:16",
            "exporters.otlp_grpc.tls.ca_file: ",
        ),
        (
            format!("extensions:\n  bearertokenauth:\n    filename: {nowhere}\n"),
            "3:15",
            "cannot be read",
        ),
        (
            format!("extensions:\n  bearertokenauth:\n    filename: {empty}\n"),
            "3:15",
            "token",
        ),
        (
            format!("extensions:\n  basicauth:\n    htpasswd:\n      file: {hashes}\n"),
            "4:13",
            "line 2: ",
        ),
        (
            format!(
                "extensions:\n  basicauth/out:\n    client_auth:\n      password_file: {nowhere}\n"
            ),
            "4:22",
            "cannot be read",
        ),
        (
            format!(
                "extensions:\n  health_check:\n    tls:\n      cert_file: {nowhere}\n      key_file: {nowhere}\n"
            ),
            "4:18",
            "extensions.health_check.tls.cert_file: ",
        ),
    ] {
        let path = put("c.yaml", &yaml);
        let arguments = ["validate", "--config", &base, "--config", &path];
        let (code, stdout, stderr) = out(&wayspan(&arguments));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{yaml}");
        assert!(
            stderr.contains(&format!("{path}:{at}: ")),
            "{yaml}\n{stderr}"
        );
        assert!(stderr.contains(message), "{stderr}");
        assert!(stderr.contains("wayspan: 1 error"), "{stderr}");
        let without = [&arguments[..], &["--no-files"]].concat();
        let (code, stdout, stderr) = out(&wayspan(&without));
        assert_eq!(code, Some(0), "{yaml}\n{stderr}");
        assert!(stdout.starts_with("OK\n"), "{stdout}");
    }
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
