//! Bookinfo in a mesh of real Envoys: productpage calls reviews, which calls
//! ratings, and a gateway stands before them all.
//!
//! Idea: the applications are threads of the test that pass trace headers on;
//! every proxy between them is a process. What Istio's releases do differently
//! is one value of [`Form`].

use crate::envoy::{Collector, Envoy, Hop, Role};
use crate::http::{Headers, Server};
use std::path::Path;
use std::sync::{Arc, Mutex};
use testkit::{Process, get};

/// A way in which Istio configures tracing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    pub label: &'static str,
    /// A waypoint's spans bear the host that the request was for.
    pub host_names: bool,
    /// A waypoint's spans bear `istio.source_*` and `istio.destination_*`.
    pub peer_tags: bool,
    /// The gateway sends to the application, not to its waypoint.
    pub bypass: bool,
    /// One waypoint for the namespace; otherwise a sidecar on each workload.
    pub ambient: bool,
    /// Gateways spawn a span for the upstream request: Istio 1.28 and later.
    pub spawns: bool,
    /// `serviceAttributeEnrichment: OTEL_SEMANTIC_CONVENTIONS`.
    pub semantic: bool,
}

impl Form {
    const fn ambient(label: &'static str, host_names: bool, peer_tags: bool) -> Self {
        Self {
            label,
            host_names,
            peer_tags,
            bypass: false,
            ambient: true,
            spawns: true,
            semantic: false,
        }
    }

    pub const ISTIO_1_24: Self = Self {
        spawns: false,
        ..Self::ambient("Istio 1.24", false, false)
    };
    pub const ISTIO_1_28: Self = Self::ambient("Istio 1.28", true, false);
    pub const ISTIO_1_29: Self = Self::ambient("Istio 1.29", true, true);
    pub const ISTIO_1_30: Self = Self::ambient("Istio 1.30", false, true);
    /// Names by OpenTelemetry's conventions, an option of 1.30 and later.
    pub const SEMANTIC: Self = Self {
        semantic: true,
        ..Self::ambient("semantic-convention names", false, true)
    };
    pub const SIDECARS: Self = Self {
        ambient: false,
        ..Self::ambient("sidecars", false, false)
    };
    pub const SEMANTIC_SIDECARS: Self = Self {
        label: "sidecars, semantic-convention names",
        semantic: true,
        ..Self::SIDECARS
    };

    /// The same with Istio's default ingress path, where a gateway sends to
    /// the application and not to its waypoint.
    pub const fn past_the_waypoint(self) -> Self {
        Self {
            bypass: true,
            ..self
        }
    }

    /// Spans that one request leaves.
    pub const fn spans(&self) -> usize {
        let gateway = if self.spawns { 2 } else { 1 };
        gateway
            + match (self.ambient, self.bypass) {
                // One of the waypoint for each service …
                (true, false) => 3,
                (true, true) => 2,
                // … or each sidecar's inbound, and outbound of all but the last.
                (false, _) => 5,
            }
    }
}

/// Applications with their workloads and addresses.
pub const APPS: [(&str, &str, &str); 3] = [
    ("productpage", "productpage-v1", "10.244.1.5"),
    ("reviews", "reviews-v1", "10.244.1.6"),
    ("ratings", "ratings-v1", "10.244.1.7"),
];
/// What Kubernetes adds to the workload's name in that of a Pod with a sidecar.
pub const SIDECAR_POD: &str = "7c9f6d5b8-xk2lp";
/// Both for the gateway.
pub const GATEWAY: &str = "bookinfo-gateway-istio";
pub const GATEWAY_POD: &str = "5d9c8b7f6-abcde";
/// And for the waypoint.
pub const WAYPOINT_POD: &str = "6f7d9c5b4-qwert";

fn host(app: &str) -> String {
    format!("{app}.bookinfo.svc.cluster.local")
}

pub struct Mesh {
    entry: u16,
    traces: Arc<Mutex<Vec<String>>>,
    _proxies: Vec<Process>,
    _apps: Vec<Server>,
}

impl Mesh {
    pub fn start(dir: &Path, form: &Form, collector: Collector) -> Self {
        let traces = Arc::new(Mutex::new(Vec::new()));
        let mut parts = Parts {
            dir,
            form,
            collector,
            proxies: Vec::new(),
            apps: Vec::new(),
        };
        let front = if form.ambient {
            parts.ambient(&traces)
        } else {
            parts.sidecars(&traces)
        };
        let entry = parts.gateway(front);
        Self {
            entry,
            traces,
            _proxies: parts.proxies,
            _apps: parts.apps,
        }
    }

    /// Sends requests through the whole mesh and gives the ids of their traces.
    pub fn send(&self, requests: usize) -> Vec<String> {
        for _ in 0..requests {
            let host = ("host", "bookinfo.example.com");
            let answer = get(self.entry, "/productpage", &[host]).unwrap();
            assert_eq!(answer.status, 200, "the mesh says: {}", answer.body);
            assert_eq!(answer.body, "productpage reviews ratings");
        }
        let traces = std::mem::take(&mut *self.traces.lock().unwrap());
        assert_eq!(traces.len(), requests);
        traces
    }
}

struct Parts<'a> {
    dir: &'a Path,
    form: &'a Form,
    collector: Collector,
    proxies: Vec<Process>,
    apps: Vec<Server>,
}

impl Parts<'_> {
    /// A waypoint that every request between applications goes through. Built
    /// from the last service to the first, since each app must know the port
    /// of the next; so a waypoint's listeners come from several Envoys' worth
    /// of configuration but run in one process.
    fn ambient(&mut self, traces: &Arc<Mutex<Vec<String>>>) -> u16 {
        let mut waypoint = Envoy::new(
            Role::Waypoint,
            "waypoint",
            WAYPOINT_POD,
            "waypoint",
            "10.244.0.9",
            self.collector,
        );
        let mut next = None;
        for (i, (app, workload, _)) in APPS.iter().enumerate().rev() {
            let server = serve(app, next, (i == 0).then(|| Arc::clone(traces)));
            let direct = server.port();
            self.apps.push(server);
            if i == 0 && self.form.bypass {
                next = Some(direct);
                continue;
            }
            let source = if i == 0 {
                (GATEWAY, GATEWAY)
            } else {
                (APPS[i - 1].0, APPS[i - 1].1)
            };
            let host = host(app);
            next = Some(waypoint.listen(&Hop {
                host: &host,
                cluster: &format!("inbound-vip|9080|http|{host}"),
                upstream: direct,
                inbound: true,
                service_name: match (self.form.host_names, self.form.semantic) {
                    (true, _) => &host,
                    (false, true) => "waypoint",
                    (false, false) => "waypoint.bookinfo",
                },
                tags: if self.form.peer_tags {
                    peer_tags(source, (app, workload))
                } else {
                    Vec::new()
                },
            }));
        }
        self.proxies.push(waypoint.start(self.dir));
        next.unwrap()
    }

    /// A sidecar for each application, for what comes in and what goes out.
    fn sidecars(&mut self, traces: &Arc<Mutex<Vec<String>>>) -> u16 {
        let mut next: Option<u16> = None;
        for (i, (app, workload, address)) in APPS.iter().enumerate().rev() {
            let suffix = SIDECAR_POD;
            let mut sidecar = Envoy::new(
                Role::Sidecar,
                workload,
                suffix,
                app,
                address,
                self.collector,
            );
            let service_name = match self.form.semantic {
                true => (*workload).to_owned(),
                false => format!("{app}.bookinfo"),
            };
            if self.form.semantic {
                // What Istio's injector gives a pod; gateways and waypoints get none.
                sidecar.detect_resource(&format!(
                    "service.namespace=bookinfo,service.version=v1,\
                     service.instance.id=bookinfo.{workload}-{suffix}.{app}"
                ));
            }
            let outbound = next.map(|upstream| {
                let host = host(APPS[i + 1].0);
                sidecar.listen(&Hop {
                    host: &host,
                    cluster: &format!("outbound|9080||{host}"),
                    upstream,
                    inbound: false,
                    service_name: &service_name,
                    tags: Vec::new(),
                })
            });
            let server = serve(app, outbound, (i == 0).then(|| Arc::clone(traces)));
            next = Some(sidecar.listen(&Hop {
                host: &host(app),
                cluster: "inbound|9080||",
                upstream: server.port(),
                inbound: true,
                service_name: &service_name,
                tags: Vec::new(),
            }));
            self.apps.push(server);
            self.proxies.push(sidecar.start(self.dir));
        }
        next.unwrap()
    }

    fn gateway(&mut self, upstream: u16) -> u16 {
        let mut gateway = Envoy::new(
            Role::Gateway,
            GATEWAY,
            GATEWAY_POD,
            GATEWAY,
            "10.244.0.8",
            self.collector,
        );
        if self.form.spawns {
            gateway.spawn_upstream_spans();
        }
        let host = host("productpage");
        let service_name = match self.form.semantic {
            true => GATEWAY.to_owned(),
            false => format!("{GATEWAY}.bookinfo"),
        };
        let entry = gateway.listen(&Hop {
            host: &host,
            cluster: &format!("outbound|9080||{host}"),
            upstream,
            inbound: false,
            service_name: &service_name,
            tags: Vec::new(),
        });
        self.proxies.push(gateway.start(self.dir));
        entry
    }
}

/// The tags that tell who called and who was called, Istio 1.29 and later.
fn peer_tags(source: (&str, &str), destination: (&str, &str)) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for (side, (canonical, workload)) in [("source", source), ("destination", destination)] {
        let revision = if workload == GATEWAY { "latest" } else { "v1" };
        for (what, value) in [
            ("workload", workload),
            ("namespace", "bookinfo"),
            ("cluster_id", "Kubernetes"),
            ("canonical_service", canonical),
            ("canonical_revision", revision),
            ("workload_type", "deployment"),
        ] {
            tags.push((format!("istio.{side}_{what}"), value.to_owned()));
        }
    }
    tags
}

/// The headers that applications pass on: W3C's, and those of B3.
const PASSED: [&str; 9] = [
    "traceparent",
    "tracestate",
    "x-request-id",
    "baggage",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
];

/// An application that calls the next one, if any, with the trace headers it
/// got, and says who has been there. The first one notes the trace ids.
fn serve(app: &str, next: Option<u16>, note: Option<Arc<Mutex<Vec<String>>>>) -> Server {
    let app = app.to_owned();
    Server::start(move |headers: &Headers| {
        if let Some(note) = &note {
            let id = headers.get("traceparent").and_then(|p| p.split('-').nth(1));
            let id = id.or(headers.get("x-b3-traceid"));
            note.lock().unwrap().extend(id.map(str::to_owned));
        }
        let Some(next) = next else {
            return (200, app.clone());
        };
        let passed: Vec<_> = PASSED
            .into_iter()
            .filter_map(|name| Some((name, headers.get(name)?)))
            .chain([("user-agent", "bookinfo")])
            .collect();
        match get(next, "/", &passed) {
            Ok(answer) => (answer.status, format!("{app} {}", answer.body)),
            Err(error) => (502, format!("{app}: {error}")),
        }
    })
}
