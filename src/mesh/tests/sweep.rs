//! Every mix of labels, Service names, selectors and Istio's forms, for each
//! Kiali: which pages find their traces, as emitted and after the rules.
//!
//! Each mix is a namespace of its own with one workload of one Pod, one
//! Service, and one span that is a trace. Invariant: a page that finds its trace
//! as emitted finds it after the rules. The figures stand in `docs/naming.md`;
//! `WRITE_DOCS=1 cargo test --lib sweep` writes them.
use super::{
    known::{labels, pod, service},
    *,
};
use crate::mesh::{
    directory::{Labels, NamespaceRecord, PodRecord},
    pages::{Page, PageKind, Question},
};
use std::{collections::HashSet, fmt::Write as _, sync::Arc};

const APP: &str = "app";
const NAME: &str = "app.kubernetes.io/name";
const CANONICAL: &str = "service.istio.io/canonical-name";

/// The Pods' labels, beside `version`, and those that a Service selects by.
const LABELS: [(&str, &[&str]); 5] = [
    ("app=cart", &[APP]),
    ("app.kubernetes.io/name=cart", &[NAME]),
    ("app=cart app.kubernetes.io/name=shop-cart", &[APP, NAME]),
    (
        "app=cart service.istio.io/canonical-name=cart-eu",
        &[APP, CANONICAL],
    ),
    ("role=x", &["role"]),
];
const SERVICES: [&str; 2] = ["cart", "prod-cart"];

/// What emits the span, and how this Istio calls it.
#[derive(Clone, Copy, Debug)]
struct Istio {
    waypoint: bool,
    /// The labels that a sidecar's name is made of.
    named_by: &'static [&'static str],
    /// Is true where a waypoint's span is called after the Service.
    by_host: bool,
    peer_tags: bool,
}

const ISTIOS: [Istio; 6] = [
    sidecar(&[APP]),
    sidecar(&[APP, NAME, CANONICAL]),
    waypoint(false, false),
    waypoint(true, false),
    waypoint(true, true),
    waypoint(false, true),
];

const fn sidecar(named_by: &'static [&'static str]) -> Istio {
    Istio {
        waypoint: false,
        named_by,
        by_host: false,
        peer_tags: false,
    }
}

const fn waypoint(by_host: bool, peer_tags: bool) -> Istio {
    Istio {
        waypoint: true,
        named_by: &[],
        by_host,
        peer_tags,
    }
}

/// A namespace of the sweep.
struct Mix {
    namespace: String,
    labels: Arc<Labels>,
    service: &'static str,
    selector: &'static str,
    istio: Istio,
}

fn mixes() -> Vec<Mix> {
    let mut all = Vec::new();
    for (of_pods, selectors) in LABELS {
        for selector in selectors {
            for service in SERVICES {
                for istio in ISTIOS {
                    all.push(Mix {
                        // None is the beginning of another.
                        namespace: format!("n{:02}", all.len()),
                        labels: labels(&format!("{of_pods} version=v1")),
                        service,
                        selector,
                        istio,
                    });
                }
            }
        }
    }
    all
}

impl Mix {
    fn workload(&self) -> String {
        format!("{}-v1", self.service)
    }

    /// The first of these labels that the Pods have.
    fn label(&self, names: &[&str]) -> Option<&str> {
        let found = names.iter().find_map(|name| self.labels.get(*name));
        found.map(String::as_str)
    }

    /// The selector as text.
    fn selected(&self) -> String {
        format!("{}={}", self.selector, self.labels[self.selector])
    }

    fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.service, self.namespace)
    }

    fn span(&self) -> Span {
        let (ns, istio, host) = (&self.namespace, &self.istio, self.host());
        let workload = self.workload();
        let canonical = self.label(&[CANONICAL, NAME, APP]).unwrap_or(&workload);
        let (kind, pod, own, cluster) = match istio.waypoint {
            true => (
                "waypoint",
                "waypoint-5b7c754ccb-55jwk".to_owned(),
                "waypoint",
                format!("inbound-vip|80|http|{host}"),
            ),
            false => (
                "sidecar",
                format!("{workload}-7d9c5b4f68-x2z4k"),
                canonical,
                "inbound|8080||".to_owned(),
            ),
        };
        let emitted = match istio.waypoint {
            true if istio.by_host => host.clone(),
            true => format!("waypoint.{ns}"),
            false => format!("{}.{ns}", self.label(istio.named_by).unwrap_or(&workload)),
        };
        let node = format!("{kind}~10.0.0.9~{pod}.{ns}~{ns}.svc.cluster.local");
        let mut tags = vec![
            ("component", "proxy"),
            ("node_id", node.as_str()),
            ("upstream_cluster", cluster.as_str()),
            ("istio.canonical_service", own),
            ("istio.namespace", ns.as_str()),
            ("istio.cluster_id", "Kubernetes"),
        ];
        if istio.peer_tags {
            tags.extend([
                ("istio.destination_app", canonical),
                ("istio.destination_canonical_service", canonical),
                ("istio.destination_workload", workload.as_str()),
                ("istio.destination_namespace", ns.as_str()),
                ("istio.source_canonical_service", "web"),
                ("istio.source_workload", "web-v1"),
                ("istio.source_namespace", ns.as_str()),
            ]);
        }
        Span {
            trace_id: ns.as_bytes().to_vec(),
            ..span(&emitted, &format!("{host}:80/*"), 2, &tags)
        }
    }

    /// The pages about its app, Service and workload, and that of a workload
    /// which is scaled to zero.
    fn pages(&self, kiali: &Kiali) -> (Vec<Page>, Page) {
        let scheme = Scheme::new(kiali);
        let found_by = scheme.app_labels();
        let waypoint = self.istio.waypoint.then_some("waypoint");
        let page = |kind, name: &str, app: &str| Page {
            first_service: (kind == PageKind::App).then(|| self.service.to_owned()),
            ..Page::plain(kind, name, app, &self.namespace, waypoint)
        };
        let app = found_by.of(&self.labels).unwrap_or_default();
        let selector = labels(&self.selected());
        let selected = found_by.of(&selector).unwrap_or_default();
        let mut pages = vec![
            page(PageKind::Service, self.service, selected),
            page(PageKind::Workload, &self.workload(), app),
        ];
        if !app.is_empty() {
            pages.push(page(PageKind::App, app, app));
        }
        let idle = format!("{}-v2", self.service);
        (pages, page(PageKind::Workload, &idle, app))
    }
}

/// What Kubernetes holds of all of them.
fn directory(mixes: &[Mix], scheme: &Scheme) -> Directory {
    let pods = mixes.iter().map(|mix| PodRecord {
        labels: Arc::clone(&mix.labels),
        ..pod(
            &mix.namespace,
            &format!("{}-7d9c5b4f68-x2z4k", mix.workload()),
            &mix.workload(),
            "",
            "",
        )
    });
    let services = mixes
        .iter()
        .map(|mix| service(&mix.namespace, mix.service, &mix.selected()));
    let namespaces = mixes.iter().map(|mix| NamespaceRecord {
        name: mix.namespace.clone(),
        labels: labels(match mix.istio.waypoint {
            true => "istio.io/use-waypoint=waypoint",
            false => "",
        }),
        ..NamespaceRecord::default()
    });
    Directory::build(pods, services, namespaces, scheme.app_labels())
}

/// What the pages of a Kiali show of some spans.
#[derive(Debug, Default)]
struct Shown {
    found: HashSet<(PageKind, String)>,
    /// Pages that show what they are not about.
    falsely: usize,
}

fn shown(mixes: &[Mix], spans: &[Span], kiali: &Kiali) -> Shown {
    let mut shown = Shown::default();
    for mix in mixes {
        let (pages, idle) = mix.pages(kiali);
        let find = |page: &Page| {
            let question = Question::new(kiali, "Kubernetes", page);
            let found = question.finds(spans);
            let own = found.contains(mix.namespace.as_bytes());
            (own, found.len() - usize::from(own))
        };
        for page in pages {
            let (own, others) = find(&page);
            if own {
                shown.found.insert((page.kind, mix.namespace.clone()));
            }
            // Without namespaces in names, Kiali itself cannot tell them apart.
            shown.falsely += usize::from(others > 0 && kiali.namespace_selector);
        }
        // Before, workloads are told apart by nothing.
        if kiali.version >= Version::new(2, 26) {
            shown.falsely += usize::from(find(&idle).0);
        }
    }
    shown
}

/// The same after the rules.
fn after(mixes: &[Mix], spans: &[Span], kiali: &Kiali, aliases: Aliases, watch: bool) -> Shown {
    let settings = MeshSettings {
        kiali: kiali.clone(),
        aliases,
        ..MeshSettings::default()
    };
    let mut knowledge = Knowledge::of(&settings);
    if watch {
        knowledge.directory = Arc::new(directory(mixes, &knowledge.scheme));
    }
    let delivered = apply_all_with(spans, &settings, &knowledge);
    for span in &delivered {
        let name = span.service_name();
        assert!(!name.is_empty() && !name.starts_with('.'), "{span:?}");
    }
    shown(mixes, &delivered, kiali)
}

const KIALIS: [(&str, u16, bool); 6] = [
    ("before 2.5", 4, false),
    ("2.7", 7, false),
    ("2.22, default", 22, false),
    ("2.22, waypoint names", 22, true),
    ("2.26+, default", 30, false),
    ("2.26+, waypoint names", 30, true),
];

/// Whether Kubernetes is watched, and `aliases`.
const WAYS: [(bool, Aliases, &str); 6] = [
    (false, Aliases::Off, "not watched, `off`"),
    (false, Aliases::Auto, "`auto`"),
    (false, Aliases::On, "`on`"),
    (true, Aliases::Off, "watched, `off`"),
    (true, Aliases::Auto, "`auto`"),
    (true, Aliases::On, "`on`"),
];

/// Found as emitted and, where Kubernetes is watched, with one name a span and
/// with markers: as they were computed page by page and confirmed with Kiali's
/// own code.
#[test]
fn as_many_as_can_be_found() {
    let mixes = mixes();
    let spans: Vec<Span> = mixes.iter().map(Mix::span).collect();
    for (minor, by_waypoint, selector, want) in [
        (7, false, true, [62, 128, 224]),
        (7, false, false, [0, 136, 224]),
        (30, false, true, [52, 146, 216]),
        (30, false, false, [0, 160, 216]),
        (30, true, true, [82, 208, 224]),
        (30, true, false, [0, 216, 224]),
    ] {
        let kiali = kiali(minor, selector, by_waypoint);
        let with = |aliases| after(&mixes, &spans, &kiali, aliases, true);
        let emitted = shown(&mixes, &spans, &kiali);
        let [off, auto, on] = [Aliases::Off, Aliases::Auto, Aliases::On].map(with);
        let got = [&emitted, &off, &on].map(|shown| shown.found.len());
        assert_eq!(got, want, "{kiali:?}");
        assert_eq!(auto.found, on.found, "{kiali:?}");
    }
}

#[test]
fn no_page_is_lost() {
    let mixes = mixes();
    let spans: Vec<Span> = mixes.iter().map(Mix::span).collect();
    let pages = mixes
        .iter()
        .map(|mix| mix.pages(&kiali(30, true, true)).0.len());
    assert_eq!((mixes.len(), pages.sum()), (84, 240));
    let mut table = String::from("| Kiali, `namespace_selector` | as emitted |");
    for (.., label) in WAYS {
        let _ = write!(table, " {label} |");
    }
    table += "\n| --- |";
    table += &" --- |".repeat(1 + WAYS.len());
    for (label, minor, by_waypoint) in KIALIS {
        for selector in [true, false] {
            let kiali = kiali(minor, selector, by_waypoint);
            let emitted = shown(&mixes, &spans, &kiali);
            let word = if selector { "on" } else { "off" };
            let count = emitted.found.len();
            let _ = write!(table, "\n| {label}, {word} | {count} |");
            for (watch, aliases, _) in WAYS {
                let shown = after(&mixes, &spans, &kiali, aliases, watch);
                let lost: Vec<_> = emitted.found.difference(&shown.found).collect();
                assert!(lost.is_empty(), "{kiali:?}, {aliases:?}, {watch}: {lost:?}");
                assert!(!watch || shown.falsely == 0, "{kiali:?}, {aliases:?}");
                let _ = write!(table, " {} |", shown.found.len());
            }
        }
    }
    table += "\n";
    println!("{table}");
    keep_current(&table);
}

/// Where labels agree, no marker is made but for waypoints' own pages.
#[test]
fn markers_cost_nothing_where_labels_agree() {
    for (_, minor, by_waypoint) in KIALIS {
        for selector in [true, false] {
            let mut settings = settings(minor, selector, by_waypoint);
            settings.aliases = Aliases::Auto;
            let mut knowledge = Knowledge::of(&settings);
            knowledge.directory = Arc::new(directory(&mixes(), &knowledge.scheme));
            for mix in mixes() {
                let agrees = mix.labels.get(mix.selector).map(String::as_str) == Some("cart")
                    && mix.label(&[CANONICAL, NAME, APP]) == Some("cart")
                    && mix.service == "cart"
                    && (minor > 5 || mix.selector == APP);
                if !agrees {
                    continue;
                }
                let made = markers_with(&mix.span(), &settings, &knowledge);
                let names: Vec<_> = made.iter().map(Span::service_name).collect();
                let own = format!("waypoint.{}", mix.namespace);
                let by_own_name = mix.istio.waypoint && !mix.istio.by_host && selector;
                let is_lost = by_own_name && (minor < 5 || (minor >= 22 && !by_waypoint));
                let want = if is_lost { vec![&*own] } else { Vec::new() };
                assert_eq!(names, want, "2.{minor}, {selector}, {:?}", mix.istio);
            }
        }
    }
}

const BEGIN: &str = "<!-- sweep: begin -->\n";
const END: &str = "<!-- sweep: end -->";

/// Writes the table between the marks, or fails where another one stands there.
fn keep_current(table: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/naming.md");
    let page = std::fs::read_to_string(file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("a mark where it begins");
    let (there, after) = rest.split_once(END).expect("a mark where it ends");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let help = "`WRITE_DOCS=1 cargo test --lib sweep` writes the table of docs/naming.md";
    assert_eq!(there, table, "{help}");
}
