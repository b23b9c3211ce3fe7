//! A real Envoy with the tracing block that Istio gives it.
//!
//! Idea: node ids, cluster names, route decorators and custom tags follow
//! Istio's own spelling, since they are what a collector has to go by.
//! Invariants: only the flush interval differs from Istio (so that no test
//! waits five seconds); a flush still takes five spans.

use crate::installed::peer;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use testkit::{Process, free_port, get};

/// How spans leave Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    Grpc,
    Http,
    /// By Envoy's Zipkin tracer, as Istio's `zipkin` provider has it.
    Zipkin,
}

impl Export {
    pub fn label(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::Http => "HTTP",
            Self::Zipkin => "Zipkin",
        }
    }
}

/// Where spans go.
#[derive(Debug, Clone, Copy)]
pub struct Collector {
    pub export: Export,
    pub port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Waypoint,
    Sidecar,
}

/// One proxy: its identity and the listeners it has.
pub struct Envoy {
    role: Role,
    workload: &'static str,
    pod: String,
    canonical: &'static str,
    address: &'static str,
    collector: Collector,
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    spawns: bool,
    traces: bool,
    resource: Option<String>,
    admin: u16,
}

/// What one listener does with every request.
pub struct Hop<'a> {
    /// Host that the request is for, `reviews.bookinfo.svc.cluster.local`.
    pub host: &'a str,
    /// Istio's name for the upstream cluster.
    pub cluster: &'a str,
    pub upstream: u16,
    pub inbound: bool,
    /// `service.name` of the spans.
    pub service_name: &'a str,
    /// Tags besides the five that every proxy adds.
    pub tags: Vec<(String, String)>,
}

impl Envoy {
    pub fn new(
        role: Role,
        workload: &'static str,
        pod_suffix: &str,
        canonical: &'static str,
        address: &'static str,
        collector: Collector,
    ) -> Self {
        Self {
            role,
            workload,
            pod: format!("{workload}-{pod_suffix}"),
            canonical,
            address,
            collector,
            listeners: Vec::new(),
            clusters: Vec::new(),
            spawns: false,
            traces: true,
            resource: None,
            admin: free_port(),
        }
    }

    /// Makes the listeners to come emit a span of its own for the upstream request.
    pub fn spawn_upstream_spans(&mut self) {
        self.spawns = true;
    }

    /// Leaves tracing out of the listeners to come.
    pub fn trace_no_more(&mut self) {
        self.traces = false;
    }

    /// Gives it `OTEL_RESOURCE_ATTRIBUTES`, and lets the listeners to come look there.
    pub fn detect_resource(&mut self, attributes: &str) {
        self.resource = Some(attributes.to_owned());
    }

    /// Adds a listener and gives its port.
    pub fn listen(&mut self, hop: &Hop) -> u16 {
        let port = free_port();
        let mut hcm = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": hop.host,
            "use_remote_address": self.role == Role::Gateway,
            "generate_request_id": true,
            "tracing": self.tracing(hop),
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }],
            "route_config": {"name": hop.cluster, "virtual_hosts": [{
                "name": hop.host,
                "domains": ["*"],
                "routes": [{
                    "match": {"prefix": "/"},
                    "route": {"cluster": hop.cluster, "timeout": "15s"},
                    "decorator": {"operation": format!("{}:9080/*", hop.host)},
                }],
            }]},
        });
        if !self.traces {
            hcm.as_object_mut().unwrap().remove("tracing");
        }
        self.listeners.push(json!({
            "name": format!("{}_{}", hop.cluster, self.listeners.len()),
            "address": address(port),
            "traffic_direction": if hop.inbound { "INBOUND" } else { "OUTBOUND" },
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": hcm,
            }]}],
        }));
        self.clusters
            .push(cluster(hop.cluster, hop.upstream, false));
        port
    }

    /// Istio's tracing block for an extension provider: `opentelemetry`, or `zipkin`.
    fn tracing(&self, hop: &Hop) -> Value {
        let own = [
            ("istio.canonical_revision", "latest"),
            ("istio.canonical_service", self.canonical),
            ("istio.cluster_id", "Kubernetes"),
            ("istio.mesh_id", "cluster.local"),
            ("istio.namespace", "bookinfo"),
        ];
        let own = own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let tags: Vec<_> = own
            .chain(hop.tags.iter().cloned())
            .map(|(tag, value)| json!({"tag": tag, "literal": {"value": value}}))
            .collect();
        let name = self.collector_cluster();
        let mut tracer = "envoy.tracers.opentelemetry";
        let mut provider = json!({
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "service_name": hop.service_name,
        });
        match self.collector.export {
            Export::Grpc => {
                provider["grpc_service"] = json!({
                    "envoy_grpc": {"cluster_name": name, "authority": "istio-collector.istio-system.svc.cluster.local"},
                    "timeout": "10s",
                });
            }
            Export::Http => {
                provider["http_service"] = json!({"http_uri": {
                    "uri": "http://istio-collector.istio-system.svc.cluster.local:4318/v1/traces",
                    "cluster": name,
                    "timeout": "10s",
                }});
            }
            // The service is the node's cluster, whatever the hop.
            Export::Zipkin => {
                tracer = "envoy.tracers.zipkin";
                provider = json!({
                    "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
                    "collector_cluster": name,
                    "collector_endpoint": "/api/v2/spans",
                    "collector_endpoint_version": "HTTP_JSON",
                    "collector_hostname": "zipkin.istio-system.svc.cluster.local",
                    "trace_id_128bit": true,
                    "shared_span_context": false,
                });
            }
        }
        if self.resource.is_some() {
            provider["resource_detectors"] = json!([{
                "name": "envoy.tracers.opentelemetry.resource_detectors.environment",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig"},
            }]);
        }
        let mut tracing = json!({
            "client_sampling": {"value": 100},
            "random_sampling": {"value": 100},
            "overall_sampling": {"value": 100},
            "custom_tags": tags,
            "provider": {"name": tracer, "typed_config": provider},
        });
        if self.spawns {
            tracing["spawn_upstream_span"] = json!(true);
        }
        tracing
    }

    fn collector_cluster(&self) -> &'static str {
        match self.collector.export {
            Export::Grpc => "outbound|4317||istio-collector.istio-system.svc.cluster.local",
            Export::Http => "outbound|4318||istio-collector.istio-system.svc.cluster.local",
            Export::Zipkin => "outbound|9411||zipkin.istio-system.svc.cluster.local",
        }
    }

    /// The port of its administration.
    pub fn admin(&self) -> u16 {
        self.admin
    }

    pub fn start(mut self, dir: &Path) -> Process {
        let admin = self.admin;
        let kind = match self.role {
            Role::Gateway => "router",
            Role::Waypoint => "waypoint",
            Role::Sidecar => "sidecar",
        };
        self.clusters.push(cluster(
            self.collector_cluster(),
            self.collector.port,
            self.collector.export == Export::Grpc,
        ));
        let config = json!({
            "node": {
                "id": format!("{kind}~{}~{}.bookinfo~bookinfo.svc.cluster.local", self.address, self.pod),
                "cluster": format!("{}.bookinfo", self.canonical),
            },
            "admin": {"address": address(admin)},
            "layered_runtime": {"layers": [{
                "name": "static",
                "static_layer": {
                    "tracing.opentelemetry.min_flush_spans": 5,
                    "tracing.opentelemetry.flush_interval_ms": 250,
                    "tracing.zipkin.flush_interval_ms": 250,
                },
            }]},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
        });
        let file = dir.join(format!("{kind}-{}.json", self.workload));
        std::fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(peer("bin/envoy"));
        command
            .arg("--config-path")
            .arg(&file)
            .args(["--concurrency", "1", "--disable-hot-restart"])
            .args(["--log-level", "warn"]);
        if let Some(attributes) = &self.resource {
            command.env("OTEL_RESOURCE_ATTRIBUTES", attributes);
        }
        let mut process = Process::start(dir, &format!("{kind}-{}", self.workload), &mut command);
        process.wait_ready(|| get(admin, "/ready", &[]).is_ok_and(|a| a.status == 200));
        process
    }
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn cluster(name: &str, port: u16, http2: bool) -> Value {
    let mut cluster = json!({
        "name": name,
        // Since 1.23 Istio ends the statistics name with a delimiter.
        "alt_stat_name": format!("{name};"),
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{
            "lb_endpoints": [{"endpoint": {"address": address(port)}}],
        }]},
    });
    if http2 {
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        });
    }
    cluster
}
