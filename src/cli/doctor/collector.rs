/*! Whether the collector can be reached, takes spans, and gets rid of them. */

use super::{
    address::{Way, in_cluster},
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, known},
    facts::{
        Answer, Facts, FailureKind,
        collector::{Collector, CollectorMetrics},
        mesh_config::Speaks,
    },
};

/// The port of a collector's metrics, unless it was changed.
const METRICS: u16 = 8888;

/// What stops spans before they come to the collector.
pub(super) const NO_SPANS: &[&str] = &[
    "tracing-provider",
    "provider-service",
    "provider-port",
    "provider-endpoints",
    "telemetry-provider",
    "sampling",
    "span-reporting",
    "collector-grpc",
];

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Collector,
        "collector-grpc",
        "it takes OTLP over gRPC",
        grpc,
    )
    .once_installed()
    .following(&["provider-endpoints"]),
    Check::new(
        Category::Collector,
        "collector-http",
        "it takes OTLP over HTTP",
        http,
    )
    .once_installed()
    .following(&["provider-endpoints"]),
    Check::new(
        Category::Collector,
        "collector-metrics",
        "its metrics can be read",
        metrics,
    )
    .once_installed(),
    Check::new(
        Category::Collector,
        "collector-accepts",
        "spans arrive",
        accepts,
    )
    .once_installed()
    .following(NO_SPANS),
    Check::new(
        Category::Collector,
        "collector-sends",
        "spans are sent on",
        sends,
    )
    .once_installed(),
];

fn grpc(facts: &Facts) -> Verdict {
    let collector = &facts.collector;
    let url = &collector.grpc_url;
    match &collector.grpc {
        Answer::NotAsked => Err(unreached(facts).unwrap_or(Inconclusive::NotApplicable)),
        Answer::Got(()) => Outcome::well(url),
        Answer::Failed(failure) => {
            let fix = match failure.kind {
                FailureKind::Unreachable => {
                    "See whether the collector runs, and whether a NetworkPolicy keeps others from it"
                }
                FailureKind::Forbidden => {
                    "The collector wants credentials, which Istio's proxies do not send: let it take spans without"
                }
                _ => "Give the provider the collector's OTLP/gRPC port, 4317 unless it was changed",
            };
            Outcome::one(
                url,
                Problem::broken(
                    format!("the collector at {url} does not take OTLP over gRPC"),
                    &failure.cause,
                    Fix::text(fix),
                ),
            )
        }
    }
}

/// Returns how to get to the provider's Service, where nothing of the collector was asked.
fn unreached(facts: &Facts) -> Option<Inconclusive> {
    let Collector {
        grpc,
        http,
        metrics,
        ..
    } = &facts.collector;
    let is_asked = *grpc != Answer::NotAsked || *http != Answer::NotAsked;
    if is_asked || *metrics != Answer::NotAsked {
        return None;
    }
    let config = facts.kubernetes.mesh_config.got()?;
    let mut backends = config.collectors();
    let (_, backend, _) = backends.find(|(_, _, speaks)| *speaks == Speaks::OtlpGrpc)?;
    let named = backend.kubernetes_service();
    let mut services = facts.kubernetes.provider_services.iter();
    let service = services.find(|one| named == Some((&one.name, &one.namespace)))?;
    let service = service.service.got()?.as_ref()?;
    let url = format!("http://{}:{}", backend.host(), backend.port);
    let address = in_cluster(&url);
    let mut ways = vec![address.way("--collector", 4317)];
    if service.spec.ports.iter().any(|port| port.port == METRICS) {
        ways.push(Way {
            option: "--collector-metrics",
            local: METRICS,
            port: METRICS,
            path: "/metrics",
        });
    }
    Some(address.unreached(&ways))
}

fn http(facts: &Facts) -> Verdict {
    let collector = &facts.collector;
    let url = &collector.http_url;
    match &collector.http {
        Answer::NotAsked => Err(Inconclusive::NotApplicable),
        Answer::Got(()) => Outcome::well(url),
        // Istio's proxies use it only where the provider says so.
        Answer::Failed(failure) => Outcome::one(
            url,
            Problem::warning(
                format!("the collector at {url} does not take OTLP over HTTP"),
                &failure.cause,
                Fix::text("Let its otlp receiver have the protocol http, if something sends by it"),
            ),
        ),
    }
}

fn metrics(facts: &Facts) -> Verdict {
    let found = known(&facts.collector.metrics)?;
    let who = match (&found.scheme, found.is_wayspan) {
        (Some(scheme), _) => format!("wayspan, naming for Kiali by {scheme}"),
        (None, true) => "wayspan, with names that are configured".to_owned(),
        (None, false) => "another collector than wayspan".to_owned(),
    };
    Outcome::well(who)
}

fn counted(facts: &Facts) -> Result<&CollectorMetrics, Inconclusive> {
    // That they cannot be read, the check before has said.
    known(&facts.collector.metrics).map_err(|_| Inconclusive::NotApplicable)
}

fn accepts(facts: &Facts) -> Verdict {
    let found = counted(facts)?;
    let (now, more) = (found.later, found.later.accepted - found.counts.accepted);
    let saw = format!("{} spans taken, {more} in the last second", now.accepted);
    let mut problems = Vec::new();
    if now.accepted <= 0.0 {
        problems.push(Problem::broken(
            "no span has come to the collector since it started",
            format!("{} says that 0 spans were accepted", facts.collector.metrics_url),
            Fix::text("Send requests through the mesh; if the number stays 0, proxies do not report, or to somebody else"),
        ));
    }
    if now.refused > found.counts.refused {
        problems.push(
            Problem::broken(
                "the collector refuses spans, which Envoy does not send again",
                format!(
                    "{} spans refused, {} of them in the last second",
                    now.refused,
                    now.refused - found.counts.refused
                ),
                Fix::text(
                    "Give it more memory or a backend that takes what it sends: its log says which",
                ),
            )
            .likely(),
        );
    }
    Ok(Outcome { saw, problems })
}

fn sends(facts: &Facts) -> Verdict {
    let found = counted(facts)?;
    let (before, now) = (found.counts, found.later);
    let saw = format!(
        "{} spans sent, {} failed, {} batches waiting",
        now.sent, now.failed, now.queued
    );
    let mut problems = Vec::new();
    let fix = Fix::text(
        "The collector's log says what its backend answers: the address, the port (4317 of Jaeger for OTLP/gRPC), \
         TLS on one side only, or a backend that is down",
    );
    if now.accepted > 0.0 && now.sent <= 0.0 {
        problems.push(Problem::broken(
            "the collector takes spans and its backend takes none of them",
            format!(
                "{} accepted, 0 sent, {} given up, {} batches waiting",
                now.accepted, now.failed, now.queued
            ),
            fix,
        ));
    } else if now.failed > before.failed || now.lost > before.lost {
        problems.push(Problem::broken(
            "the collector loses spans on the way to its backend",
            format!(
                "in the last second {} were given up and {} had no room",
                now.failed - before.failed,
                now.lost - before.lost
            ),
            fix,
        ));
    } else if now.failed + now.lost > 0.0 {
        problems.push(Problem::warning(
            "the collector has lost spans on the way to its backend, though not now",
            format!(
                "{} given up, {} without room, since it started",
                now.failed, now.lost
            ),
            fix,
        ));
    } else if found.capacity > 0.0 && now.queued >= 0.9 * found.capacity {
        problems.push(Problem::warning(
            "the collector's queue is nearly full: its backend is too slow",
            format!("{} of {} batches wait", now.queued, found.capacity),
            fix,
        ));
    }
    Ok(Outcome { saw, problems })
}
