/*!
How far the probe came: to the collector, to Jaeger, and to Kiali's question. It is sent with
`--probe` alone.
*/

use super::{
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, known},
    facts::{Facts, probe::Probe},
};

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Probe,
        "probe-collector",
        "the collector takes a marked span",
        taken,
    )
    .once_installed()
    .following(&["collector-grpc"]),
    Check::new(Category::Probe, "probe-jaeger", "Jaeger holds it", stored)
        .once_installed()
        .following(&["probe-collector", "collector-sends", "jaeger-reachable"]),
    Check::new(
        Category::Probe,
        "probe-kiali",
        "Jaeger returns it to Kiali's question",
        found,
    )
    .once_installed()
    .following(&["probe-jaeger", "kiali-cluster", "names-asked"]),
];

fn taken(facts: &Facts) -> Verdict {
    let probe = known(&facts.probe)?;
    let url = &probe.collector;
    match probe.sent.failure() {
        None => Outcome::well(format!("{url} has taken {}", probe.trace_id)),
        Some(failure) => Outcome::one(
            url,
            Problem::broken(
                format!("the collector at {url} does not take a span as waypoints send it"),
                &failure.cause,
                Fix::text("Look into the collector's log, which says why it refuses"),
            ),
        ),
    }
}

/// The probe, where the collector has taken it.
fn sent(facts: &Facts) -> Result<&Probe, Inconclusive> {
    let probe = known(&facts.probe)?;
    known(&probe.sent).map_err(|_| Inconclusive::NotApplicable)?;
    Ok(probe)
}

fn stored(facts: &Facts) -> Verdict {
    let probe = sent(facts)?;
    let names = known(&probe.stored)?;
    if !names.is_empty() {
        return Outcome::well(format!("as {}", names.join(", ")));
    }
    Outcome::one(
        "",
        Problem::broken(
            "a span that the collector has taken does not come to Jaeger",
            format!(
                "trace {} went to {} and is not in {} after {} s",
                probe.trace_id, probe.collector, probe.jaeger, probe.waited
            ),
            Fix::text(
                "See where the collector's pipeline of traces sends (its exporters' endpoint must be this Jaeger's \
                 port for OTLP), whether its log has errors of that exporter, and whether a processor drops spans \
                 (filter, sampling)",
            ),
        ),
    )
}

fn found(facts: &Facts) -> Verdict {
    let probe = sent(facts)?;
    let names = known(&probe.stored)?;
    let found = known(&probe.found)?;
    if names.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    let tags: Vec<String> = probe
        .tags
        .iter()
        .map(|(key, text)| format!("{key}={text}"))
        .collect();
    let asked = match tags.is_empty() {
        true => probe.asked.clone(),
        false => format!("{} with {}", probe.asked, tags.join(", ")),
    };
    if *found {
        return Outcome::well(format!("it asks for {asked}"));
    }
    let evidence = format!(
        "Kiali asks for {asked}, Jaeger holds it as {}",
        names.join(", ")
    );
    let problem = match names.contains(&probe.asked) {
        false => Problem::broken(
            "spans of waypoints come to Jaeger under another name than Kiali asks for",
            evidence,
            Fix::text(
                "Let spans pass wayspan with its mesh processor following this Kiali (processors.mesh.kiali), or set \
                 external_services.tracing.use_waypoint_name and namespace_selector in Kiali so that it asks for the \
                 name they have",
            ),
        ),
        true => Problem::broken(
            "spans of waypoints have the name that Kiali asks for, and lack its tags",
            evidence,
            Fix::text(
                "Let Kiali's kubernetes_config.cluster_name be what istiod calls the cluster (CLUSTER_ID), and look for a \
                 processor of the collector that takes tags away",
            ),
        ),
    };
    Outcome::one("", problem)
}
