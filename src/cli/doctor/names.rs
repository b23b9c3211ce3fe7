/*!
What Kiali asks for the pages of the namespaces that are looked at, and whether
Jaeger holds spans under those names: the question that the rest of the chain is
there for.

Where a name is not there, the nearest that is says why: another letter case, the
namespace behind it or not, the waypoint's name for the Service's, another domain.
*/

use super::{
    asked::Group,
    check::{
        Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, joined, some_of,
    },
    facts::{Facts, kiali::KialiConfig},
    findings::{Finding, FoundPage, Seen, seen},
    jaeger,
    kiali_fix::set,
    nearest::{self, Mismatch, are_empty},
    tempo,
};
use crate::mesh::pages::PageRole;
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
    Check::new(
        Category::Names,
        "names-asked",
        "Jaeger holds what Kiali asks for",
        held,
    )
    .once_installed()
    .following(NO_SPANS),
    Check::new(
        Category::Names,
        "names-silent",
        "no page is without any spans",
        silent,
    )
    .once_installed()
    .following(NO_SPANS_OF_SOME),
    Check::new(
        Category::Names,
        "names-tags",
        "spans carry the tags of Kiali's questions",
        tagged,
    )
    .once_installed()
    .following(&["istio-tags", "kiali-cluster"]),
    Check::new(
        Category::Names,
        "names-kept",
        "Kiali keeps the traces that its questions return",
        kept,
    )
    .once_installed()
    .following(&["istio-tags"]),
];

/// Returns how many of the pages of each kind pass, as `apps 2 of 3, services 3 of 3`.
fn by_group(seen: &Seen<'_>, passes: impl Fn(&Finding<'_>) -> bool) -> String {
    let mut groups: BTreeMap<Group, (usize, usize)> = BTreeMap::new();
    for page in &seen.pages {
        let (passed, all) = groups.entry(page.asked.group()).or_default();
        *all += 1;
        *passed += usize::from(passes(&page.finding));
    }
    let said = groups.iter();
    let said = said.map(|(group, (passed, all))| format!("{} {passed} of {all}", group.name()));
    said.collect::<Vec<_>>().join(", ")
}

fn held(facts: &Facts) -> Verdict {
    if tempo::kiali(facts).is_some() {
        return Err(Inconclusive::Unknown {
            why: "the names that a Tempo holds are not looked at".to_owned(),
            remedy: None,
        });
    }
    let seen = seen(facts)?;
    let saw = by_group(&seen, |finding| {
        !matches!(
            finding,
            Finding::Near(..) | Finding::Absent | Finding::Nameless
        )
    });
    let mut wrong: BTreeMap<Mismatch, Vec<_>> = BTreeMap::new();
    for page in &seen.pages {
        if let Finding::Near(why, near) = page.finding {
            wrong.entry(why).or_default().push((&page.asked, near));
        }
    }
    let problems = wrong.into_iter();
    let problems = problems.map(|(why, pages)| nearest::problem(seen.config, why, &pages));
    Ok(Outcome {
        saw,
        problems: problems.chain(nameless(&seen)).collect(),
    })
}

fn nameless(seen: &Seen<'_>) -> Option<Problem> {
    let pages = seen.with(|finding| *finding == Finding::Nameless);
    let pages: Vec<String> = pages.map(|page| page.asked.title()).collect();
    if pages.is_empty() {
        return None;
    }
    Some(Problem::warning(
        format!(
            "Kiali has no name to ask for, since no label names the app: {}",
            are_empty(pages.len())
        ),
        some_of(&pages),
        Fix::text(
            "Give the Pods, and the selectors of their Services, the label app (or app.kubernetes.io/name, or what \
             istio_labels.app_label_name of Kiali says)",
        ),
    ))
}

fn silent(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    let silent = |page: &&FoundPage<'_>| {
        matches!(
            page.finding,
            Finding::Absent | Finding::Quiet | Finding::OfOthers
        )
    };
    let said = |page: &FoundPage<'_>| {
        let (page, finding) = (&page.asked, &page.finding);
        let what = match finding {
            Finding::Quiet => ", none of late",
            Finding::OfOthers => ", all of others",
            _ => "",
        };
        format!("{} ({}{what})", page.title(), page.name())
    };
    let pages: Vec<&FoundPage<'_>> = seen.pages.iter().filter(silent).collect();
    let saw = format!("{} of {}", pages.len(), count(seen.pages.len(), "page"));
    if pages.is_empty() {
        return match &seen.address.search_failure {
            Some(failure) => Err(failure.into()),
            None => Outcome::well(match seen.address.unsearched {
                0 => saw,
                more => format!("{saw}; {} not searched for", count(more, "name")),
            }),
        };
    }
    let problem = Problem::warning(
        format!("Jaeger has no spans for {}", count(pages.len(), "page")),
        some_of(&pages.iter().map(|page| said(page)).collect::<Vec<_>>()),
        Fix::text(
            "Send requests to these Services. If they have some, their requests pass no proxy that reports \
             spans: see the checks of Istio above",
        ),
    );
    // Gateways may have traces where nothing behind them has.
    let is_plain = |page: &&FoundPage<'_>| page.asked.page.role == PageRole::Plain;
    let plain = seen.pages.iter().filter(is_plain).count();
    let all = match plain {
        0 => pages.len() == seen.pages.len(),
        plain => pages.iter().copied().filter(is_plain).count() == plain,
    };
    Outcome::one(saw, if all { problem.likely() } else { problem })
}

fn tagged(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    let tags = seen.pages.first().map(|page| &page.asked.question.tags);
    let tags: Vec<String> = tags
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let saw = tags.join(", ");
    let mut untagged =
        seen.with(|finding| matches!(finding, Finding::Untagged | Finding::OfCluster(_)));
    let Some(first) = untagged.next() else {
        return match seen.address.recent.is_empty() {
            true => Err(Inconclusive::NotApplicable),
            false => Outcome::well(saw),
        };
    };
    let empty = are_empty(1 + untagged.count());
    let (page, name) = (first.asked.title(), first.asked.name());
    let place = seen.config.place();
    let problem = match first.finding {
        Finding::OfCluster(cluster) => Problem::broken(
            format!("spans are of cluster {cluster}, and Kiali asks for {saw}: {empty}"),
            format!(
                "{page} has spans named {name} of the last minutes, with istio.cluster_id={cluster}"
            ),
            rename_cluster(seen.config, cluster),
        ),
        _ => Problem::broken(
            format!("spans lack what Kiali asks for besides the name, {saw}: {empty}"),
            format!("{page} has spans named {name} of the last minutes, and none with {saw}"),
            Fix::text(format!(
                "Let Kiali's kubernetes_config.cluster_name ({place}) be what istiod calls the cluster (CLUSTER_ID), and \
                 enableIstioTags be on; wayspan adds the tag where it is missing"
            )),
        ),
    };
    Outcome::one(saw, problem)
}

fn rename_cluster(config: &KialiConfig, cluster: &str) -> Fix {
    // The name is a span's, and whoever sent it may have put anything in.
    let quoted = serde_json::Value::from(cluster);
    let mut fix = set(
        config,
        &format!("kubernetes_config: {{cluster_name: {quoted}}}"),
    );
    let unless = "\nas proxies call the cluster, unless these are spans of another one";
    fix.text.push_str(unless);
    fix
}

fn kept(facts: &Facts) -> Verdict {
    let seen = seen(facts)?;
    if seen.address.pages.is_empty() {
        return Err(Inconclusive::NotApplicable);
    }
    let shown = seen.with(|finding| *finding == Finding::Shown).count();
    let saw = format!("{shown} of {} show traces", count(seen.pages.len(), "page"));
    let dropped: Vec<String> = seen
        .with(|finding| *finding == Finding::Dropped)
        .map(|page| {
            let wants: Vec<String> = page.asked.question.wants().collect();
            format!("{} wants {}", page.asked.title(), wants.join(" and "))
        })
        .collect();
    if dropped.is_empty() {
        return Outcome::well(saw);
    }
    let problem = Problem::broken(
        format!(
            "Kiali drops all traces that its questions return: {}",
            are_empty(dropped.len())
        ),
        format!(
            "of the traces that come back none has what the page wants: {}",
            some_of(&dropped)
        ),
        Fix::text(
            "Let spans pass wayspan, which adds the tags istio.destination_* and istio.source_* that Kiali 2.26 and \
             later read, and repairs span names that hide the host, by which older ones go; waypoints of Istio 1.29 and \
             later add such tags themselves",
        ),
    )
    .likely();
    Outcome::one(saw, problem)
}
