//! The binary under test, as one process with one configuration file.

use crate::http;
use crate::kiali::Kiali;
use crate::proc::{PATIENCE, Proc, free_port};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

pub struct Wayspan {
    pub grpc: u16,
    pub http: u16,
    metrics: u16,
    health: u16,
    process: Proc,
}

/// What may differ between the tests' configurations.
pub struct Setup {
    /// The Kiali described to the `mesh` processor; none leaves it out.
    pub kiali: Option<Kiali>,
    pub batch_timeout: &'static str,
    /// Jaeger's OTLP port over gRPC, or over HTTP.
    pub export_grpc: Option<u16>,
    pub export_http: Option<u16>,
    /// `processors.mesh.kubernetes`, where there is a `mesh` processor.
    pub kubernetes: Option<Value>,
    /// Whether ztunnel's access log becomes spans.
    pub ztunnel_connections: bool,
}

impl Setup {
    pub fn to(jaeger_grpc: u16) -> Self {
        Self {
            kiali: None,
            batch_timeout: "200ms",
            export_grpc: Some(jaeger_grpc),
            export_http: None,
            kubernetes: None,
            ztunnel_connections: false,
        }
    }

    pub fn named_for(self, kiali: Kiali) -> Self {
        Self {
            kiali: Some(kiali),
            ..self
        }
    }
}

impl Wayspan {
    pub fn start(dir: &Path, setup: &Setup) -> Self {
        let [grpc, http_port, health, metrics] = std::array::from_fn(|_| free_port());
        let at = |port: u16| json!({"endpoint": format!("127.0.0.1:{port}")});
        let mut processors = json!({
            "batch": {"timeout": setup.batch_timeout, "send_batch_size": 8192},
        });
        let mut order = vec!["batch"];
        if let Some(kiali) = setup.kiali {
            processors["mesh"] = mesh(&kiali, "Kubernetes");
            if let Some(kubernetes) = &setup.kubernetes {
                processors["mesh"]["kubernetes"] = kubernetes.clone();
            }
            if setup.ztunnel_connections {
                processors["mesh"]["ztunnel_connections"] = json!("on");
            }
            order.insert(0, "mesh");
        }
        let mut exporters = json!({});
        if let Some(port) = setup.export_grpc {
            exporters["otlp_grpc"] = at(port);
            exporters["otlp_grpc"]["tls"] = json!({"insecure": true});
        }
        if let Some(port) = setup.export_http {
            exporters["otlp_http"] = json!({"endpoint": format!("http://127.0.0.1:{port}")});
        }
        let to: Vec<_> = exporters
            .as_object()
            .map(|e| e.keys().cloned().collect())
            .unwrap_or_default();
        let config = json!({
            "receivers": {"otlp": {"protocols": {"grpc": at(grpc), "http": at(http_port)}}},
            "processors": processors,
            "exporters": exporters,
            "extensions": {"health_check": at(health)},
            "service": {
                "extensions": ["health_check"],
                "pipelines": {"traces": {"receivers": ["otlp"], "processors": order, "exporters": to}},
                "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {
                    "prometheus": {"host": "127.0.0.1", "port": metrics},
                }}}]}},
            },
        });
        Self {
            grpc,
            http: http_port,
            metrics,
            health,
            process: start(dir, &config, health),
        }
    }

    /// A page of metrics.
    pub fn metrics(&self) -> String {
        http::get(self.metrics, "/metrics", &[]).map_or_else(|_| String::new(), |page| page.body)
    }

    /// The health page, which must be green.
    pub fn health(&self) -> Value {
        let page = http::get(self.health, "/", &[]).unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        serde_json::from_str(&page.body).unwrap()
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The sum of a metric's samples, under the name a Collector gives it.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let page = http::get(self.metrics, "/metrics", &[]).ok()?.body;
        let sample = |line: &str| -> Option<f64> {
            let rest = line.strip_prefix(name)?;
            (rest.starts_with(['{', ' '])).then(|| rest.rsplit(' ').next()?.parse().ok())?
        };
        let samples: Vec<f64> = page.lines().filter_map(sample).collect();
        (!samples.is_empty()).then(|| samples.iter().sum())
    }

    /// SIGTERM, then the end of the process, which must be a success.
    pub fn stop(self) {
        stop(self.process);
    }
}

/// Runs the binary with a configuration until its health check says yes.
pub fn start(dir: &Path, config: &Value, health: u16) -> Proc {
    // JSON is YAML, so nothing need be spelt twice.
    let file = dir.join("wayspan.yaml");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut process = Proc::start(
        dir,
        "wayspan",
        Command::new(env!("CARGO_BIN_EXE_wayspan"))
            .arg("--config")
            .arg(&file),
    );
    process.wait_ready(|| http::get(health, "/", &[]).is_ok_and(|a| a.status == 200));
    process
}

/// SIGTERM, then the end of the process, which must be a success.
pub fn stop(mut process: Proc) {
    process.terminate();
    let status = process.wait_end(PATIENCE);
    assert!(status.success(), "{status}\n{}", process.log_tail());
}

/// The `mesh` processor told of a Kiali that looks at a cluster.
pub fn mesh(kiali: &Kiali, cluster: &str) -> Value {
    let (major, minor) = kiali.version;
    json!({
        "kiali": {
            "version": format!("{major}.{minor}"),
            "namespace_selector": kiali.namespace_selector,
            "use_waypoint_name": kiali.use_waypoint_name,
            "istio_identity_domain": "svc.cluster.local",
        },
        "cluster_id": cluster,
    })
}
