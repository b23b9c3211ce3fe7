/*!
What proxies really have. Only a look into them finds one whose Telemetry is right and
which never traces (istio/istio#61154).
*/

use super::{
    check::{Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, some_of},
    facts::{
        Answer, Facts,
        proxy::{Dump, SeenProxy, Tracing},
    },
};
use std::collections::BTreeSet;

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check::new(
        Category::Proxies,
        "proxy-tracing",
        "their listeners trace",
        tracing,
    )
    .once_installed()
    .following(&[
        "tracing-provider",
        "provider-service",
        "telemetry-provider",
        "telemetry-waypoint",
        "span-reporting",
    ]),
    Check::new(
        Category::Proxies,
        "proxy-cluster",
        "they know the collector and find it well",
        cluster,
    )
    .once_installed()
    .following(&["provider-service", "provider-endpoints"]),
];

/// Returns the proxies that could be looked into; the others end a check where there are
/// no such.
fn dumps(facts: &Facts) -> Result<Vec<(&SeenProxy, &Dump)>, Inconclusive> {
    let all = facts.proxies.iter();
    let seen: Vec<_> = all
        .filter_map(|proxy| Some((proxy, proxy.dump.got()?)))
        .collect();
    if !seen.is_empty() {
        return Ok(seen);
    }
    let failure = facts.proxies.iter().find_map(|proxy| proxy.dump.failure());
    Err(failure.map_or(Inconclusive::NotApplicable, Inconclusive::from))
}

/// Returns the name of a Deployment by that of its Pod: `waypoint-6f7d9c5b4-qwert`.
fn workload(pod: &str) -> Option<&str> {
    let (rest, _) = pod.rsplit_once('-')?;
    let (name, hash) = rest.rsplit_once('-')?;
    (hash.len() >= 6).then_some(name)
}

fn restart(proxy: &SeenProxy) -> Fix {
    let text = "Restart it, so that istiod makes its configuration anew; if that does not help, upgrade Istio \
                (1.30.2 leaves waypoints without tracing, istio/istio#61154)";
    let (pod, namespace) = proxy.name.rsplit_once('.').unwrap_or((&proxy.name, ""));
    match workload(pod) {
        Some(name) => Fix::command(
            text,
            format!("kubectl -n {namespace} rollout restart deployment {name}"),
        ),
        None => Fix::text(text),
    }
}

fn tracing(facts: &Facts) -> Verdict {
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for (proxy, dump) in dumps(facts)? {
        let all = dump.managers.len();
        let name = |one: &super::facts::proxy::Manager| match one.chain.is_empty() {
            true => one.listener.clone(),
            false => format!("{} {}", one.listener, one.chain),
        };
        let without = dump.managers.iter().filter(|one| one.tracing.is_none());
        let without: Vec<String> = without.map(name).collect();
        saw.push(format!(
            "{}: {} of {}",
            proxy.name,
            all - without.len(),
            count(all, "listener")
        ));
        if all == 0 {
            return Err(Inconclusive::Unknown {
                why: format!("proxy {} has no listener that handles requests", proxy.name),
                remedy: None,
            });
        }
        if without.is_empty() {
            continue;
        }
        let evidence = format!("no tracing in its configuration at {}", some_of(&without));
        problems.push(match without.len() == all {
            true => Problem::broken(
                format!(
                    "proxy {} does not trace, whatever Telemetries say",
                    proxy.name
                ),
                evidence,
                restart(proxy),
            ),
            false => Problem::warning(
                format!("part of proxy {} does not trace", proxy.name),
                evidence,
                restart(proxy),
            ),
        });
    }
    Ok(Outcome {
        saw: some_of(&saw),
        problems,
    })
}

fn cluster(facts: &Facts) -> Verdict {
    let mut saw = BTreeSet::new();
    let mut problems = Vec::new();
    for (proxy, dump) in dumps(facts)? {
        let traced = dump.managers.iter().filter_map(|one| one.tracing.as_ref());
        let clusters: BTreeSet<&str> = traced
            .filter_map(|one: &Tracing| one.cluster.as_deref())
            .collect();
        for cluster in clusters {
            if !dump.clusters.iter().any(|one| one == cluster) {
                problems.push(Problem::broken(
                    format!("proxy {} sends spans to a cluster that it does not have", proxy.name),
                    format!("it has no {cluster}"),
                    Fix::text(
                        "Let the Service of the provider be visible to it: exportTo, or a Sidecar resource whose egress \
                         leaves it out",
                    ),
                ));
                continue;
            }
            let healthy = match &proxy.healthy {
                Answer::Got(all) => all.get(cluster).copied(),
                _ => None,
            };
            if healthy == Some(0) {
                problems.push(Problem::broken(
                    format!("proxy {} finds no healthy collector", proxy.name),
                    format!("{cluster} has no healthy host"),
                    Fix::text("See why the collector's Pods are not ready, or why this proxy holds them for failed"),
                ));
                continue;
            }
            saw.insert(cluster);
        }
    }
    let saw: Vec<&str> = saw.into_iter().collect();
    match saw.is_empty() && problems.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(Outcome {
            saw: some_of(&saw),
            problems,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_by_their_pods() {
        for (pod, want) in [
            ("waypoint-6f7d9c5b4-qwert", Some("waypoint")),
            (
                "bookinfo-gateway-istio-6754756766-pmxnn",
                Some("bookinfo-gateway-istio"),
            ),
            ("waypoint-0", None),
            ("waypoint", None),
        ] {
            assert_eq!(workload(pod), want, "{pod}");
        }
    }
}
