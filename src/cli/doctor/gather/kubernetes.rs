/*!
The questions about Istio to the Kubernetes API.

Where namespaces were chosen only those are listed, besides Istio's and those of
waypoints in use, so that rights for them are enough.
*/

use super::api::{
    Api, CONFIG_MAPS, GATEWAYS, NAMESPACES, PODS, SERVICE_ENTRIES, SERVICES, SLICES, TELEMETRIES,
};
use crate::cli::doctor::facts::{
    Answer, Failure, FailureKind, Kubernetes, ProviderService, Scope,
    mesh_config::MeshConfig,
    objects::{EndpointSlice, Meta, Service},
};
use futures_util::future::{join, join_all};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: BTreeMap<String, String>,
}

/// Asks all questions.
pub(in crate::cli::doctor) async fn ask(scope: &Scope, api: &Result<Api, Failure>) -> Kubernetes {
    let mut facts = Kubernetes::default();
    let api = match api {
        Ok(api) => api,
        Err(failure) => {
            facts.api = Answer::Failed(failure.clone());
            return facts;
        }
    };
    facts.api = api.version().await;
    if facts.api.got().is_none() {
        return facts;
    }
    let own: BTreeSet<&str> = scope.namespaces.iter().map(String::as_str).collect();
    let istio = &*scope.istio_namespace;
    let istiods = api.list(PODS, Some(istio), Some("app=istiod"));
    let namespaces = api.list(NAMESPACES, None, None);
    let first = join(
        join(istiods, namespaces),
        join(api.all(SERVICES, &own), api.all(PODS, &own)),
    );
    (
        (facts.istiods, facts.namespaces),
        (facts.services, facts.pods),
    ) = first.await;
    facts.mesh_config = mesh_config(api, istio, &facts).await;

    let root = facts
        .mesh_config
        .got()
        .map(|config| config.root_namespace.clone());
    let waypoints = waypoint_namespaces(&facts);
    let mut places = own.clone();
    if !own.is_empty() {
        places.insert(istio);
        places.extend(waypoints.iter().map(String::as_str));
        places.extend(root.as_deref().filter(|root| !root.is_empty()));
    }
    let second = join(
        join(api.all(TELEMETRIES, &places), api.all(GATEWAYS, &places)),
        api.all(SERVICE_ENTRIES, &places),
    );
    ((facts.telemetries, facts.gateways), facts.service_entries) = second.await;
    facts.provider_services = provider_services(api, &facts).await;
    facts
}

/// Returns the namespaces that labels name as their waypoints'.
fn waypoint_namespaces(facts: &Kubernetes) -> BTreeSet<String> {
    let namespaces = facts.namespaces.list().iter().map(|one| &one.metadata);
    let services = facts.services.list().iter().map(|one| &one.metadata);
    let named = |meta: &Meta| {
        meta.label("istio.io/use-waypoint-namespace")
            .map(str::to_owned)
    };
    namespaces.chain(services).filter_map(named).collect()
}

/// Reads the mesh configuration: that of the default revision, else of one that runs.
async fn mesh_config(api: &Api, istio: &str, facts: &Kubernetes) -> Answer<MeshConfig> {
    let mut names = vec!["istio".to_owned()];
    let revisions = facts
        .istiods
        .list()
        .iter()
        .filter_map(|pod| pod.metadata.label("istio.io/rev"));
    let revisions: BTreeSet<&str> = revisions
        .filter(|revision| *revision != "default")
        .collect();
    names.extend(
        revisions
            .into_iter()
            .map(|revision| format!("istio-{revision}")),
    );
    for name in names {
        let map: Answer<Option<ConfigMap>> = api.object(CONFIG_MAPS, istio, &name).await;
        let text = match map {
            Answer::Got(None) => continue,
            Answer::Got(Some(map)) => map.data.get("mesh").cloned().unwrap_or_default(),
            Answer::Failed(failure) => return Answer::Failed(failure),
            Answer::NotAsked => return Answer::NotAsked,
        };
        return match MeshConfig::parse(&text) {
            Ok(config) => Answer::Got(config),
            Err(error) => Answer::Failed(Failure {
                kind: FailureKind::Malformed,
                cause: format!("ConfigMap {istio}/{name}: {error}"),
                remedy: None,
            }),
        };
    }
    Answer::Failed(Failure {
        kind: FailureKind::Absent,
        cause: format!(
            "there is no ConfigMap istio in namespace {istio}, where Istio's mesh configuration is"
        ),
        remedy: Some("name Istio's namespace with --istio-namespace".to_owned()),
    })
}

async fn provider_services(api: &Api, facts: &Kubernetes) -> Vec<ProviderService> {
    let config = facts.mesh_config.got();
    let backends = config.into_iter().flat_map(MeshConfig::collectors);
    let named: BTreeSet<(String, String)> = backends
        .filter_map(|(_, backend, _)| backend.kubernetes_service())
        .map(|(name, namespace)| (namespace.to_owned(), name.to_owned()))
        .collect();
    let asked = named.into_iter().map(|(namespace, name)| async move {
        let selector = format!("kubernetes.io/service-name={name}");
        let service: Answer<Option<Service>> = api.object(SERVICES, &namespace, &name).await;
        let endpoints: Answer<Vec<EndpointSlice>> =
            api.list(SLICES, Some(&namespace), Some(&selector)).await;
        ProviderService {
            namespace,
            name,
            service,
            endpoints,
        }
    });
    join_all(asked).await
}
