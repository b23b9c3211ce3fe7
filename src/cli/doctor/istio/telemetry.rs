/*!
Whether a Telemetry makes proxies report spans, which of them, and how many.
*/

use super::{
    effective::{DEFAULT_SAMPLING, FOLLOWS_SERVICES, Set, namespace_wide},
    provider::PROVIDER,
    proxies::{self, Traced},
    version::of_control_plane,
};
use crate::cli::doctor::{
    check::{Fix, Inconclusive, Outcome, Problem, Verdict, known, some_of},
    facts::Facts,
};
use std::collections::BTreeSet;

/// Returns the proxies, once all is known that decides on their tracing.
fn traced(facts: &Facts) -> Result<Vec<Traced<'_>>, Inconclusive> {
    known(&facts.kubernetes.mesh_config)?;
    known(&facts.kubernetes.telemetries)?;
    Ok(proxies::all(facts))
}

/// Returns those that report spans to a provider.
fn reporting_to_any(facts: &Facts) -> Result<Vec<Traced<'_>>, Inconclusive> {
    let mut all = traced(facts)?;
    all.retain(|one| one.effective.has_provider());
    match all.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(all),
    }
}

/// Returns the provider that fixes select.
fn proposed(facts: &Facts) -> &str {
    let config = facts.kubernetes.mesh_config.got();
    let first = config.and_then(|config| config.collectors().next());
    first.map_or(PROVIDER, |(provider, ..)| &*provider.name)
}

/// Returns what makes a namespace select a provider. A second Telemetry for all of a
/// namespace would be ignored, so one that is there is changed.
fn select(facts: &Facts, namespace: &str, text: impl Into<String>) -> Fix {
    let provider = proposed(facts);
    if let Some(present) = namespace_wide(facts.kubernetes.telemetries.list(), namespace) {
        let (path, value) = match present.spec.tracing.is_empty() {
            true => (
                "tracing",
                format!("[{{\"providers\":[{{\"name\":\"{provider}\"}}]}}]"),
            ),
            false => (
                "tracing/0/providers",
                format!("[{{\"name\":\"{provider}\"}}]"),
            ),
        };
        let command = format!(
            "kubectl -n {namespace} patch telemetries.telemetry.istio.io {} --type=json \
             -p '[{{\"op\":\"add\",\"path\":\"/spec/{path}\",\"value\":{value}}}]'",
            present.metadata.name
        );
        return Fix::command(text, command);
    }
    let yaml = format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: tracing, namespace: \
         {namespace}}}\nspec:\n  tracing:\n  - providers: [{{name: {provider}}}]\n    \
         randomSamplingPercentage: 100"
    );
    Fix::apply(text, &yaml)
}

pub(super) fn selected(facts: &Facts) -> Verdict {
    let all = traced(facts)?;
    let root = facts.root_namespace();
    if !all.iter().any(|one| one.effective.has_provider()) {
        let found = facts.kubernetes.telemetries.list().len();
        let evidence = match found {
            0 => "there is no Telemetry, and no defaultProviders.tracing".to_owned(),
            _ => "no Telemetry that holds for these proxies names a provider, and there is no \
                  defaultProviders.tracing"
                .to_owned(),
        };
        let whom: Vec<&str> = all.iter().map(|one| &*one.what).collect();
        let what = match whom.is_empty() {
            true => "no proxy is told to report spans".to_owned(),
            false => format!("nothing makes proxies report spans: {}", some_of(&whom)),
        };
        let fix = select(facts, root, "Select the provider for the whole mesh");
        return Outcome::one("none", Problem::broken(what, evidence, fix));
    }
    let config = known(&facts.kubernetes.mesh_config)?;
    let mut providers = BTreeSet::new();
    let mut problems = Vec::new();
    for one in &all {
        let Some(name) = one.effective.provider else {
            continue;
        };
        if !providers.insert(name) {
            continue;
        }
        match config.provider(name) {
            None => problems.push(Problem::broken(
                format!("{} select provider {name}, which is not defined", one.what),
                format!("extensionProviders has no {name}"),
                select(facts, root, "Select one that is defined, or define it"),
            )),
            Some(provider) if provider.backend().is_none() => problems.push(Problem::warning(
                format!("{} report spans to {name}, which is no collector", one.what),
                "its provider is neither opentelemetry nor zipkin",
                select(facts, one.namespace, "Select the provider of the collector"),
            )),
            Some(_) => {}
        }
    }
    let without = all
        .iter()
        .filter(|one| one.gateway.is_none() && !one.effective.has_provider());
    for one in without {
        problems.push(Problem::broken(
            format!("{} report no spans", one.what),
            format!(
                "no Telemetry of {} or {root} that holds for them names a provider",
                one.namespace
            ),
            select(
                facts,
                one.namespace,
                "Select the provider there, or for the whole mesh",
            ),
        ));
    }
    let names: Vec<&str> = providers.into_iter().collect();
    let saw = match names.is_empty() {
        true => "defaultConfig.tracing".to_owned(),
        false => some_of(&names),
    };
    Ok(Outcome { saw, problems })
}

pub(super) fn reaches_proxies(facts: &Facts) -> Verdict {
    known(&facts.kubernetes.gateways)?;
    let all = traced(facts)?;
    if !all.iter().any(|one| one.effective.has_provider()) {
        return Err(Inconclusive::NotApplicable);
    }
    let mut saw = Vec::new();
    let mut problems = Vec::new();
    for one in all.iter().filter(|one| one.gateway.is_some()) {
        match one.effective.has_provider() {
            true => saw.push(one.what.as_str()),
            false => problems.push(unreached(facts, one)),
        }
    }
    if saw.is_empty() && problems.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    Ok(Outcome {
        saw: some_of(&saw),
        problems,
    })
}

fn unreached(facts: &Facts, one: &Traced<'_>) -> Problem {
    let what = format!("{} reports no spans: no Telemetry reaches it", one.what);
    let all = facts.kubernetes.telemetries.list();
    let of_services = namespace_wide(all, one.services);
    let meant = of_services.is_some_and(|telemetry| {
        let mut rules = telemetry.spec.tracing.iter();
        rules.any(|rule| !rule.providers.is_empty())
    });
    if one.services != one.namespace && meant {
        let version = of_control_plane(facts);
        let version = version.map_or(String::new(), |version| format!(", and this is {version}"));
        return Problem::broken(
            what,
            format!(
                "the Telemetry of {} does not hold for a waypoint of {}: that came with Istio \
                 {FOLLOWS_SERVICES}{version}",
                one.services, one.namespace
            ),
            select(
                facts,
                one.namespace,
                format!(
                    "Select the provider in the waypoint's namespace, or upgrade Istio to {FOLLOWS_SERVICES}"
                ),
            ),
        );
    }
    let evidence = format!(
        "neither a Telemetry of {}, of {} nor one with targetRefs to it names a provider",
        facts.root_namespace(),
        one.namespace
    );
    Problem::broken(
        what,
        evidence,
        select(facts, one.namespace, "Select the provider in its namespace"),
    )
}

/// Tells about each rule once, whatever the number of proxies that it holds for.
fn once<'a, T: Copy>(
    all: &'a [Traced<'_>],
    value: impl Fn(&'a Traced<'_>) -> Option<Set<'a, T>>,
    problem: impl Fn(&Traced<'_>, Set<'a, T>) -> Option<Problem>,
) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for one in all {
        let Some(set) = value(one) else { continue };
        if seen.insert((set.by.name(), set.by.at)) {
            problems.extend(problem(one, set));
        }
    }
    problems
}

/// Returns the percentage for which nothing in a Telemetry is set, with where it is from.
fn unset_sampling(facts: &Facts) -> (f64, &'static str) {
    let config = facts.kubernetes.mesh_config.got();
    let tracing = config.and_then(|config| config.default_config.tracing.as_ref());
    if let Some(tracing) = tracing.filter(|tracing| tracing.sampling > 0.0) {
        return (tracing.sampling, "defaultConfig.tracing.sampling");
    }
    let istiods = facts.kubernetes.istiods.list().iter();
    let mut set = istiods.filter_map(|pod| pod.variable("PILOT_TRACE_SAMPLING")?.parse().ok());
    match set.next() {
        Some(sampling) => (sampling, "istiod's PILOT_TRACE_SAMPLING"),
        None => (DEFAULT_SAMPLING, "Istio's default"),
    }
}

pub(super) fn sampling(facts: &Facts) -> Verdict {
    let all = reporting_to_any(facts)?;
    let mut problems = once(
        &all,
        |one| one.effective.sampling,
        |one, set| {
            let fix =
                |text: &str| Fix::command(text, set.by.set("randomSamplingPercentage", "100"));
            let evidence = format!(
                "Telemetry {}: randomSamplingPercentage {}",
                set.by.name(),
                set.value
            );
            if set.value <= 0.0 {
                let what = format!("{}: no request is sampled", one.what);
                return Some(Problem::broken(what, evidence, fix("Sample requests")));
            }
            let what = format!("{}: {} % of requests are sampled", one.what, set.value);
            (set.value < 1.0)
                .then(|| Problem::warning(what, evidence, fix("Sample more, if traces are missed")))
        },
    );
    let (unset, by) = unset_sampling(facts);
    let follows: Vec<&Traced<'_>> = all
        .iter()
        .filter(|one| one.effective.sampling.is_none())
        .collect();
    if let Some(first) = follows.first().filter(|_| unset < 2.0) {
        let whom: Vec<&str> = follows.iter().map(|one| &*one.what).collect();
        let evidence = format!("no Telemetry sets randomSamplingPercentage, so {by} holds");
        let root = namespace_wide(facts.kubernetes.telemetries.list(), facts.root_namespace());
        let rule = root.filter(|one| !one.spec.tracing.is_empty());
        let fix = match rule {
            Some(rule) => Fix::command(
                "Sample more, if traces are missed",
                super::effective::Rule {
                    telemetry: rule,
                    at: 0,
                }
                .set("randomSamplingPercentage", "100"),
            ),
            None => Fix::text(format!(
                "Set randomSamplingPercentage in the Telemetry that holds for {}",
                first.what
            )),
        };
        let what = format!("{}: {unset} % of requests are sampled", some_of(&whom));
        problems.push(match unset <= 0.0 {
            true => Problem::broken(what, evidence, fix),
            false => Problem::warning(what, evidence, fix),
        });
    }
    let percents: BTreeSet<String> = all
        .iter()
        .map(|one| {
            one.effective
                .sampling
                .map_or(unset, |set| set.value)
                .to_string()
        })
        .collect();
    let percents: Vec<String> = percents.into_iter().collect();
    Ok(Outcome {
        saw: format!("{} %", percents.join(", ")),
        problems,
    })
}

pub(super) fn reporting(facts: &Facts) -> Verdict {
    let all = reporting_to_any(facts)?;
    let problems = once(
        &all,
        |one| one.effective.disabled,
        |one, set| {
            set.value.then(|| {
                Problem::broken(
                    format!("{}: reporting of spans is switched off", one.what),
                    format!("Telemetry {}: disableSpanReporting true", set.by.name()),
                    Fix::command("Switch it on", set.by.set("disableSpanReporting", "false")),
                )
            })
        },
    );
    let saw = String::new();
    Ok(Outcome { saw, problems })
}

pub(super) fn istio_tags(facts: &Facts) -> Verdict {
    let all = reporting_to_any(facts)?;
    let problems = once(
        &all,
        |one| one.effective.istio_tags,
        |one, set| {
            (!set.value).then(|| {
                Problem::broken(
                    format!(
                        "{}: spans lack istio.cluster_id, without which Kiali 2.4 and later find none of \
                         them",
                        one.what
                    ),
                    format!("Telemetry {}: enableIstioTags false", set.by.name()),
                    Fix::command(
                        "Switch the tags on; wayspan adds the one that Kiali needs where it is missing",
                        set.by.set("enableIstioTags", "true"),
                    ),
                )
                .likely()
            })
        },
    );
    let saw = String::new();
    Ok(Outcome { saw, problems })
}

pub(super) fn propagation(facts: &Facts) -> Verdict {
    let all = reporting_to_any(facts)?;
    let problems = once(
        &all,
        |one| one.effective.no_propagation,
        |one, set| {
            set.value.then(|| {
                Problem::warning(
                    format!("{}: traces end here and another begins behind", one.what),
                    format!(
                        "Telemetry {}: disableContextPropagation true",
                        set.by.name()
                    ),
                    Fix::command(
                        "Pass trace contexts on",
                        set.by.set("disableContextPropagation", "false"),
                    ),
                )
            })
        },
    );
    let saw = String::new();
    Ok(Outcome { saw, problems })
}
