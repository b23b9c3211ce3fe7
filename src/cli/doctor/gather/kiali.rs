/*!
Kialis, found by their Pods as wayspan itself finds them, and their ConfigMaps.
*/

use super::api::{Api, CONFIG_MAPS, PODS};
use crate::cli::doctor::facts::{
    Answer, Failure, FailureKind, Scope, kiali::KialiConfig, objects::Pod,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Looks for Kialis in a namespace; without one in all, or in Istio's where namespaces were
/// chosen.
pub(in crate::cli::doctor) async fn ask(
    scope: &Scope,
    api: &Result<Api, Failure>,
    namespace: Option<&str>,
) -> Answer<Vec<KialiConfig>> {
    let Ok(api) = api else {
        return Answer::NotAsked;
    };
    let istio = (!scope.namespaces.is_empty()).then_some(&*scope.istio_namespace);
    let place = namespace.or(istio);
    let pods = api
        .list::<Pod>(PODS, place, Some("app.kubernetes.io/name=kiali"))
        .await;
    let pods = match pods {
        Answer::Got(pods) => pods,
        Answer::Failed(failure) => return Answer::Failed(failure),
        Answer::NotAsked => return Answer::NotAsked,
    };
    let instance = |pod: &Pod| {
        let label = pod.metadata.label("app.kubernetes.io/instance");
        (
            pod.metadata.namespace.clone(),
            label.unwrap_or("kiali").to_owned(),
        )
    };
    let instances: BTreeSet<(String, String)> = pods.iter().map(instance).collect();
    let mut found = Vec::new();
    for (namespace, name) in instances {
        match api.object::<Value>(CONFIG_MAPS, &namespace, &name).await {
            Answer::Got(Some(map)) => match KialiConfig::read(&namespace, &name, &map) {
                Ok(config) => found.push(config),
                Err(error) => {
                    return Answer::Failed(Failure {
                        kind: FailureKind::Malformed,
                        cause: format!("ConfigMap {namespace}/{name}: {error}"),
                        remedy: None,
                    });
                }
            },
            Answer::Failed(failure) => return Answer::Failed(failure),
            Answer::Got(None) | Answer::NotAsked => {}
        }
    }
    found.sort_by_key(|config| config.namespace != scope.istio_namespace);
    Answer::Got(found)
}
