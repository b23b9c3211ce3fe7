//! No page is lost where labels are as Helm charts write them and Kubernetes is
//! watched, with nothing said about aliases.
//!
//! Idea: the Pods have `app` and `app.kubernetes.io/name` with different values,
//! and Services select by the former. Envoys send what they send in bookinfo;
//! only what Istio makes of labels (the canonical names) has the other value.

use super::question::{self, Asker};
use super::recording::Recording;
use super::ways::Ways;
use super::{Form, columns, record, replay};
use crate::jaeger::Jaeger;
use crate::kiali::{GATEWAY_SERVICE, Kiali};
use crate::kubernetes::Cluster;
use crate::mesh::{APPS, GATEWAY, GATEWAY_POD, SIDECAR_POD, WAYPOINT_POD};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use wayspan::mesh::pages::{Page, PageKind};

const NAMESPACE: &str = "bookinfo";
const FORMS: [Form; 5] = [
    Form::ISTIO_1_24,
    Form::ISTIO_1_28,
    Form::ISTIO_1_29,
    Form::ISTIO_1_30,
    Form::SIDECARS,
];

/// The value of `app.kubernetes.io/name`, where `app` has the app's name.
fn other(app: &str) -> Option<String> {
    let is_app = APPS.iter().any(|(name, ..)| *name == app);
    is_app.then(|| format!("shop-{app}"))
}

fn put_objects(cluster: &Cluster) {
    for namespace in [NAMESPACE, "istio-system"] {
        cluster.namespace(namespace);
    }
    cluster.permit();
    for (app, workload, ip) in APPS {
        let labels = json!({
            "app": app, "version": "v1", "app.kubernetes.io/name": other(app),
            "app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm",
        });
        cluster.pod_named(NAMESPACE, (workload, SIDECAR_POD), ip, labels);
        cluster.service(NAMESPACE, app, json!({"app": app}));
    }
    for (name, own, ip) in [
        (GATEWAY, GATEWAY_POD, "10.244.0.8"),
        (question::WAYPOINT, WAYPOINT_POD, "10.244.0.9"),
    ] {
        let labels = json!({"gateway.networking.k8s.io/gateway-name": name});
        cluster.pod_named(NAMESPACE, (name, own), ip, labels.clone());
        cluster.service(NAMESPACE, name, labels);
    }
}

/// The page with what this Kiali finds in the labels. Before 2.6 it is `app`.
fn relabelled(page: Page, kiali: &Kiali) -> Page {
    let name = other(&page.app).filter(|_| kiali.version >= (2, 6));
    match (page.kind, name) {
        // Its selector has `app` alone.
        (PageKind::Service, _) | (_, None) => page,
        (_, Some(name)) => page.labelled(&name),
    }
}

/// Pages that stay empty, as they are without wayspan: `auto` makes markers for a
/// waypoint's own pages where Istio emits the name that they ask for.
fn empty(form: &Form, kiali: &Kiali) -> Vec<&'static str> {
    let mut empty = Vec::new();
    if !form.ambient || kiali.asks_hosts() || !kiali.reads_peer_tags() {
        empty.push(GATEWAY_SERVICE);
    }
    let found_as_emitted = !form.host_names && kiali.namespace_selector;
    if form.ambient && kiali.asks_hosts() && !found_as_emitted {
        empty.extend(["service waypoint", "workload waypoint"]);
    }
    empty
}

#[test]
fn no_page_is_lost_whatever_the_labels() {
    let dir = TempDir::new().unwrap();
    let cluster = Cluster::start(dir.path());
    put_objects(&cluster);
    let recordings = record(&FORMS)
        .into_iter()
        .map(|made| made.relabelled(other));
    let recordings: Vec<Recording> = recordings.collect();
    let jaeger = Jaeger::start(dir.path());
    let kialis = columns().into_iter().flat_map(|(_, kialis)| kialis);
    let ways = Ways::watching(kialis, jaeger.otlp_grpc, &cluster.kubeconfig());
    let mut wayspan = ways.start();
    for (resource, count) in [("pods", 5.0), ("services", 6.0)] {
        // One Service is Kubernetes' own.
        let metric = format!("wayspan_kubernetes_objects{{resource=\"{resource}\"}}");
        wayspan.wait_metric(&metric, |now| now == count);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(replay(&recordings, &ways));
    wayspan.stop();

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let (mut count, mut lost) = ([0, 0], Vec::new());
    for (f, recording) in recordings.iter().enumerate() {
        let form = &recording.form;
        let found = |w: usize, kiali: &Kiali| -> BTreeSet<String> {
            let replay = ways.replay(f, w);
            let window = Recording::window(&replay, now);
            // A hop has two or three names.
            let spans = form.spans()..=form.spans() * 4;
            let cluster = &ways.all[w].cluster;
            let mut asker = Asker::new(&jaeger, cluster, window, spans).with_other_labels();
            let sent = recording.traces(&replay);
            let pages = question::busy(form.ambient).into_iter();
            let shown = pages.filter(|page| {
                let shown = asker.shows(kiali, &relabelled(page.clone(), kiali));
                assert!(shown.is_empty() || shown == sent, "{}", question::id(page));
                !shown.is_empty()
            });
            shown.map(|page| question::id(&page)).collect()
        };
        for (w, way) in ways.all.iter().enumerate() {
            let Some(kiali) = &way.kiali else { continue };
            let [straight, through] = [0, w].map(|w| found(w, kiali));
            let row = format!("{}, {}", form.label, kiali.label());
            let missing = straight.difference(&through);
            lost.extend(missing.map(|page| format!("{row}: {page}")));
            let pages = question::busy(form.ambient)
                .into_iter()
                .map(|page| question::id(&page));
            let empty = empty(form, kiali);
            let want: BTreeSet<_> = pages.filter(|page| !empty.contains(&&**page)).collect();
            assert_eq!(through, want, "{row}");
            count[0] += straight.len();
            count[1] += through.len();
        }
    }
    println!(
        "  pages found: {} → {}, lost: {}",
        count[0],
        count[1],
        lost.len()
    );
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
