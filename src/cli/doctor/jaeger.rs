/*! What Jaeger speaks at each address, and whether it has what Kiali calls. */

use super::{
    check::{
        Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, joined, some_of,
    },
    collector,
    facts::{Facts, jaeger::JaegerAddress},
};

/// What stops spans before they come to Jaeger.
pub(super) const NO_SPANS: &[&str] = &joined::<10>(
    collector::NO_SPANS,
    &["collector-accepts", "collector-sends"],
);

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Jaeger,
        "jaeger-reachable",
        "Jaeger answers",
        reachable,
    )
    .once_installed(),
    Check::new(
        Category::Jaeger,
        "jaeger-search",
        "it has the searches that Kiali calls",
        search,
    )
    .once_installed()
    .following(&["kiali-protocol"]),
    Check::new(
        Category::Jaeger,
        "jaeger-services",
        "it holds spans",
        services,
    )
    .once_installed()
    .following(NO_SPANS),
];

fn all(facts: &Facts) -> Result<&[JaegerAddress], Inconclusive> {
    match facts.jaegers.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(&facts.jaegers),
    }
}

/// Returns what is spoken at an address.
fn spoken(address: &JaegerAddress) -> Vec<&'static str> {
    let http = address.http.got().map(|_| "HTTP");
    let grpc = address.grpc.got().map(|_| "gRPC");
    http.into_iter().chain(grpc).collect()
}

fn reachable(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for address in all(facts)? {
        let spoken = spoken(address);
        if !spoken.is_empty() {
            let version = address.http.got().and_then(|http| http.version.as_ref());
            let version = version.map_or(String::new(), |version| format!(", version {version}"));
            saw.push(format!(
                "{} speaks {}{version}",
                address.url,
                spoken.join(" and ")
            ));
            continue;
        }
        let failures = [address.http.failure(), address.grpc.failure()];
        let mut said: Vec<&str> = failures.iter().flatten().map(|one| &*one.cause).collect();
        said.dedup();
        let whose = if address.is_kialis {
            ", which Kiali asks,"
        } else {
            ""
        };
        let problem = Problem::broken(
            format!(
                "no Jaeger answers at {}{whose} over HTTP or gRPC",
                address.url
            ),
            said.join("; "),
            Fix::text(
                "See whether Jaeger runs, whether the address and the scheme (http or https) are right (16685 is \
                 gRPC, 16686 is HTTP), and whether a NetworkPolicy stands in between",
            ),
        );
        problems.push(problem);
    }
    Ok(Outcome {
        saw: saw.join("; "),
        problems,
    })
}

fn search(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    let kialis = facts.kialis.list();
    for address in all(facts)? {
        if address.grpc.got().is_some() {
            saw.push(format!("{}: gRPC", address.url));
        }
        let Some(http) = address.http.got() else {
            continue;
        };
        if http.services.is_some() {
            saw.push(format!("{}: HTTP", address.url));
        } else if http.base.is_none() && http.has_v3 {
            let asks = kialis.iter().any(|config| !config.uses_grpc());
            let problem = Problem::broken(
                "this Jaeger has no /api/services and /api/traces any more, which Kiali asks over HTTP",
                format!(
                    "{}/api/services answers {}, /api/v3/services is there",
                    address.url, http.status
                ),
                Fix::text(
                    "In Kiali's configuration set external_services.tracing.use_grpc: true and the port of \
                     internal_url to 16685; Jaeger after 2.20 answers Kiali over gRPC alone",
                ),
            );
            if asks {
                problems.push(problem);
            } else {
                saw.push(format!(
                    "{}: newer HTTP, without the searches of Kiali",
                    address.url
                ));
            }
        }
    }
    match saw.is_empty() && problems.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(Outcome {
            saw: saw.join("; "),
            problems,
        }),
    }
}

fn services(facts: &Facts) -> Verdict {
    let all = all(facts)?;
    let mut known = all.iter().filter_map(JaegerAddress::services);
    let held = known.next().ok_or(Inconclusive::NotApplicable)?;
    // Jaeger's own spans tell nothing of the mesh.
    let held: Vec<&String> = held
        .iter()
        .filter(|name| !name.starts_with("jaeger"))
        .collect();
    if held.is_empty() {
        let problem = Problem::broken(
            "Jaeger holds no spans of any service",
            "it lists no service",
            Fix::text(
                "Spans do not arrive: see whether the collector sends them to this Jaeger, and whether the \
                 storage of this Jaeger is that which they are written to",
            ),
        );
        return Outcome::one("no services", problem);
    }
    Outcome::well(format!(
        "{}: {}",
        count(held.len(), "service"),
        some_of(&held)
    ))
}
