/*!
What Kiali asks for the pages of the namespaces that are looked at, and whether
Jaeger holds spans under those names: the question that the rest of the chain is
there for.

Where a name is not there, the nearest that is says why: another letter case, the
namespace behind it or not, the waypoint's name for the Service's, another domain.
*/

use super::{
    asked::{Asked, asked},
    check::{
        Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, joined, known,
        some_of,
    },
    facts::{
        Facts,
        jaeger::{JaegerAddress, Recent},
        kiali::KialiConfig,
    },
    istio, jaeger,
    nearest::{self, Mismatch},
};
use std::collections::BTreeMap;

/// What keeps all spans away.
const NO_SPANS: &[&str] = &joined::<11>(jaeger::NO_SPANS, &["jaeger-services"]);

const NO_SPANS_OF_SOME: &[&str] = &[
    "tracing-provider",
    "provider-service",
    "provider-port",
    "provider-endpoints",
    "telemetry-provider",
    "telemetry-waypoint",
    "sampling",
    "span-reporting",
    "waypoint-used",
    "waypoint-ready",
    "collector-grpc",
    "collector-accepts",
    "collector-sends",
    "jaeger-services",
];

/// The checks.
pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "names-asked",
        category: Category::Names,
        title: "Jaeger holds what Kiali asks for",
        pre: false,
        follows_from: NO_SPANS,
        run: held,
    },
    Check {
        id: "names-silent",
        category: Category::Names,
        title: "no page is without any spans",
        pre: false,
        follows_from: NO_SPANS_OF_SOME,
        run: silent,
    },
    Check {
        id: "names-tags",
        category: Category::Names,
        title: "spans carry the tags of Kiali's questions",
        pre: false,
        follows_from: &["istio-tags", "kiali-cluster"],
        run: tagged,
    },
];

/// What the checks look at, once all is known.
struct Seen<'a> {
    config: &'a KialiConfig,
    asked: Vec<Asked>,
    address: &'a JaegerAddress,
    services: &'a [String],
}

fn seen(facts: &Facts) -> Result<Seen<'_>, Inconclusive> {
    let all = known(&facts.kialis)?;
    let config = all.first().ok_or(Inconclusive::NotApplicable)?;
    let mut addresses = facts.jaegers.iter();
    let found = addresses.find_map(|address| Some((address, address.services()?)));
    // That nothing could be asked, Jaeger's own checks have said.
    let (address, services) = found.ok_or(Inconclusive::NotApplicable)?;
    let asked = asked(facts, config);
    match asked.is_empty() {
        true => Err(Inconclusive::NotApplicable),
        false => Ok(Seen {
            config,
            asked,
            address,
            services,
        }),
    }
}

/// Pages by what is wrong with them; None: no name that is held is near.
fn wrong<'a>(
    facts: &Facts,
    seen: &'a Seen<'_>,
) -> BTreeMap<Option<Mismatch>, Vec<(&'a Asked, &'a str)>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for asked in &seen.asked {
        if seen.services.contains(&asked.name) {
            continue;
        }
        let waypoints = istio::waypoint_names(facts, &asked.namespace);
        let found = nearest::nearest(asked, seen.services, &waypoints);
        let (why, near) = found.map_or((None, ""), |(why, near)| (Some(why), near));
        all.entry(why).or_default().push((asked, near));
    }
    all
}

fn held(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    let wrong = wrong(facts, &seen);
    let missing: usize = wrong.values().map(Vec::len).sum();
    let saw = format!(
        "{} of {}",
        seen.asked.len() - missing,
        count(seen.asked.len(), "page")
    );
    let problems = wrong
        .into_iter()
        .filter_map(|(why, pages)| Some(nearest::problem(seen.config, why?, &pages)));
    Ok(Outcome {
        saw,
        problems: problems.collect(),
    })
}

fn silent(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    let wrong = wrong(facts, &seen);
    let none = wrong.get(&None).map_or(&[][..], Vec::as_slice);
    let mut pages: Vec<String> = none
        .iter()
        .map(|(asked, _)| format!("{} ({})", asked.page, asked.name))
        .collect();
    for asked in &seen.asked {
        if seen.address.recent.get(&asked.name) == Some(&Recent::None) {
            pages.push(format!("{} ({}, none of late)", asked.page, asked.name));
        }
    }
    let saw = format!("{} of {}", pages.len(), count(seen.asked.len(), "page"));
    if pages.is_empty() {
        return Outcome::well(saw);
    }
    let problem = Problem::warning(
        format!("Jaeger has no spans for {}", count(pages.len(), "page")),
        some_of(&pages),
        Fix::text(
            "Send requests to these Services. If they have some, their requests pass no proxy that reports \
             spans: see the checks of Istio above",
        ),
    );
    let all = pages.len() == seen.asked.len();
    Outcome::one(saw, if all { problem.likely() } else { problem })
}

fn tagged(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    let recent = &seen.address.recent;
    let untagged: Vec<&Asked> = seen
        .asked
        .iter()
        .filter(|asked| recent.get(&asked.name) == Some(&Recent::Untagged))
        .collect();
    let tags = seen.asked.first().map(|asked| &asked.tags);
    let tags: Vec<String> = tags
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let saw = tags.join(", ");
    let Some(first) = untagged.first() else {
        return match recent.is_empty() {
            true => Err(Inconclusive::NotApplicable),
            false => Outcome::well(saw),
        };
    };
    let problem = Problem::broken(
        format!(
            "spans lack what Kiali asks for besides the name, {saw}: {} are empty",
            count(untagged.len(), "page")
        )
        .replace("1 page are", "1 page is"),
        format!(
            "{} has spans named {} of the last minutes, and none with {saw}",
            first.page, first.name
        ),
        Fix::text(format!(
            "Let Kiali's kubernetes_config.cluster_name ({}) be what istiod calls the cluster (CLUSTER_ID), and \
             enableIstioTags be on; wayspan adds the tag where it is missing",
            seen.config.place()
        )),
    );
    Outcome::one(saw, problem)
}
