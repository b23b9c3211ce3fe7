//! Secrets are in no log line, error, page or printed configuration, whatever
//! goes wrong with them.
//!
//! Every secret here has [`HUSH`] in it, so that one search finds them all.

use crate::spans::good;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;
use testkit::{
    Ca, EXPORT, Grpc, PATIENCE, Process, Tls, binary, frames, free_port, get, http, is_healthy,
    wait_for,
};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener, net::TcpStream};

const HUSH: &str = "hu5h";

/// Panics, without printing it all, where `text` tells a secret.
#[track_caller]
fn assert_hushed(what: &str, text: &str) {
    if let Some(line) = told(text) {
        panic!("{what} tells a secret: {line}");
    }
}

/// The first line that tells a secret.
fn told(text: &str) -> Option<&str> {
    let secret = |line: &&str| line.contains(HUSH) || line.contains("PRIVATE KEY");
    text.lines().find(secret)
}

/// Variables that hold secrets, in the ways in which files use them.
const VARIABLES: [(&str, &str); 4] = [
    ("HUSH_TOKEN", "hu5h-token-of-env"),
    ("HUSH_HEADERS", "{x-key: hu5h-header-of-env}"),
    ("HUSH_BROKEN", "hu5h\u{1}broken"),
    ("HUSH_HTPASSWD", "eve:$6$salt$hu5h-sha-crypt"),
];

fn with_variables() -> Command {
    let mut command = binary();
    command.envs(VARIABLES);
    command
}

/// Everything the command prints.
fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// What the configuration of [`everything`] names.
struct Ports {
    grpc: u16,
    http: u16,
    health: u16,
    metrics: u16,
    /// Nobody listens.
    nobody: u16,
    /// Refuses whatever it is asked, in its own words.
    refuser: u16,
}

/// A file with every kind of secret, in clear, in a file and in a variable.
fn everything(ca: &Ca, ports: &Ports) -> String {
    ca.install(&ca.sign("localhost"));
    let path = |name: &str| ca.path(name).display().to_string();
    ca.put("tokens", "hu5h-token-of-file\n");
    ca.put("users", "carol:hu5h-password-of-file\n");
    ca.put("password", "hu5h-password-of-exporter-file");
    let sender = ca.sign("sender");
    let indented = |pem: &str| {
        pem.lines()
            .map(|line| format!("        {line}\n"))
            .collect::<String>()
    };
    let Ports {
        grpc,
        http,
        health,
        metrics,
        nobody,
        refuser,
    } = ports;
    format!(
        r#"
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
        tls: {{cert_file: "{cert}", key_file: "{key}"}}
        auth: {{authenticator: bearertokenauth/in}}
      http:
        endpoint: 127.0.0.1:{http}
        auth: {{authenticator: basicauth/in}}
processors:
  mesh:
    kubernetes: off
    kiali: {{url: "http://127.0.0.1:{refuser}/kiali", token: hu5h-kiali-token, poll_interval: 200ms}}
  batch: {{timeout: 10ms}}
exporters:
  debug: {{verbosity: detailed}}
  otlp_grpc/away:
    endpoint: https://127.0.0.1:{nobody}
    auth: {{authenticator: bearertokenauth/out}}
    headers: {{authorization-2: hu5h-header, x-env: "${{env:HUSH_TOKEN}}"}}
    tls:
      ca_file: "{ca}"
      cert_pem: |
{sender_cert}
      key_pem: |
{sender_key}
  otlp_http/refused:
    endpoint: http://127.0.0.1:{refuser}
    auth: {{authenticator: basicauth/out}}
    headers: "${{env:HUSH_HEADERS}}"
  otlp_http/file:
    endpoint: http://127.0.0.1:{refuser}
    auth: {{authenticator: basicauth/file}}
  otlp_grpc/file:
    endpoint: http://127.0.0.1:{refuser}
    auth: {{authenticator: bearertokenauth/file}}
extensions:
  bearertokenauth/in: {{tokens: [hu5h-token-1, "${{env:HUSH_TOKEN}}"]}}
  bearertokenauth/out: {{token: hu5h-token-out, scheme: Token}}
  bearertokenauth/file: {{filename: "{tokens}"}}
  basicauth/in: {{htpasswd: {{inline: "bob:hu5h-password", file: "{users}"}}}}
  basicauth/out: {{client_auth: {{username: bob, password: hu5h-password-out}}}}
  basicauth/file: {{client_auth: {{username: bob, password_file: "{password}"}}}}
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [bearertokenauth/in, bearertokenauth/out, bearertokenauth/file, basicauth/in, basicauth/out, basicauth/file, health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [mesh, batch]
      exporters: [debug, otlp_grpc/away, otlp_http/refused, otlp_http/file, otlp_grpc/file]
  telemetry:
    logs: {{level: debug}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}
  wayspan: {{drain_timeout: 200ms}}
"#,
        cert = path("tls.crt"),
        key = path("tls.key"),
        ca = path("ca.crt"),
        tokens = path("tokens"),
        users = path("users"),
        password = path("password"),
        sender_cert = indented(&sender.cert),
        sender_key = indented(&sender.key),
    )
}

/// Answers every request with 401, and says how many there were.
async fn refuser() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = socket.read(&mut head).await;
                let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 7\r\n\
                    connection: close\r\n\r\nno good";
                let _ = socket.write_all(answer).await;
            });
        }
    });
    port
}

fn write(dir: &Path, text: &str) -> String {
    let file = dir.join("config.yaml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_while_it_runs_and_everything_fails() {
    let (ca, dir) = (Ca::new(), TempDir::new().unwrap());
    let [grpc, http_port, health, metrics, nobody] = std::array::from_fn(|_| free_port());
    let ports = Ports {
        grpc,
        http: http_port,
        health,
        metrics,
        nobody,
        refuser: refuser().await,
    };
    let file = write(dir.path(), &everything(&ca, &ports));
    let mut command = with_variables();
    command.args(["--config", &file]).env("RUST_BACKTRACE", "1");
    let mut process = Process::start(dir.path(), "wayspan", &mut command);
    process.wait_ready(|| is_healthy(health));

    // Senders with the right, with wrong and with nonsensical credentials.
    let socket = TcpStream::connect(("127.0.0.1", grpc)).await.unwrap();
    let connector = ca.client().connector();
    let mut client = Grpc::over(connector.connect(Tls::name(), socket).await.unwrap()).await;
    for (authorization, status) in [
        ("Bearer hu5h-token-1", 0),
        ("Bearer hu5h-token-of-env", 0),
        ("Bearer hu5h-wrong", 16),
        ("hu5h-no-scheme", 16),
        ("Basic aHU1aA==hu5h", 16),
    ] {
        let headers = [("authorization", authorization), ("cookie", "hu5h-cookie")];
        let reply = client
            .send("POST", EXPORT, &headers, frames::grpc(0, &good(1)))
            .await;
        assert_eq!(reply.grpc_status(), Some(status), "{reply:?}");
        assert_hushed(
            "an answer",
            &format!("{} {:?}", reply.message(), reply.fields),
        );
    }
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    for (authorization, status) in [
        (basic("bob:hu5h-password"), 200),
        (basic("carol:hu5h-password-of-file"), 200),
        (basic("bob:hu5h-wrong"), 401),
        (basic("hu5h-nobody"), 401),
        ("Basic hu5h%%%".to_owned(), 401),
    ] {
        let headers = [
            ("authorization", &*authorization),
            ("content-type", "application/x-protobuf"),
        ];
        let reply = http(http_port, "POST", "/v1/traces", &headers, &good(2)).await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert_hushed("an answer", &format!("{reply:?} {}", reply.text()));
    }

    // Each exporter has failed, and Kiali has refused its token.
    tokio::task::block_in_place(|| {
        for failing in [
            "otlp_grpc/away",
            "otlp_http/refused",
            "otlp_http/file",
            "otlp_grpc/file",
            "Kiali",
        ] {
            wait_for(&format!("words about {failing}"), || {
                let log = process.log();
                let told = |line: &str| {
                    line.contains(failing) && (line.contains("WARN") || line.contains("ERROR"))
                };
                log.lines().any(told).then_some(())
            });
        }
        // Files that change, to what cannot be used.
        ca.put("users", "carol:$6$salt$hu5h-unsupported\n");
        ca.put("tls.key", "-----BEGIN PRIVATE KEY-----\nhu5h\n");
        wait_for("words about the users", || {
            process.log().contains("SHA-crypt").then_some(())
        });
        for (port, page) in [(health, "/"), (metrics, "/metrics"), (health, "/debug")] {
            assert_hushed(page, &get(port, page, &[]).unwrap().body);
        }
        process.terminate();
        process.wait_end(PATIENCE);
    });
    let log = process.log();
    assert!(log.contains("DEBUG"), "{log}");
    assert_hushed("the log", &log);
    // The log of a run with everything wrong has no other shape for them either.
    for encoded in [
        "hu5h-password",
        "hu5h-password-out",
        "hu5h-password-of-exporter-file",
    ] {
        let pair = STANDARD.encode(format!("bob:{encoded}"));
        assert!(!log.contains(&pair), "the log tells {encoded}, in base64");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn print_config_has_secrets_only_when_told_to() {
    let (ca, dir) = (Ca::new(), TempDir::new().unwrap());
    let [grpc, http, health, metrics, nobody] = std::array::from_fn(|_| free_port());
    let ports = Ports {
        grpc,
        http,
        health,
        metrics,
        nobody,
        refuser: free_port(),
    };
    let file = write(dir.path(), &everything(&ca, &ports));
    let print = |more: &[&str]| {
        let mut command = with_variables();
        command.args(["print-config", "--config", &file]).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
        printed(&output)
    };
    let shown = print(&["--show-secrets"]);
    for secret in [
        "hu5h-kiali-token",
        "hu5h-header",
        "hu5h-header-of-env",
        "hu5h-token-of-env",
        "hu5h-token-1",
        "hu5h-token-out",
        "hu5h-password",
        "hu5h-password-out",
        "BEGIN PRIVATE KEY",
    ] {
        assert!(shown.contains(secret), "{secret} is in the file");
    }
    assert_hushed("print-config", &print(&[]));
    let output = with_variables()
        .args(["validate", "--config", &file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert_hushed("validate", &printed(&output));
}

/// Mistakes at, in, above and below secrets, in files that are wrong in each of
/// these ways.
const MISTAKES: [&str; 40] = [
    // What is not a text.
    "extensions: {bearertokenauth: {token: {a: hu5h}}}",
    "extensions: {bearertokenauth: {token: [hu5h]}}",
    "extensions: {bearertokenauth: {tokens: hu5h}}",
    "extensions: {bearertokenauth: {tokens: {a: hu5h}}}",
    "extensions:\n  bearertokenauth:\n    tokens:\n      - hu5h\n      - [hu5h]",
    "extensions: {basicauth: {client_auth: {username: u, password: [hu5h]}}}",
    "extensions: {basicauth: {client_auth: hu5h}}",
    "extensions: {basicauth: {htpasswd: hu5h}}",
    "extensions: {basicauth: {htpasswd: {inline: [hu5h]}}}",
    "exporters: {otlp_grpc: {headers: hu5h}}",
    "exporters: {otlp_grpc: {headers: [hu5h]}}",
    "exporters: {otlp_grpc: {headers: {a: {b: hu5h}}}}",
    "exporters: {otlp_grpc: {tls: {key_pem: [hu5h]}}}",
    "processors: {mesh: {kiali: {token: [hu5h]}}}",
    // Whole values that are missing or in the wrong place.
    "extensions: {bearertokenauth: hu5h}",
    "extensions: {bearertokenauth: [hu5h]}",
    "extensions: {basicauth: {client_auth: {username: u, passwort: hu5h}}}",
    "extensions: {bearertokenauth: {tokne: hu5h}}",
    "exporters: {otlp_grpc: {header: {a: hu5h}}}",
    "exporters: {otlp_grpc: {token: hu5h}}",
    // Characters that cannot be used.
    "extensions: {bearertokenauth: {token: \"hu5h\\u0001\"}}",
    "extensions: {bearertokenauth: {token: ' hu5h'}}",
    "extensions: {bearertokenauth: {token: '${env:HUSH_BROKEN}'}}",
    "extensions: {bearertokenauth: {tokens: ['${env:HUSH_BROKEN}']}}",
    "exporters: {otlp_grpc: {headers: {a: \"hu5h\\u0001\"}}}",
    "exporters: {otlp_grpc: {headers: {a: '${env:HUSH_BROKEN}'}}}",
    "exporters: {otlp_grpc: {headers: {'a b': hu5h}}}",
    "processors: {mesh: {kiali: {url: 'http://k', token: 'hu5h ü'}}}",
    // Formats.
    "extensions: {basicauth: {htpasswd: {inline: 'eve:$$6$$salt$$hu5h-sha-crypt'}}}",
    "extensions: {basicauth: {htpasswd: {inline: '${env:HUSH_HTPASSWD}'}}}",
    "extensions: {basicauth: {htpasswd: {inline: 'hu5h'}}}",
    "extensions:\n  basicauth:\n    htpasswd:\n      inline: |\n        bob:hu5h\n        eve:$6$salt$hu5h",
    "exporters: {otlp_grpc: {tls: {key_pem: hu5h, cert_file: /x, key_file: /y}}}",
    // Not YAML at all, on the line of a secret and after it.
    "extensions: {bearertokenauth: {token: \"hu5h}}",
    "extensions:\n  bearertokenauth:\n    token: hu5h\n   x: 1",
    "extensions:\n  bearertokenauth: {token: hu5h, token: hu5h}",
    "extensions:\n  bearertokenauth:\n    token: hu5h: x",
    // URLs with names and passwords.
    "exporters: {otlp_grpc: {endpoint: 'https://bob:hu5h@jaeger:4317'}}",
    "exporters: {otlp_http: {endpoint: 'http://bob:hu5h@jaeger:4318'}}",
    "processors: {mesh: {kiali: {url: 'http://bob:hu5h@kiali'}}}",
];

/// What the mistakes are merged over: every component is used.
const BASE: &str = "\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: \"127.0.0.1:0\", auth: {authenticator: bearertokenauth}}
      http: {endpoint: \"127.0.0.1:0\", auth: {authenticator: basicauth}}
processors: {mesh: {kubernetes: off}}
exporters:
  otlp_grpc: {endpoint: \"j:4317\"}
  otlp_http: {endpoint: \"http://j:4318\"}
extensions:
  bearertokenauth:
  basicauth:
service:
  extensions: [bearertokenauth, basicauth]
  pipelines: {traces: {receivers: [otlp], processors: [mesh], exporters: [otlp_grpc, otlp_http]}}
";

#[test]
fn no_error_in_a_configuration_tells_a_secret() {
    let dir = TempDir::new().unwrap();
    let base = dir.path().join("base.yaml");
    fs::write(&base, BASE).unwrap();
    let base = base.display().to_string();
    let mut leaks = Vec::new();
    for mistake in MISTAKES {
        let file = write(dir.path(), mistake);
        let inline = format!("yaml:{mistake}");
        for config in [&file, &inline] {
            for command in ["validate", "run", "print-config"] {
                let arguments = [command, "--config", &base, "--config", config];
                let mut process =
                    Process::start(dir.path(), command, with_variables().args(arguments));
                let status = process.wait_end(PATIENCE);
                // Printing does not check.
                assert!(command == "print-config" || !status.success(), "{mistake}");
                let log = process.log();
                let leak = told(&log).map(|line| format!("{command} of {mistake}: {line}"));
                leaks.extend(leak);
            }
        }
    }
    // Values from the command line, and files that are none.
    for set in [
        "extensions.bearertokenauth.token=[hu5h]",
        "extensions.basicauth.client_auth.password={a: hu5h}",
        "exporters.otlp_grpc.headers=hu5h",
        "exporters.otlp_grpc.headers.a=[hu5h",
        "processors.mesh.kiali.token=[hu5h]",
        "processors.mesh.kiali.token:hu5h",
    ] {
        let output = with_variables()
            .args(["validate", "--config", &base, "--set", set])
            .output();
        let output = output.unwrap();
        assert!(!output.status.success(), "{set}");
        let leak = told(&printed(&output)).map(|line| format!("{set}: {line}"));
        leaks.extend(leak);
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
