//! A look into real Envoys.

use crate::envoy::{Collector, Envoy, Export, Hop, Role};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Setup, Wayspan, binary, free_port};

/// A waypoint of bookinfo; `traces`: whether its listeners do.
fn waypoint(collector: Collector, traces: bool) -> Envoy {
    let mut envoy = Envoy::new(
        Role::Waypoint,
        "waypoint",
        "6f7d9c5b4-qwert",
        "waypoint",
        "10.244.0.9",
        collector,
    );
    if !traces {
        envoy.trace_no_more();
    }
    for app in ["reviews", "ratings"] {
        let host = format!("{app}.bookinfo.svc.cluster.local");
        envoy.listen(&Hop {
            host: &host,
            cluster: &format!("inbound-vip|9080|http|{host}"),
            upstream: free_port(),
            inbound: true,
            service_name: "waypoint.bookinfo",
            tags: Vec::new(),
        });
    }
    envoy
}

#[test]
fn a_real_envoy_is_looked_into() {
    let dir = TempDir::new().unwrap();
    let wayspan = Wayspan::start(Setup::to_grpc(free_port()));
    let collector = Collector {
        export: Export::Grpc,
        port: wayspan.grpc,
    };
    let envoy = waypoint(collector, true);
    let admin = envoy.admin();
    let _process = envoy.start(dir.path());
    let judge = |port: u16| {
        let mut command = binary();
        command.args(["doctor", "--no-kubernetes", "--output", "json"]);
        command.arg(format!("--proxy=http://127.0.0.1:{port}"));
        let output = command.output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = judge(admin);
    assert_eq!(code, 0, "{said:#}");
    let saw = said["checks"][0]["saw"].as_str().unwrap();
    assert_eq!(saw, "waypoint-6f7d9c5b4-qwert.bookinfo: 2 of 2 listeners");
    assert_eq!(said["checks"][1]["id"], "proxy-cluster", "{said:#}");
    // What is no Envoy's admin port is no healthy proxy.
    let (code, said) = judge(wayspan.http);
    assert_eq!(code, 2, "{said:#}");
    // One that Istio did not give its tracing, whatever Telemetries say.
    let other = TempDir::new().unwrap();
    let envoy = waypoint(collector, false);
    let admin = envoy.admin();
    let _silent = envoy.start(other.path());
    let (code, said) = judge(admin);
    assert_eq!(code, 1, "{said:#}");
    let first = &said["causes"][0];
    assert_eq!(first["check"], "proxy-tracing", "{said:#}");
    let fix = &first["fix"]["command"];
    assert_eq!(
        fix,
        "kubectl -n bookinfo rollout restart deployment waypoint"
    );
}
