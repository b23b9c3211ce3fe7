//! The binary under test with one configuration.

use crate::{
    http1,
    proc::{PATIENCE, Proc, free_port},
    sink::Sink,
};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub struct Wayspan {
    pub grpc: u16,
    pub http: u16,
    pub health: u16,
    pub metrics: u16,
    pub process: Proc,
    _dir: TempDir,
}

/// What tests vary.
pub struct Setup<'a> {
    /// Port of the backend.
    pub towards: u16,
    /// `batch.timeout`.
    pub batch_timeout: &'a str,
    /// `drain_timeout`.
    pub drain: &'a str,
    /// Lines inside `protocols.grpc` and `protocols.http`.
    pub grpc_lines: &'a str,
    pub http_lines: &'a str,
    /// `memory_limiter.limit_mib`.
    pub memory_mib: usize,
    /// What stands below `processors.mesh`, in flow style; empty: no such
    /// processor.
    pub mesh: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            towards: 0,
            batch_timeout: "20ms",
            drain: "25s",
            grpc_lines: "",
            http_lines: "",
            memory_mib: 256,
            mesh: "",
        }
    }
}

impl Wayspan {
    /// OTLP in, batches of 20 ms, out to `sink` over gRPC.
    pub async fn start(sink: &Sink) -> Self {
        Self::launch(Setup {
            towards: sink.port(),
            ..Setup::default()
        })
        .await
    }

    /// The same with another batch timeout.
    pub async fn start_batching(sink: &Sink, batch_timeout: &str) -> Self {
        Self::launch(Setup {
            towards: sink.port(),
            batch_timeout,
            ..Setup::default()
        })
        .await
    }

    pub async fn launch(setup: Setup<'_>) -> Self {
        let [grpc, http, health, metrics] = std::array::from_fn(|_| free_port());
        let mut config = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: 127.0.0.1:{grpc}\n"
        );
        indent(&mut config, setup.grpc_lines);
        writeln!(config, "      http:\n        endpoint: 127.0.0.1:{http}").unwrap();
        indent(&mut config, setup.http_lines);
        let Setup {
            towards,
            batch_timeout,
            drain,
            memory_mib,
            mesh,
            ..
        } = setup;
        let (mesh, named) = match mesh {
            "" => (String::new(), ""),
            mesh => (format!("  mesh: {mesh}\n"), "mesh, "),
        };
        write!(
            config,
            "\
processors:
  memory_limiter:
    check_interval: 1s
    limit_mib: {memory_mib}
{mesh}  batch:
    timeout: {batch_timeout}
exporters:
  otlp_grpc:
    endpoint: 127.0.0.1:{towards}
    tls:
      insecure: true
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  wayspan:
    drain_timeout: {drain}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [memory_limiter, {named}batch]
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

    /// Starts with a ready file: nothing is changed but its ports, and its
    /// exporter of this id, which gets `to` as endpoint. `prepare` may add to
    /// the command.
    pub async fn ready(
        file: &Path,
        exporter: &str,
        to: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let [grpc, http, health, metrics] = std::array::from_fn(|_| free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayspan"));
        command.arg("--config").arg(file);
        let prometheus = format!("{{host: 127.0.0.1, port: {metrics}}}");
        for set in [
            format!("receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{grpc}"),
            format!("receivers.otlp.protocols.http.endpoint=127.0.0.1:{http}"),
            format!("extensions.health_check.endpoint=127.0.0.1:{health}"),
            format!("exporters.{exporter}.endpoint={to}"),
            format!(
                "service.telemetry.metrics.readers=[{{pull: {{exporter: {{prometheus: {prometheus}}}}}}}]"
            ),
        ] {
            command.arg("--set").arg(set);
        }
        prepare(&mut command);
        let dir = TempDir::new().unwrap();
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

/// A file that comes with wayspan.
pub fn shipped(folder: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join(name)
}

/// Starts a command that serves health on `health` and waits until it does.
pub async fn spawn_ready(dir: &Path, mut command: Command, health: u16) -> Proc {
    let dir = dir.to_owned();
    let started = tokio::task::spawn_blocking(move || {
        let mut process = Proc::start(&dir, "wayspan", &mut command);
        process.wait_ready(|| http1::get(health, "/", &[]).is_ok_and(|a| a.status == 200));
        process
    });
    started.await.unwrap()
}
