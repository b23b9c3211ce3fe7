/*!
What Kiali asks for the pages of the namespaces that are looked at, and whether
Jaeger holds spans under those names: the question that the rest of the chain is
there for.

Where a name is not there, the nearest that is says why: another letter case, the
namespace behind it or not, the waypoint's name for the Service's, another domain.
*/

use super::{
    check::{
        Category, Check, Fix, Inconclusive, Outcome, Problem, Verdict, count, joined, known,
        some_of,
    },
    facts::{
        Facts,
        jaeger::{JaegerAddress, Recent},
        kiali::KialiConfig,
        objects::{Labels, Service, selects},
    },
    istio, jaeger,
};
use crate::mesh::pages::{Page, PageKind, Question};
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

/// A page and its question.
pub(super) struct Asked {
    page: String,
    namespace: String,
    pub(super) name: String,
    pub(super) tags: Vec<(String, String)>,
}

/// Returns the questions of the Services' pages, which have spans as soon as their Service
/// has requests.
pub(super) fn asked(facts: &Facts, config: &KialiConfig) -> Vec<Asked> {
    let trust = facts.kubernetes.mesh_config.got();
    let trust = trust.map_or("", |config| &*config.trust_domain);
    let kiali = config.kiali(trust);
    let cluster = cluster(facts, config);
    let mut all = Vec::new();
    for (service, waypoint) in istio::traced_services(facts) {
        let meta = &service.metadata;
        let Some(app) = app(facts, config, service) else {
            continue;
        };
        let page = Page::plain(
            PageKind::Service,
            &meta.name,
            app,
            &meta.namespace,
            waypoint,
        );
        let question = Question::new(&kiali, &cluster, &page);
        let tags = question.tags.into_iter();
        all.push(Asked {
            page: format!("service {}/{}", meta.namespace, meta.name),
            namespace: meta.namespace.clone(),
            name: question.service_name,
            tags: tags.map(|(key, value)| (key.to_owned(), value)).collect(),
        });
    }
    all
}

/// What Kiali calls the cluster.
fn cluster(facts: &Facts, config: &KialiConfig) -> String {
    if !config.cluster_name.is_empty() {
        return config.cluster_name.clone();
    }
    let mut istiods = facts.kubernetes.istiods.list().iter();
    let id = istiods.find_map(|pod| pod.variable("CLUSTER_ID"));
    id.unwrap_or("Kubernetes").to_owned()
}

/// Returns the app label in a Service's selector, as this Kiali picks it; none where no Pod
/// stands behind the Service, so that nobody can send to it.
fn app<'a>(facts: &Facts, config: &KialiConfig, service: &'a Service) -> Option<&'a str> {
    let selector = &service.spec.selector;
    let mut pods = facts.kubernetes.pods.list().iter();
    let namespace = &service.metadata.namespace;
    let has_pods = pods
        .any(|pod| pod.metadata.namespace == *namespace && selects(selector, &pod.metadata.labels));
    if selector.is_empty() || !has_pods {
        return None;
    }
    let label = |key: &str| -> Option<&'a str> { find(selector, key) };
    if !config.app_label_name.is_empty() {
        return label(&config.app_label_name);
    }
    let names = [
        "service.istio.io/canonical-name",
        "app.kubernetes.io/name",
        "app",
    ];
    names.into_iter().find_map(label)
}

fn find<'a>(labels: &'a Labels, key: &str) -> Option<&'a str> {
    labels
        .get(key)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

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

/// Why a name is not there, by the nearest that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mismatch {
    Case,
    Separator,
    /// Kiali asks with the namespace, and names lack it.
    WithNamespace,
    /// The reverse.
    WithoutNamespace,
    /// Kiali asks for the Service's host, and spans are named after the waypoint.
    WaypointHeld,
    /// The reverse.
    HostHeld,
    /// It asks for the host with another domain.
    Domain,
}

/// Returns the nearest name that is held, and how it differs. `waypoints` are names that
/// waypoints of the namespace emit.
fn nearest<'a>(
    asked: &Asked,
    held: &'a [String],
    waypoints: &[String],
) -> Option<(Mismatch, &'a str)> {
    let name = asked.name.as_str();
    let namespace = asked.namespace.as_str();
    let find = |test: &dyn Fn(&str) -> bool| held.iter().map(String::as_str).find(|one| test(one));
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', '.'], "");
    let app = name.split('.').next().unwrap_or(name);
    let with = format!("{app}.{namespace}");
    let is_host = |text: &str| text.contains(".svc.");
    let of_waypoint = |text: &str| waypoints.iter().any(|waypoint| waypoint == text);
    if let Some(found) = find(&|one| one.eq_ignore_ascii_case(name)) {
        return Some((Mismatch::Case, found));
    }
    if is_host(name) {
        let prefix = format!("{with}.");
        let why = match name.starts_with(&prefix) {
            true => Mismatch::Domain,
            false => Mismatch::WithoutNamespace,
        };
        if let Some(found) = find(&|one| is_host(one) && one.starts_with(&prefix)) {
            return Some((why, found));
        }
        if let Some(found) = find(&of_waypoint) {
            return Some((Mismatch::WaypointHeld, found));
        }
    }
    if of_waypoint(name)
        && let Some(found) =
            find(&|one| is_host(one) && one.contains(&format!(".{namespace}.svc.")))
    {
        return Some((Mismatch::HostHeld, found));
    }
    if name == with
        && let Some(found) = find(&|one| one == app)
    {
        return Some((Mismatch::WithNamespace, found));
    }
    if name == app
        && let Some(found) = find(&|one| one == with)
    {
        return Some((Mismatch::WithoutNamespace, found));
    }
    find(&|one| plain(one) == plain(name)).map(|found| (Mismatch::Separator, found))
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
        let found = nearest(asked, seen.services, &waypoints);
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
        .filter_map(|(why, pages)| Some(mismatch(seen.config, why?, &pages)));
    Ok(Outcome {
        saw,
        problems: problems.collect(),
    })
}

fn mismatch(config: &KialiConfig, why: Mismatch, pages: &[(&Asked, &str)]) -> Problem {
    let examples: Vec<String> = pages
        .iter()
        .map(|(asked, near)| {
            format!(
                "{} asks for {}, Jaeger holds {near}",
                asked.page, asked.name
            )
        })
        .collect();
    let place = config.place();
    let set = |key: &str, value: &str| {
        format!(
            "In Kiali's configuration ({place}; the Kiali resource or Helm's values, where they make it) set \
             external_services.tracing.{key}: {value}"
        )
    };
    let (what, fix) = match why {
        Mismatch::Case => (
            "names differ from those Kiali asks for in upper and lower case",
            "Let spans pass wayspan, which takes the case of the labels, or give the labels the case of the \
             names: Jaeger compares to the letter"
                .to_owned(),
        ),
        Mismatch::Separator => (
            "names differ from those Kiali asks for in their separators",
            "Rename them in wayspan (processors.mesh.service_name.rename), or give the app labels these names"
                .to_owned(),
        ),
        Mismatch::WithNamespace => (
            "Kiali asks for names with their namespace, and spans are named without",
            format!("{}, or let spans pass wayspan", set("namespace_selector", "false")),
        ),
        Mismatch::WithoutNamespace => (
            "Kiali asks for names without their namespace, and spans are named with it",
            format!("{}, or let spans pass wayspan", set("namespace_selector", "true")),
        ),
        Mismatch::WaypointHeld => (
            "Kiali asks for the Service's host, and spans are named after the waypoint",
            format!("{}, or let spans pass wayspan", set("use_waypoint_name", "true")),
        ),
        Mismatch::HostHeld => (
            "Kiali asks for the waypoint, and spans are named after the Service's host",
            format!("{} (Kiali 2.22 or later), or let spans pass wayspan", set("use_waypoint_name", "false")),
        ),
        Mismatch::Domain => (
            "Kiali asks for hosts with another domain than spans have",
            format!(
                "In Kiali's configuration ({place}) set external_services.istio.istio_identity_domain: \
                 svc.cluster.local, or let spans pass wayspan"
            ),
        ),
    };
    Problem::broken(
        format!("{what}: {} are empty", count(pages.len(), "page"))
            .replace("1 page are", "1 page is"),
        some_of(&examples),
        Fix::text(fix),
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_says_why() {
        for (name, held, why) in [
            ("reviews.bookinfo", "Reviews.bookinfo", Some(Mismatch::Case)),
            ("reviews.bookinfo", "reviews", Some(Mismatch::WithNamespace)),
            (
                "reviews",
                "reviews.bookinfo",
                Some(Mismatch::WithoutNamespace),
            ),
            (
                "reviews.bookinfo.svc.cluster.local",
                "waypoint.bookinfo",
                Some(Mismatch::WaypointHeld),
            ),
            (
                "waypoint.bookinfo",
                "reviews.bookinfo.svc.cluster.local",
                Some(Mismatch::HostHeld),
            ),
            (
                "reviews.bookinfo.svc.corp",
                "reviews.bookinfo.svc.cluster.local",
                Some(Mismatch::Domain),
            ),
            (
                "order-api.bookinfo",
                "order_api.bookinfo",
                Some(Mismatch::Separator),
            ),
            ("reviews.bookinfo", "ratings.bookinfo", None),
            ("reviews.bookinfo", "reviews.shop", None),
        ] {
            let asked = Asked {
                page: String::new(),
                namespace: "bookinfo".to_owned(),
                name: name.to_owned(),
                tags: Vec::new(),
            };
            let all = [held.to_owned()];
            let found = nearest(&asked, &all, &["waypoint.bookinfo".to_owned()]);
            assert_eq!(found.map(|(why, _)| why), why, "{name} {held}");
        }
    }
}
