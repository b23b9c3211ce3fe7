/*! What Jaeger speaks at each address, and whether it has what Kiali calls. */

use super::{
    address::in_cluster,
    check::{
        Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, joined, some_of,
    },
    collector,
    facts::{Facts, jaeger::JaegerAddress},
    kiali_fix::set,
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

/// Returns what a Jaeger speaks at an address.
fn spoken(address: &JaegerAddress) -> Vec<&'static str> {
    let http = address.speaks_http().then_some("HTTP");
    let grpc = address.grpc.got().map(|_| "gRPC");
    http.into_iter().chain(grpc).collect()
}

fn reachable(facts: &Facts) -> Verdict {
    if facts.jaegers.is_empty()
        && let Some(unreached) = unreached(facts)
    {
        return Err(unreached);
    }
    let (mut saw, mut problems, mut closed) = (Vec::new(), Vec::new(), None);
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
        if let Some(http) = address.http.got().filter(|http| http.is_closed()) {
            closed.get_or_insert_with(|| Inconclusive::Unknown {
                why: format!(
                    "{} answers HTTP status {}: it wants credentials, which are not sent from here",
                    address.url, http.status
                ),
                remedy: Some("Give --jaeger an address behind whatever asks for them".to_owned()),
            });
            continue;
        }
        if let Some(other) = &address.other_scheme {
            problems.push(wrong_scheme(facts, address, other));
            continue;
        }
        let other_answer = address.http.got().map(|http| {
            format!(
                "{}/api/services answers HTTP status {}, not as Jaeger does",
                address.url, http.status
            )
        });
        let failures = [address.http.failure(), address.grpc.failure()];
        let mut said: Vec<&str> = failures.iter().flatten().map(|one| &*one.cause).collect();
        said.dedup();
        said.extend(other_answer.as_deref());
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
    match closed.filter(|_| problems.is_empty()) {
        Some(closed) => Err(closed),
        None => Ok(Outcome {
            saw: saw.join("; "),
            problems,
        }),
    }
}

/// Returns how to get to the Jaeger that Kiali asks, where none was asked from here.
fn unreached(facts: &Facts) -> Option<Inconclusive> {
    let config = facts.kialis.list().first();
    let config = config.filter(|config| !config.asks_tempo())?;
    let address = in_cluster(&config.tracing.internal_url);
    let local = if config.uses_grpc() { 16685 } else { 16686 };
    Some(address.unreached(&[address.way("--jaeger", local)]))
}

fn wrong_scheme(facts: &Facts, address: &JaegerAddress, other: &str) -> Problem {
    let (url, whose) = match address.is_kialis {
        true => (&address.url, "Kiali asks Jaeger"),
        false => (&address.url, "Jaeger was looked for"),
    };
    let config = facts.kialis.list().first();
    let fix = match config.filter(|_| address.is_kialis) {
        Some(config) => set(
            config,
            &format!("external_services: {{tracing: {{internal_url: \"{other}\"}}}}"),
        ),
        None => Fix::text(format!("Give --jaeger {other}")),
    };
    Problem::broken(
        format!("{whose} at {url}, and Jaeger answers at {other}"),
        "the one speaks TLS, the other plaintext",
        fix,
    )
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
