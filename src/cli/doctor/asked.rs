/*!
What Kiali asks for the pages of the namespaces that are looked at.
*/

use super::{
    facts::{
        Facts,
        kiali::KialiConfig,
        objects::{Labels, Service, selects},
    },
    istio,
};
use crate::mesh::pages::{Page, PageKind, Question};

/// A page and its question.
pub(super) struct Asked {
    pub(super) page: String,
    pub(super) namespace: String,
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

/// Returns what Kiali calls the cluster.
pub(super) fn cluster(facts: &Facts, config: &KialiConfig) -> String {
    match config.cluster_name.is_empty() {
        true => istiods_cluster(facts),
        false => config.cluster_name.clone(),
    }
}

/// Returns what istiod calls the cluster.
pub(super) fn istiods_cluster(facts: &Facts) -> String {
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
