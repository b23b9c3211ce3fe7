//! A namespace of a hundred workloads.

use super::spans::WAYPOINT;
use crate::{kubernetes::Cluster, spans::export};
use serde_json::{Value, json};
use std::{
    io::Read as _,
    process::Stdio,
    time::{Duration, Instant},
};
use testkit::{Wayspan, binary};

/// A hundred workloads, each with its Service and three Pods, and spans of all.
pub fn a_large_namespace_is_looked_at_quickly(cluster: &Cluster, wayspan: &Wayspan) {
    for number in 0..100 {
        let app = format!("app-{number}");
        cluster.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": app, "namespace": "bookinfo"},
            "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 9080}]},
        }));
        for pod in 0..3 {
            cluster.apply(&json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{app}-7c9f6d5b8-xk2l{pod}"), "namespace": "bookinfo", "labels": {"app": app}},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            }));
        }
        let upstream = format!("inbound-vip|9080|http|{app}.bookinfo.svc.cluster.local");
        let tags = [
            ("component", "proxy"),
            ("node_id", WAYPOINT),
            ("upstream_cluster", &upstream),
            ("istio.cluster_id", "Kubernetes"),
        ];
        let resource = [("service.name", "waypoint.bookinfo")];
        export(wayspan, rand::random(), &resource, &tags);
    }
    let began = Instant::now();
    let mut command = binary();
    command.args([
        "doctor",
        "-n",
        "bookinfo",
        "--output",
        "json",
        "--kubeconfig",
    ]);
    command.arg(cluster.kubeconfig());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        text
    });
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let said: Value = serde_json::from_str(&reader.join().unwrap()).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let names = checks.iter().find(|check| check["id"] == "names-asked");
    let saw = names.unwrap()["saw"].to_string();
    assert!(saw.contains("services 102 of 102"), "{saw}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    assert!(peak > 1000 && peak < 64 << 10, "{peak} KiB");
}
