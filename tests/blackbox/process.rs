//! The binary under test with one configuration.

use crate::{
    http1,
    proc::{PATIENCE, Proc, free_port},
    sink::Sink,
};
use std::{fmt::Write, process::Command};
use tempfile::TempDir;

pub struct Wayspan {
    pub grpc: u16,
    pub http: u16,
    pub health: u16,
    pub metrics: u16,
    pub process: Proc,
    _dir: TempDir,
}

impl Wayspan {
    /// OTLP in, batches of 20 ms, out to `sink` over gRPC.
    pub async fn start(sink: &Sink) -> Self {
        Self::launch(sink, "20ms", "", "").await
    }

    /// The same with another batch timeout.
    pub async fn start_batching(sink: &Sink, timeout: &str) -> Self {
        Self::launch(sink, timeout, "", "").await
    }

    /// The same with lines inside `protocols.grpc` and `protocols.http`.
    pub async fn start_with(sink: &Sink, grpc_lines: &str, http_lines: &str) -> Self {
        Self::launch(sink, "20ms", grpc_lines, http_lines).await
    }

    async fn launch(sink: &Sink, timeout: &str, grpc_lines: &str, http_lines: &str) -> Self {
        let [grpc, http, health, metrics] = std::array::from_fn(|_| free_port());
        let mut config = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: 127.0.0.1:{grpc}\n"
        );
        indent(&mut config, grpc_lines);
        writeln!(config, "      http:\n        endpoint: 127.0.0.1:{http}").unwrap();
        indent(&mut config, http_lines);
        write!(
            config,
            "\
processors:
  batch:
    timeout: {timeout}
exporters:
  otlp_grpc:
    endpoint: 127.0.0.1:{}
    tls:
      insecure: true
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlp_grpc]
  telemetry:
    metrics:
      readers:
        - pull:
            exporter:
              prometheus:
                host: 127.0.0.1
                port: {metrics}
",
            sink.port()
        )
        .unwrap();
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("wayspan.yaml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayspan"));
        command.arg("--config").arg(&file);
        let process = spawn_ready(dir.path(), command, health).await;
        Self {
            grpc,
            http,
            health,
            metrics,
            process,
            _dir: dir,
        }
    }

    /// The value of the first sample that starts with `series`.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let page = http1::get(self.metrics, "/metrics", &[]).unwrap().body;
        let line = page.lines().find(|line| line.starts_with(series))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// SIGTERM, then the end of the process, which must be a success. Needs a
    /// runtime of several threads.
    pub fn stop(&mut self) {
        self.process.terminate();
        let status = tokio::task::block_in_place(|| self.process.wait_end(PATIENCE));
        assert!(status.success(), "{status}\n{}", self.process.log_tail());
    }

    /// Still up after what a test did to it?
    pub fn assert_alive(&self) {
        let answer = http1::get(self.health, "/", &[]).unwrap();
        assert_eq!(
            answer.status,
            200,
            "{}\n{}",
            answer.body,
            self.process.log_tail()
        );
        let log = self.process.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

fn indent(config: &mut String, lines: &str) {
    for line in lines.lines() {
        writeln!(config, "        {line}").unwrap();
    }
}

/// Starts a command that serves health on `health` and waits until it does.
pub async fn spawn_ready(dir: &std::path::Path, mut command: Command, health: u16) -> Proc {
    let dir = dir.to_owned();
    let started = tokio::task::spawn_blocking(move || {
        let mut process = Proc::start(&dir, "wayspan", &mut command);
        process.wait_ready(|| http1::get(health, "/", &[]).is_ok_and(|a| a.status == 200));
        process
    });
    started.await.unwrap()
}
