//! What stops a start, and what it says then.

use std::fs;
use tempfile::TempDir;
use testkit::{PATIENCE, Process, binary, free_port};

/// `kubernetes: on` is a promise; where it cannot be kept the start fails.
#[test]
fn kubernetes_that_must_be_watched_and_cannot() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config.yaml");
    let damaged = dir.path().join("damaged");
    fs::write(&damaged, "clusters: 7\n").unwrap();
    let missing = dir.path().join("missing");
    for (kubernetes, part) in [
        (
            format!("{{mode: on, kubeconfig: {}}}", missing.display()),
            "kubernetes.kubeconfig is",
        ),
        (
            format!("{{mode: on, kubeconfig: {}}}", damaged.display()),
            "kubernetes.kubeconfig is",
        ),
        (
            "on".to_owned(),
            "outside of a cluster set kubernetes.kubeconfig",
        ),
    ] {
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: \"127.0.0.1:{}\"}}}}}}}}\n\
             processors: {{mesh: {{kubernetes: {kubernetes}}}}}\n\
             exporters: {{debug: }}\n\
             service:\n  pipelines: {{traces: {{receivers: [otlp], processors: [mesh], exporters: [debug]}}}}\n  \
             telemetry: {{metrics: {{level: none}}}}\n",
            free_port()
        );
        fs::write(&file, config).unwrap();
        let mut command = binary();
        command.arg("--config").arg(&file);
        // No kubeconfig of whoever runs this.
        command.env("HOME", dir.path()).env_remove("KUBECONFIG");
        command.env_remove("KUBERNETES_SERVICE_HOST");
        let mut process = Process::start(dir.path(), "wayspan", &mut command);
        assert!(!process.wait_end(PATIENCE).success(), "{kubernetes}");
        let log = process.log();
        assert!(
            log.contains("cannot watch Kubernetes") && log.contains(part),
            "{log}"
        );
    }
}
